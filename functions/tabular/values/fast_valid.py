"""Finds texts that are certainly valid in a field, a whole column at a time.

`cells` is the reference. A condition here may only accept a text that `cells` accepts and whose
value's plain text is the text itself. Every text that it does not accept is read by `cells`, so a
condition that is too strict costs only time.

Example: for an integer field with `minimum` 10, `12` is certainly valid. `012` and `+12` are valid
too, but are not written like their value. So they are left to `cells`, which reads them as 12.
"""

from __future__ import annotations

import dataclasses
import re
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl

from tabular.model import is_numeric
from tabular.values.cells import FORMULA_STARTS
from tabular.values.json_texts import ESCAPED
from tabular.values.patterns import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tabular.model import Constraints, Field

    Sufficient = Callable[[pl.Expr, Field, Any], list[pl.Expr] | None]

_FAST_INTEGER_DIGITS = 18  # fits 64 bits
_FAST_NUMBER_LENGTH = 250  # without exponent: certainly finite as a double
_EXACT = 2**62

_DAY = (
    r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_DATE = rf"(?:[1-9][0-9]{{3}}|0[1-9][0-9]{{2}}|00[1-9][0-9]|000[1-9])-{_DAY}"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
_ZONE = r"(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9])?"
_PATTERNS = {
    ("number", "default"): r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$",
    ("integer", "default"): rf"^(?:0|-?[1-9][0-9]{{0,{_FAST_INTEGER_DIGITS - 1}}})$",
    ("date", "default"): f"^{_DATE}$",
    # The first and last years are left to `cells`: a zone could carry them out of range.
    ("datetime", "default"): rf"^[1-8][0-9]{{3}}-{_DAY}T{_CLOCK}{_ZONE}$",
    ("time", "default"): f"^{_CLOCK}$",
    ("yearmonth", "default"): r"^[1-9][0-9]{3}-(?:0[1-9]|1[0-2])$",
    ("year", "default"): r"^[1-9][0-9]{3}$",
    ("string", "email"): (
        r"^[A-Za-z0-9_%+-]+(?:\.[A-Za-z0-9_%+-]+)*@"
        r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,20}$"
    ),
    ("string", "uuid"): r"^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    ("string", "uri"): (
        r"^[A-Za-z][A-Za-z0-9+.-]*://[A-Za-z0-9._~-]*(?::[0-9]*)?(?:/[A-Za-z0-9._~!$&'()*+,;=:@/-]*)?"
        r"(?:\?[A-Za-z0-9._~!$&'()*+,;=:@/?-]*)?(?:#[A-Za-z0-9._~!$&'()*+,;=:@/?-]*)?$"
    ),
    ("string", "default"): None,
    ("any", "default"): None,
}
"""Patterns (Rust's regex crate, ASCII only) of texts that are certainly of a type; None: all."""
_FAST_EMAIL_LENGTH = 63  # then no part of it can be too long

_KNOWN_PROPERTIES = frozenset(
    {
        "name",
        "output_name",
        "aliases",
        "type",
        "format",
        "missing_values",
        "trim",
        "decimal_char",
        "group_char",
        "bare_number",  # what matches the pattern of numbers has nothing around it
        "true_values",  # booleans and lists always take the slow path
        "false_values",
        "list_delimiter",
        "list_item_type",
        "time_zone",  # which values have one matters to Parquet alone
        "constraints",
    }
)
"""The properties of `Field` that the conditions take into account. If a field has any other one,
`cells` reads all its cells."""


def is_known(field: Field) -> bool:
    """Whether the conditions here know every property and constraint that the field has."""
    properties = {attribute.name for attribute in dataclasses.fields(field)}
    constraints = {name for name, _ in _in_force(field.constraints)}
    return properties <= _KNOWN_PROPERTIES and constraints <= _SUFFICIENT.keys()


def is_escape_free(field: Field) -> bool:
    """Whether no text that is certainly valid has quotes, backslashes or control characters."""
    rules = field.constraints
    if rules.enum is not None:
        return not any(ESCAPED.search(str(value)) for value in rules.enum)
    if rules.pattern is not None and compile_pattern(rules.pattern).escape_free:
        return True
    return bool(_PATTERNS.get((field.type, field.format)))


def of_type(field: Field) -> pl.Expr | None:
    """A condition on the column `text` for texts that are certainly of the type, or None.

    It is also None for types of which every text is one.
    """
    pattern = _PATTERNS.get((field.type, field.format))
    if pattern is None or field.decimal_char != "." or field.group_char:
        return None
    text = pl.col("text")
    longest = _FAST_EMAIL_LENGTH if field.format == "email" else _FAST_NUMBER_LENGTH
    return text.str.contains(pattern) & (text.str.len_bytes() <= longest)


def conditions(field: Field, *, neutralise_formulas: bool) -> list[pl.Expr] | None:
    """Conditions on the column `text` that together are sufficient; None: use `cells` only."""
    pattern = _PATTERNS.get((field.type, field.format), "")
    if (
        not is_known(field)
        or pattern == ""
        or (is_numeric(field.type) and (field.decimal_char != "." or field.group_char))
    ):
        return None
    text = pl.col("text")
    rules = [] if pattern is None else [text.str.contains(pattern)]
    if field.type == "number":
        rules.append(text.str.len_bytes() <= _FAST_NUMBER_LENGTH)
    if field.format == "email":
        rules.append(text.str.len_bytes() <= _FAST_EMAIL_LENGTH)
    missing = field.missing_values
    if missing and field.constraints.required:
        rules.append(text != missing[0] if len(missing) == 1 else ~text.is_in(list(missing)))
    if field.type in ("string", "any"):
        if field.trim:
            # White space to Python's `strip` alone.
            rules.append(~text.str.contains("[\x1c-\x1f]"))
        if neutralise_formulas:
            rules.append(~text.str.contains(f"^[{re.escape(''.join(FORMULA_STARTS))}]"))
    constraints = _constraint_conditions(field, text)
    return None if constraints is None else rules + constraints


def _constraint_conditions(field: Field, text: pl.Expr) -> list[pl.Expr] | None:
    conditions: list[pl.Expr] = []
    for name, value in _in_force(field.constraints):
        sufficient = _SUFFICIENT[name](text, field, value)
        if sufficient is None:
            return None
        conditions += sufficient
    return conditions


def _in_force(rules: Constraints) -> Iterator[tuple[str, Any]]:
    """The constraints that differ from their defaults, which mean that there is no constraint."""
    for attribute in dataclasses.fields(rules):
        value = getattr(rules, attribute.name)
        if value != attribute.default:
            yield attribute.name, value


def _nothing_more(_text: pl.Expr, _field: Field, _value: Any) -> list[pl.Expr]:
    return []


def _min_length(text: pl.Expr, field: Field, limit: int) -> list[pl.Expr] | None:
    return [text.str.len_chars() >= limit] if field.type in _PLAIN_TEXTS else None


def _max_length(text: pl.Expr, field: Field, limit: int) -> list[pl.Expr] | None:
    return [text.str.len_chars() <= limit] if field.type in _PLAIN_TEXTS else None


def _pattern(text: pl.Expr, field: Field, pattern: str) -> list[pl.Expr] | None:
    if field.type not in _PLAIN_TEXTS:
        return None
    return [text.str.contains(compile_pattern(pattern).expression)]


def _enum(text: pl.Expr, field: Field, allowed: tuple[Any, ...]) -> list[pl.Expr] | None:
    if field.type not in (*_PLAIN_TEXTS, "date"):
        return None
    return [text.is_in([str(value) for value in allowed])]


def _bound(name: str) -> Sufficient:
    """Make the conditions for being within the bound that `name` says."""

    def within(text: pl.Expr, field: Field, bound: Any) -> list[pl.Expr] | None:
        condition = _within(text, field.type, name, bound)
        return None if condition is None else [condition]

    return within


_PLAIN_TEXTS = ("string", "any")
"""Types whose value is the text itself."""

_SUFFICIENT: dict[str, Sufficient] = {
    "required": _nothing_more,  # it concerns missing values alone: see `_rules` and `_null`
    "unique": _nothing_more,  # it is checked where all records are known
    "min_length": _min_length,
    "max_length": _max_length,
    "pattern": _pattern,
    "enum": _enum,
    "minimum": _bound("minimum"),
    "maximum": _bound("maximum"),
    "exclusive_minimum": _bound("exclusive_minimum"),
    "exclusive_maximum": _bound("exclusive_maximum"),
}
"""For each constraint the conditions that together suffice; None if `cells` must read all cells of
the field, as it does if a constraint that is not here applies."""


def _within(text: pl.Expr, kind: str, name: str, bound: Any) -> pl.Expr | None:
    """A condition that is sufficient for being within a bound; None if there is none.

    Rounding to doubles keeps the order, so a double strictly beyond the bound's double comes from
    a number strictly beyond the bound. A number next to it, or equal to it, is left to `cells`.
    """
    is_minimum, exclusive = name.endswith("minimum"), name.startswith("exclusive")
    if kind in ("number", "integer") and name == "minimum" and bound == 0:
        return ~text.str.starts_with("-")  # the most common bound needs no cast
    if kind in ("integer", "year") and isinstance(bound, int) and abs(bound) < _EXACT:
        return _compared(text.cast(pl.Int64, strict=False), bound, is_minimum, exclusive)
    if kind == "date" and isinstance(bound, date) and not isinstance(bound, datetime):
        # ISO 8601 dates of four-digit years sort as texts do.
        return _compared(text, bound.isoformat(), is_minimum, exclusive)
    if kind in ("number", "integer", "year") and isinstance(bound, int | Decimal):
        return _compared(text.cast(pl.Float64, strict=False), float(bound), is_minimum, True)
    return None


def _compared(value: pl.Expr, limit: float | str, is_minimum: bool, exclusive: bool) -> pl.Expr:
    if exclusive:
        return value > limit if is_minimum else value < limit
    return value >= limit if is_minimum else value <= limit
