"""Finds texts that are certainly faulty in a field, a whole column at a time.

`cells` is the reference. It takes some microseconds per text, which is too slow if every cell of a
large file is wrong. Here texts are sorted into classes. All texts of a class have the same faults,
so `cells` reads only one of them. Texts in no class are read by `cells` one by one.

Example: for an integer field with `minimum` 10 and `maximum` 90, the texts `x` and `?` are in the
class of texts that are not integers, `9` and `3` in the class of those below the minimum. `cells`
reads `x` and `9`; `?` and `3` get the same faults, with their own values. `007` is in no class.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl

from tabular.model import Constraints
from tabular.values.patterns import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Callable

    from tabular.model import Field

_SPACE = r"[\s\x1c-\x1f]*"
"""What `str.strip` removes."""
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = (
    r"(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?|24:00:00(?:\.0+)?)"
    r"(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)?"
)
_YEAR = "-?(?:[0-9]{4}|[1-9][0-9]{4,8})"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u{a1}-\u{10ffff}-]+"
_LETTER = r"A-Za-z0-9\u{a1}-\u{10ffff}"
_NECESSARY = {
    ("date", "default"): f"^{_DAY}$",
    ("datetime", "default"): f"^{_DAY}T{_CLOCK}$",
    ("time", "default"): f"^{_CLOCK}$",
    ("year", "default"): f"^{_YEAR}$",
    ("yearmonth", "default"): f"^{_YEAR}-(?:0[1-9]|1[0-2])$",
    ("duration", "default"): "^-?P",
    ("string", "email"): (
        rf"^{_ATOM}(?:\.{_ATOM})*@(?:[{_LETTER}](?:[{_LETTER}-]*[{_LETTER}])?\.)+"
        rf"[{_LETTER}][{_LETTER}-]*[A-Za-z\u{{a1}}-\u{{10ffff}}]$"
    ),
    ("string", "uri"): ":",
    ("string", "uuid"): "^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    ("object", "default"): r"^\s*\{",
    ("array", "default"): r"^\s*\[",
}
"""Patterns that every text of the type matches; a text that does not match is not of the type."""
_NUMERALS = {
    # Texts in upper case are compared with NAN and INF, and that of a dotless i is I.
    "number": (
        rf"^{_SPACE}(?:[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?0*[0-9]{{1,4}})?"
        rf"|[nN][aA][nN]|-?[iI\u{{131}}][nN][fF]){_SPACE}$"
    ),
    "integer": rf"^{_SPACE}[+-]?[0-9]+{_SPACE}$",
}
"""The same for types of numbers, in their default notation."""
_TYPE, REQUIRED = 1, 2
_FIRST_RULE = 4
_EXACT = 2**53
_ISO_DATE = len("2024-01-31")
_PYTHON_SPACE = "[\x1c-\x1f]"
"""Characters that `str.strip` removes and Polars does not."""


class Classes:
    """The classes of faulty texts of one field."""

    def __init__(self, field: Field, is_of_type: pl.Expr | None) -> None:
        """`is_of_type` is true for texts (column `text`) that certainly have the field's type."""
        self._field = field
        self._expression = _classes(field, is_of_type)

    def of(self, texts: pl.Series) -> pl.Series | None:
        """The class of each text (UInt32), null if it is in none; None if all are null.

        `texts` (String) have been trimmed if the field says so.
        """
        if self._expression is None:
            return None
        found = texts.to_frame("text").select(self._expression).to_series()
        return None if found.null_count() == len(found) else found


def _classes(field: Field, is_of_type: pl.Expr | None) -> pl.Expr | None:
    text = pl.col("text")
    missing = (
        text.is_in(list(field.missing_values)) if field.missing_values else pl.lit(value=False)
    )
    wrong = _wrong_type(field, text)
    broken = _broken_rules(field, text, is_of_type)
    required = field.constraints.required and bool(field.missing_values)
    if wrong is None and broken is None and not required:
        return None
    null = pl.lit(None, dtype=pl.UInt32)
    found = null if broken is None else pl.when(broken > 0).then(broken).otherwise(null)
    if wrong is not None:
        found = pl.when(wrong).then(pl.lit(_TYPE, dtype=pl.UInt32)).otherwise(found)
    of_missing = pl.lit(REQUIRED, dtype=pl.UInt32) if required else null
    found = pl.when(missing).then(of_missing).otherwise(found)
    if field.trim:
        found = pl.when(text.str.contains(_PYTHON_SPACE)).then(null).otherwise(found)
    return found


def _wrong_type(field: Field, text: pl.Expr) -> pl.Expr | None:
    """Whether a text is certainly not of the field's type; None if that can't be decided here."""
    necessary = _NECESSARY.get((field.type, field.format))
    if necessary is not None:
        wrong = ~text.str.contains(necessary)
        return wrong | _no_such_day(text) if field.type in ("date", "datetime") else wrong
    if field.type == "boolean":
        return ~text.is_in([*field.true_values, *field.false_values])
    numeral = _NUMERALS.get(field.type)
    if numeral is None or not field.bare_number or field.group_char or field.decimal_char != ".":
        return None
    wrong = ~text.str.contains(numeral)
    if field.type == "integer":
        return wrong
    # A number that no double can represent; INF itself is one that it can.
    infinite = text.cast(pl.Float64, strict=False).is_infinite() & text.str.contains("[0-9]")
    return wrong | infinite.fill_null(value=False)


def _no_such_day(text: pl.Expr) -> pl.Expr:
    """Whether a text that begins like a date names a day that does not exist."""
    return text.str.slice(0, _ISO_DATE).str.to_date("%Y-%m-%d", strict=False).is_null()


def _broken_rules(field: Field, text: pl.Expr, is_of_type: pl.Expr | None) -> pl.Expr | None:
    """Which constraints a text certainly breaks, as one bit each; null if `cells` has to decide.

    Returns None if `cells` always has to, as with a constraint that is not known here.
    """
    rules = field.constraints
    names = [
        rule.name
        for rule in fields(Constraints)
        if rule.name not in ("required", "unique") and getattr(rules, rule.name) is not None
    ]
    is_text = field.type in ("string", "any")
    if is_text and field.format == "default":
        is_of_type = pl.lit(value=True)
    if not names or is_of_type is None:
        return None
    bits: pl.Expr = pl.lit(0, dtype=pl.UInt32)
    for number, name in enumerate(names):
        bound = getattr(rules, name)
        # The text of a date that is certainly one is that of the value, too.
        is_plain = is_text or (field.type == "date" and name == "enum")
        test = _TEXT_TESTS.get(name) if is_plain else None
        is_broken = test(text, bound) if test else _beyond(field, text, name, bound)
        if is_broken is None:
            return None
        bit = pl.lit(_FIRST_RULE << number, dtype=pl.UInt32)
        bits += pl.when(is_broken).then(bit).when(~is_broken).then(pl.lit(0, dtype=pl.UInt32))
    return pl.when(is_of_type).then(bits)


def _beyond(field: Field, text: pl.Expr, name: str, bound: Any) -> pl.Expr | None:
    """Whether a text of the type is beyond a bound; null if a double can't decide that."""
    is_minimum, exclusive = name.endswith("minimum"), name.startswith("exclusive")
    if name not in _BOUNDS or field.format != "default":
        return None
    if field.type == "date" and isinstance(bound, date) and not isinstance(bound, datetime):
        return _compared(text, bound.isoformat(), is_minimum, exclusive)
    if field.type in ("integer", "year") and isinstance(bound, int) and abs(bound) < _EXACT:
        return _compared(text.cast(pl.Int64, strict=False), bound, is_minimum, exclusive)
    if field.type == "number" and isinstance(bound, int | Decimal):
        # Rounding to doubles keeps the order, so what is equal as double may be on either side.
        value, limit = text.cast(pl.Float64, strict=False), float(bound)
        beyond = _compared(value, limit, is_minimum, exclusive=False)
        return pl.when(value != limit).then(beyond)
    return None


def _compared(value: pl.Expr, limit: float | str, is_minimum: bool, exclusive: bool) -> pl.Expr:
    """Whether a value is on the wrong side of a limit."""
    if exclusive:
        return value <= limit if is_minimum else value >= limit
    return value < limit if is_minimum else value > limit


_BOUNDS = ("minimum", "maximum", "exclusive_minimum", "exclusive_maximum")
_TEXT_TESTS: dict[str, Callable[[pl.Expr, Any], pl.Expr]] = {
    "min_length": lambda text, limit: text.str.len_chars() < limit,
    "max_length": lambda text, limit: text.str.len_chars() > limit,
    "pattern": lambda text, pattern: ~text.str.contains(compile_pattern(pattern).expression),
    "enum": lambda text, allowed: ~text.is_in([str(value) for value in allowed]),
}
