"""Reads one cell by the exact semantics of Table Schema v2 for its field.

This module is the reference. The faster path over whole columns may only accept what this module
accepts, with the same JSON text. Nothing here depends on the rest of the record: uniqueness is
checked elsewhere, where all records are known.
"""

from __future__ import annotations

import operator
from datetime import datetime, time
from decimal import Decimal
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, NamedTuple

from tabular.faults import Fault, shown
from tabular.model import Field
from tabular.values.canonical import canonical, physical
from tabular.values.dates import (
    DEFAULT_READERS,
    Duration,
    any_reader,
    elapsed,
    instant,
    pattern_reader,
    read_duration,
    read_year,
    read_yearmonth,
    since_midnight,
)
from tabular.values.nested import point_reader, read_array, read_object
from tabular.values.numbers import integer_reader, number_reader
from tabular.values.patterns import compile_pattern
from tabular.values.string_formats import STRING_FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable

    Caster = Callable[[str], tuple[Any, str] | None]
    Check = tuple[Callable[[Any], bool], str, str]

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""Spreadsheets run a text that begins with one of these as a formula (OWASP, CSV Injection)."""


class Cell(NamedTuple):
    """A text read by its field's rules.

    `value` is None for a missing value and if the text does not fit the type. `json` is the JSON
    text of the value in the output. `faults` are all its faults.
    """

    value: Any
    json: str
    faults: tuple[Fault, ...]


_COMPILED: dict[int, tuple[Field, Callable[[str], Cell]]] = {}
_COMPILED_LIMIT = 4096


def read_cell(field: Field, text: str) -> Cell:
    """Read one cell. To read many cells of a field, make its `reader` once."""
    known = _COMPILED.get(id(field))
    if known is None or known[0] is not field:
        if len(_COMPILED) >= _COMPILED_LIMIT:
            _COMPILED.clear()
        known = _COMPILED[id(field)] = (field, reader(field))
    return known[1](text)


def reader(field: Field, *, neutralise_formulas: bool = False) -> Callable[[str], Cell]:
    """Make the function that reads the cells of a field: missing values, then type, then rules.

    With `neutralise_formulas` the texts of string fields (and of `any` fields, unless they are
    numbers) that a spreadsheet would run as a formula get an apostrophe in front, after all checks.
    """
    cast = _caster(field)
    checks = _checks(field)
    missing = frozenset(field.missing_values)
    trim = field.trim
    null = Cell(None, "null", ())
    neutralise = neutralise_formulas and field.type in ("string", "any")

    def read(text: str) -> Cell:
        if trim:
            text = text.strip()
        if text in missing:
            return _required(field, text) if field.constraints.required else null
        result = cast(text)
        if result is None:
            return _type_error(field, text)
        value, json = result
        if checks:
            failed = [(rule, message) for holds, rule, message in checks if not holds(value)]
            if failed:
                return Cell(value, json, tuple(_broken(field, text, *broken) for broken in failed))
        if neutralise and text.startswith(FORMULA_STARTS):
            return _neutralised(field, text)
        return Cell(value, json, ())

    return read


def cast(field: Field, text: str) -> Any:
    """Cast a text by a field's type and format alone: no missing values, no constraints.

    Raises ValueError if the text does not fit the type.
    """
    result = _caster(field)(text)
    if result is None:
        raise ValueError(f"not {expected(field)}")
    return result[0]


def expected(field: Field) -> str:
    """What a field's type and format expect, in the words of fault messages."""
    if field.type == "boolean":
        return "one of " + shown(", ".join((*field.true_values, *field.false_values)))
    if field.type == "list":
        delimiter = shown(field.list_delimiter)
        return f"a list of {field.list_item_type} items separated by {delimiter!r}"
    if field.type in ("date", "datetime", "time") and field.format not in ("default", "any"):
        return f"a {field.type} written as {shown(field.format)}"
    return _EXPECTED.get((field.type, field.format)) or _EXPECTED[field.type, "default"]


def _caster(field: Field) -> Caster:
    """Make the function that casts a text to (value, JSON text), or None if it does not fit."""
    simple = _SIMPLE_CASTERS.get(field.type)
    return simple if simple is not None else _CASTER_MAKERS[field.type](field)


def _text(text: str) -> tuple[str, str]:
    return text, encode_basestring(text)


def _string(field: Field) -> Caster:
    fits = STRING_FORMATS.get(field.format)
    if fits is None:
        return _text

    def read(text: str) -> tuple[str, str] | None:
        return _text(text) if fits(text) else None

    return read


def _temporal(field: Field) -> Caster:
    if field.format == "default":
        return DEFAULT_READERS[field.type]
    if field.format == "any":
        return any_reader(field.type)
    return pattern_reader(field.type, field.format)


def _boolean(field: Field) -> Caster:
    readings = dict.fromkeys(field.false_values, (False, "false"))
    readings.update(dict.fromkeys(field.true_values, (True, "true")))
    return readings.get


def _list(field: Field) -> Caster:
    """Make the function that casts a list: every item in the default format of the item type."""
    cast_item = _caster(Field(field.name, field.output_name, field.list_item_type))
    delimiter = field.list_delimiter

    def read(text: str) -> tuple[list[Any], str] | None:
        values, jsons = [], []
        for item in text.split(delimiter):
            result = cast_item(item)
            if result is None:
                return None
            values.append(result[0])
            jsons.append(result[1])
        return values, "[" + ",".join(jsons) + "]"

    return read


_SIMPLE_CASTERS: dict[str, Caster] = {
    "any": _text,
    "year": read_year,
    "yearmonth": read_yearmonth,
    "duration": read_duration,
    "object": read_object,
    "array": read_array,
}
_CASTER_MAKERS: dict[str, Callable[[Field], Caster]] = {
    "string": _string,
    "number": number_reader,
    "integer": integer_reader,
    "boolean": _boolean,
    "date": _temporal,
    "datetime": _temporal,
    "time": _temporal,
    "list": _list,
    "geopoint": lambda field: point_reader(field.format),
}


def _checks(field: Field) -> list[Check]:
    """Make the tests of a field's constraints, each with its name and the message of its faults."""
    rules = field.constraints
    checks: list[Check] = []
    if rules.min_length is not None:
        checks.append(_length_check("minLength", rules.min_length))
    if rules.max_length is not None:
        checks.append(_length_check("maxLength", rules.max_length))
    bounds = (
        ("minimum", rules.minimum),
        ("maximum", rules.maximum),
        ("exclusiveMinimum", rules.exclusive_minimum),
        ("exclusiveMaximum", rules.exclusive_maximum),
    )
    checks += [
        (_bound_check(name, bound), name, f'constraint "{name}" is {shown(physical(field, bound))}')
        for name, bound in bounds
        if bound is not None
    ]
    if rules.pattern is not None:
        matches = compile_pattern(rules.pattern).matches
        checks.append((matches, "pattern", f'constraint "pattern" is {shown(rules.pattern)}'))
    if rules.enum is not None:
        allowed = frozenset(map(canonical, rules.enum))
        checks.append(
            (
                lambda value: canonical(value) in allowed,
                "enum",
                _enum_message(tuple(physical(field, item) for item in rules.enum)),
            )
        )
    return checks


def _length_check(name: str, limit: int) -> Check:
    message = f'constraint "{name}" is {limit}'
    if name == "minLength":
        return (lambda value: len(value) >= limit), name, message
    return (lambda value: len(value) <= limit), name, message


def _bound_check(name: str, bound: Any) -> Callable[[Any], bool]:
    """Make the test against a bound. NaN is within no bound."""
    compare = _COMPARE[name]
    if isinstance(bound, Duration):
        lengths = elapsed(bound)
        return lambda value: all(map(compare, elapsed(value), lengths))
    if isinstance(bound, datetime):
        moment = instant(bound)
        return lambda value: compare(instant(value), moment)
    if isinstance(bound, time):
        distance = since_midnight(bound)
        return lambda value: compare(since_midnight(value), distance)
    if isinstance(bound, Decimal):
        return lambda value: not Decimal(value).is_nan() and compare(value, bound)
    return lambda value: bool(compare(value, bound))


def _enum_message(allowed: tuple[str, ...]) -> str:
    listed = ", ".join(map(shown, allowed[:_LISTED_VALUES]))
    more = len(allowed) - _LISTED_VALUES
    return f'constraint "enum" is {listed}' + (f" and {more} more" if more > 0 else "")


def _required(field: Field, text: str) -> Cell:
    return Cell(None, "null", (_broken(field, text, "required", _REQUIRED),))


def _type_error(field: Field, text: str) -> Cell:
    message = f"expected {expected(field)}"
    # Every text is a string, so the format alone can be wrong.
    rule = "format" if field.type == "string" else "type"
    return Cell(None, "null", (Fault(field.name, "type-error", rule, message, shown(text)),))


def _broken(field: Field, text: str, rule: str, message: str) -> Fault:
    return Fault(field.name, "constraint-error", rule, message, shown(text))


def _neutralised(field: Field, text: str) -> Cell:
    if field.type == "any" and _NUMBER(text) is not None:
        return Cell(text, encode_basestring(text), ())
    text = f"'{text}"
    return Cell(text, encode_basestring(text), ())


_NUMBER = number_reader(Field("", "", "number"))
_REQUIRED = 'constraint "required" is true'
_LISTED_VALUES = 10
"""Maximum number of an enum's values that a fault names; more would make it unreadable."""

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "minimum": operator.ge,
    "maximum": operator.le,
    "exclusiveMinimum": operator.gt,
    "exclusiveMaximum": operator.lt,
}

_EXPECTED = {
    ("string", "default"): "text",
    ("string", "email"): "an email address",
    ("string", "uri"): "a URI with its scheme, such as https://example.com/a",
    ("string", "binary"): "base64 text",
    ("string", "uuid"): "a UUID, 8-4-4-4-12 hexadecimal digits",
    ("number", "default"): "a number",
    ("integer", "default"): "an integer",
    ("date", "default"): "a date written as YYYY-MM-DD",
    ("date", "any"): "a date whose notation is unambiguous, such as 2024-01-31 or 31 Jan 2024",
    ("datetime", "default"): "a datetime written as YYYY-MM-DDThh:mm:ss",
    ("datetime", "any"): "a datetime whose notation is unambiguous, such as 2024-01-31 15:00",
    ("time", "default"): "a time written as hh:mm:ss",
    ("time", "any"): "a time such as 15:00 or 3:00 PM",
    ("year", "default"): "a year of four digits",
    ("yearmonth", "default"): "a month written as YYYY-MM",
    ("duration", "default"): "an ISO 8601 duration such as P1DT12H",
    ("object", "default"): "a JSON object",
    ("array", "default"): "a JSON array",
    ("geopoint", "default"): "a point written as longitude, latitude in degrees",
    ("geopoint", "array"): "a point written as [longitude, latitude] in degrees",
    ("geopoint", "object"): 'a point written as {"lon": longitude, "lat": latitude} in degrees',
    ("any", "default"): "any text",
}
