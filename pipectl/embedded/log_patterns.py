"""The filter patterns of CloudWatch Logs, for texts and for JSON documents.

A pattern with braces compares fields of a JSON document; all others look for terms in the text.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

Matches = Callable[[str], bool]
_Condition = Callable[[Any], bool]


class PatternError(ValueError):
    """The pattern is not valid, or uses something that is not supported here."""


@lru_cache(100)
def compiled(pattern: str) -> Matches:
    """Whether a line matches the pattern. Raises `PatternError`."""
    text = pattern.strip()
    if text.startswith("{"):
        condition = _Parser(text).whole()
        return lambda line: _meets(line, condition)
    if text.startswith(("[", "%")):
        raise PatternError("Patterns in [ ] and % % are not supported by the embedded AWS.")
    return _terms(text)


def _meets(line: str, condition: _Condition) -> bool:
    if not line.lstrip().startswith("{"):
        return False
    try:
        document = json.loads(line)
    except ValueError:
        return False
    return condition(document)


_TERM = re.compile(r'([?-]?)(?:"((?:[^"\\]|\\.)*)"|(\S+))')


def _terms(text: str) -> Matches:
    """All plain terms have to be in the text, none of those with `-`, and one of those with `?`."""
    terms: dict[str, list[str]] = {"": [], "-": [], "?": []}
    for sign, quoted, plain in _TERM.findall(text):
        terms[sign].append(re.sub(r"\\(.)", r"\1", quoted) if quoted else plain)
    needed, excluded, optional = terms.values()
    # Terms with `?` are ignored next to others.
    wanted = optional if not needed and not excluded else []
    return lambda line: (
        all(term in line for term in needed)
        and not any(term in line for term in excluded)
        and (not wanted or any(term in line for term in wanted))
    )


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<selector>\$(?:\.[\w-]+|\['[^']*'\]|\[\d+\])+)
    | (?P<text>"(?:[^"\\]|\\.)*")
    | (?P<sign>&&|\|\||!=|<=|>=|[=<>(){}])
    | (?P<word>[^\s&|!=<>(){}"]+)
    )""",
    re.VERBOSE,
)
_STEP = re.compile(r"\.([\w-]+)|\['([^']*)'\]|\[(\d+)\]")
_MISSING = object()
_ORDERS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class _Parser:
    """Parses `{ $.level = "ERROR" && ($.status >= 500 || $.error NOT EXISTS) }`."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._place = 0

    def whole(self) -> _Condition:
        self._take("{")
        condition = self._any()
        self._take("}")
        if self._peek():
            raise PatternError("Invalid filter pattern: there is something after the last brace.")
        return condition

    def _any(self) -> _Condition:
        conditions = [self._all()]
        while self._peek() == "||":
            self._next()
            conditions.append(self._all())
        return lambda document: any(condition(document) for condition in conditions)

    def _all(self) -> _Condition:
        conditions = [self._one()]
        while self._peek() == "&&":
            self._next()
            conditions.append(self._one())
        return lambda document: all(condition(document) for condition in conditions)

    def _one(self) -> _Condition:
        if self._peek() == "(":
            self._next()
            condition = self._any()
            self._take(")")
            return condition
        selector = self._next()
        if not selector.startswith("$"):
            raise PatternError(f"Invalid filter pattern: expected a field, not {selector}.")
        return _comparison(_path(selector), self._next().upper(), self._next())

    def _peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise PatternError("Invalid filter pattern: it ends too early.")
        self._place += 1
        return token

    def _take(self, expected: str) -> None:
        token = self._next()
        if token != expected:
            raise PatternError(f"Invalid filter pattern: expected {expected}, not {token}.")


def _tokens(text: str) -> Iterable[str]:
    place = 0
    while text[place:].strip():
        found = _TOKEN.match(text, place)
        if found is None:
            raise PatternError(f"Invalid filter pattern at {text[place:].strip()[:20]}")
        place = found.end()
        yield found[0].strip()


def _path(selector: str) -> list[str | int]:
    return [int(index) if index else name or key for name, key, index in _STEP.findall(selector)]


def _value(document: Any, path: Iterable[str | int]) -> Any:
    for step in path:
        # A number indexes a list only, and a name an object only.
        if not isinstance(document, list if isinstance(step, int) else dict):
            return _MISSING
        try:
            document = document[step]  # type: ignore[index]  # it is of the step's kind
        except (KeyError, IndexError):
            return _MISSING
    return document


def _comparison(path: list[str | int], sign: str, operand: str) -> _Condition:
    if (sign, operand.upper()) == ("NOT", "EXISTS"):
        return lambda document: _value(document, path) is _MISSING
    if sign == "IS":
        try:
            constant = {"TRUE": True, "FALSE": False, "NULL": None}[operand.upper()]
        except KeyError:
            raise PatternError(f"Invalid filter pattern: IS {operand}.") from None
        return lambda document: _value(document, path) is constant
    if sign in _ORDERS:
        number, order = _number(operand), _ORDERS[sign]
        if number is None:
            raise PatternError(f"Invalid filter pattern: {operand} is not a number.")
        return lambda document: _is_ordered(_value(document, path), order, number)
    if sign == "=":
        return lambda document: _equals(_value(document, path), operand)
    if sign == "!=":
        return lambda document: (
            (value := _value(document, path)) is not _MISSING and not _equals(value, operand)
        )
    raise PatternError(f"Invalid filter pattern: {sign} is no comparison.")


def _is_ordered(value: Any, order: Callable[[float, float], bool], number: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and order(value, number)


def _equals(value: Any, operand: str) -> bool:
    """Whether a field has a value; `*` in a text matches any characters."""
    quoted = operand.startswith('"')
    text = re.sub(r"\\(.)", r"\1", operand[1:-1]) if quoted else operand
    if isinstance(value, str):
        return fnmatchcase(value, text.replace("[", "[[]").replace("?", "[?]"))
    if isinstance(value, bool) or not isinstance(value, int | float) or quoted:
        return False
    return _number(text) == value


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
