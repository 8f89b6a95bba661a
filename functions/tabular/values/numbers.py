"""Reads numbers and integers of cells (Table Schema v2, `number` and `integer`).

Nothing is rounded: a number becomes a `Decimal` and keeps the digits that the file gives it, an
integer may be of any size.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tabular.model import Field

_SPECIAL = {
    "NAN": (Decimal("NaN"), '"NaN"'),
    "INF": (Decimal("Infinity"), '"INF"'),
    "-INF": (Decimal("-Infinity"), '"-INF"'),
}
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?0*[0-9]{1,4})?")
_JSON_INTEGER = re.compile(r"-?[1-9][0-9]*|0")
_SURELY_FINITE = 300
"""A number of fewer characters and without exponent is certainly below 1.8e308."""
_INT_DIGITS = 4300
"""Python refuses to convert longer text to `int` by default: the conversion is quadratic."""


def number_reader(field: Field) -> Callable[[str], tuple[Decimal, str] | None]:
    """Make the reader of a number field: text to (value, JSON text), None if it is not a number.

    Surrounding white space is ignored, as XML Schema does. NaN, INF and -INF become JSON strings.
    A number that is not finite as a double is refused: almost no JSON reader could read it.
    """
    lexical = _lexical(field, fraction=True)
    plain = field.decimal_char == "." and field.group_char is None

    def read(text: str) -> tuple[Decimal, str] | None:
        text = text.strip()
        if plain and _JSON_NUMBER.fullmatch(text):
            return _finite(text)
        special = _SPECIAL.get(text.upper())
        if special is not None:
            return special
        canonical = lexical(text)
        return None if canonical is None else _finite(canonical)

    return read


def integer_reader(field: Field) -> Callable[[str], tuple[int | Decimal, str] | None]:
    """Make the reader of an integer field: text to (value, JSON text), or None for other text.

    The value of an integer of more than 4,300 digits is a `Decimal`, equal and comparable to what
    the `int` would be.
    """
    lexical = _lexical(field, fraction=False)

    def read(text: str) -> tuple[int | Decimal, str] | None:
        text = text.strip()
        if _JSON_INTEGER.fullmatch(text):
            return whole_number(text), text
        canonical = lexical(text)
        if canonical is None:
            return None
        if canonical == "-0":
            canonical = "0"
        return whole_number(canonical), canonical

    return read


def whole_number(digits: str) -> int | Decimal:
    """The value of an integer's digits, which compares like an integer whatever its size."""
    return int(digits) if len(digits) <= _INT_DIGITS else Decimal(digits)


def _finite(canonical: str) -> tuple[Decimal, str] | None:
    short = len(canonical) < _SURELY_FINITE and "e" not in canonical and "E" not in canonical
    if not short and math.isinf(float(canonical)):
        return None
    return Decimal(canonical), canonical


def _lexical(field: Field, *, fraction: bool) -> Callable[[str], str | None]:
    """Make the check of a field's notation: text to the same digits in JSON's, None if wrong."""
    numeral = re.compile(_numeral(field, fraction=fraction))
    # `\d` is a digit of any script: such a cell is refused, not cut at the digit.
    loose = re.compile(
        rf"(?P<lead>[+-]?)(?P<before>[^\d+-]*?)(?P<sign>[+-]?){numeral.pattern}(?P<after>\D*)"
    )
    strict = re.compile(rf"(?P<sign>[+-]?){numeral.pattern}")
    group_char = field.group_char

    def read(text: str) -> str | None:
        match = strict.fullmatch(text)
        sign = match["sign"] if match else None
        if match is None and not field.bare_number:
            match = loose.fullmatch(text)
            sign = _loose_sign(match) if match else None
        if match is None or sign is None:
            return None
        return _canonical(sign, match, group_char)

    return read


def _numeral(field: Field, *, fraction: bool) -> str:
    """The pattern of the unsigned number.

    Group characters must separate groups of digits: the last group has three digits, the others two
    (as in India) or three. So `1,00` is not read as 100, which it almost never means.
    """
    whole = "[0-9]+"
    if field.group_char is not None:
        group = re.escape(field.group_char)
        whole = rf"(?:[0-9]{{1,3}}(?:{group}[0-9]{{2,3}})*{group}[0-9]{{3}}|[0-9]+)"
    if not fraction:
        return rf"(?P<whole>{whole})(?P<part>)(?P<power>)"
    point = re.escape(field.decimal_char)
    power = r"(?P<power>(?:[eE][+-]?0*[0-9]{1,4})?)"
    return rf"(?=[0-9]|{point}[0-9])(?P<whole>(?:{whole})?)(?:{point}(?P<part>[0-9]*))?{power}"


def _loose_sign(match: re.Match[str]) -> str | None:
    """The sign of a number with other characters around it; None if it is doubtful.

    Accountants write minus five as `(5)` or `5-`. Removing the characters would give 5, which is
    wrong, so such a cell is refused.
    """
    before, after = match["before"], match["after"].lstrip()
    accounting = "(" in before and ")" in after
    cut_fraction = before.endswith((".", ","))
    twice = bool(match["lead"] and match["sign"])
    if accounting or cut_fraction or twice or after.startswith("-"):
        return None
    return match["lead"] or match["sign"]


def _canonical(sign: str, match: re.Match[str], group_char: str | None) -> str:
    whole, part = match["whole"], match["part"]
    if group_char is not None:
        whole = whole.replace(group_char, "")
    whole = whole.lstrip("0") or "0"
    point = f".{part}" if part else ""
    return f"{'-' if sign == '-' else ''}{whole}{point}{match['power']}"
