"""Where this pipeline and frictionless-py 5.21 judge a cell differently, on purpose.

`docs/contracts.md` gives the reason of each by name. A difference that is not here is a fault.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tabular.model import Field

_SPACE = " \t\r\n\x0b\x0c\x1c-\x1f\x85\xa0"


@dataclass(frozen=True)
class KnownDifference:
    """`ours` is what this pipeline does with a cell that frictionless treats the other way."""

    name: str
    ours: str
    applies: Callable[[Field, str], bool]


def _matches(kinds: tuple[str, ...], pattern: str) -> Callable[[Field, str], bool]:
    return lambda field, text: field.type in kinds and bool(re.search(pattern, text))


def _not_written_as(kinds: tuple[str, ...], pattern: str) -> Callable[[Field, str], bool]:
    return lambda field, text: (
        field.type in kinds and field.format == "default" and not re.fullmatch(pattern, text)
    )


def _format(kind: str, name: str) -> Callable[[Field, str], bool]:
    return lambda field, _: (field.type, field.format) == (kind, name)


def _loose(pattern: str) -> Callable[[Field, str], bool]:
    return lambda field, text: not field.bare_number and bool(re.search(pattern, text))


def _wrongly_grouped(field: Field, text: str) -> bool:
    if not field.group_char or field.group_char not in text:
        return False
    group, point = re.escape(field.group_char), re.escape(field.decimal_char)
    well = rf"(?<![0-9{group}])[0-9]{{1,3}}({group}[0-9]{{2,3}})*{group}[0-9]{{3}}(?![0-9{group}])"
    in_fraction = rf"({point}|[eE])[0-9]*{group}"
    return field.group_char in re.sub(well, "", text) or bool(re.search(in_fraction, text))


_NUMERIC = ("number", "integer", "list", "geopoint", "year", "yearmonth")
_CLOCK = r"[0-9][0-9]:[0-9][0-9]:[0-9][0-9](\.[0-9]+)?(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)?"

DIFFERENCES = (
    KnownDifference(
        "python-numerals",
        "refuses",
        _matches(_NUMERIC, r"(?i)_|[^\x00-\x7f]|inf(inity)?|nan"),
    ),
    KnownDifference(
        "double-range",
        "refuses",
        _matches(("number", "list"), r"[eE]\+?[0-9]*[1-9][0-9][0-9]|[eE]-?[0-9]{5}|[0-9]{308}"),
    ),
    KnownDifference("group-position", "refuses", _wrongly_grouped),
    KnownDifference(
        "sign-of-bare-number",
        "refuses",
        _loose(r"[0-9].*-|\(.*[0-9].*\)|[+-].*[+-]|[^0-9\s]\s*[+-][^0-9]+[0-9]"),
    ),
    KnownDifference("sign-of-bare-number", "accepts", _loose(r"^\s*[+-][^0-9]*[0-9]")),
    KnownDifference("fraction-of-bare-number", "refuses", _loose(r"[.,][+-]?[0-9]|[0-9]_")),
    KnownDifference("fraction-of-bare-number", "accepts", _loose(r"[.,][0-9]")),
    KnownDifference("fraction-of-bare-number", "reads another value", _loose(r"[.,][0-9]")),
    KnownDifference(
        "special-bare-number", "accepts", _loose(rf"(?i)^[{_SPACE}]*(nan|-?inf)[{_SPACE}]*$")
    ),
    KnownDifference(
        "integer-groups",
        "accepts",
        lambda field, _: field.type == "integer" and bool(field.group_char),
    ),
    KnownDifference(
        "date-digits",
        "refuses",
        _not_written_as(("date", "list"), r"[0-9]{4}-[0-9][0-9]-[0-9][0-9]"),
    ),
    KnownDifference("any-date", "refuses", _format("date", "any")),
    KnownDifference("any-date", "refuses", _format("datetime", "any")),
    KnownDifference("any-date", "refuses", _format("time", "any")),
    KnownDifference(
        "any-date",
        "accepts",
        lambda field, text: field.format == "any" and bool(re.search(r"24:00:00|\s", text)),
    ),
    KnownDifference(
        "zones-in-bounds", "compares", lambda field, _: field.type in ("time", "datetime")
    ),
    KnownDifference(
        "datetime-notation",
        "refuses",
        _not_written_as(("datetime",), rf"[0-9]{{4}}-[0-9][0-9]-[0-9][0-9]T{_CLOCK}"),
    ),
    KnownDifference("time-notation", "refuses", _not_written_as(("time",), _CLOCK)),
    KnownDifference("year-range", "accepts", _matches(("year",), r"^-?[0-9]{4,9}$")),
    KnownDifference("year-notation", "refuses", _not_written_as(("year",), r"[0-9]{4}")),
    KnownDifference(
        "yearmonth-notation", "refuses", _not_written_as(("yearmonth",), r"[0-9]{4}-[0-9][0-9]")
    ),
    KnownDifference(
        "year-range", "accepts", _matches(("yearmonth",), r"^-?[0-9]{4,9}-[0-9][0-9]$")
    ),
    KnownDifference(
        "duration-notation",
        "refuses",
        _not_written_as(
            ("duration",),
            r"-?P(?=.)([0-9]+W|([0-9]+Y)?([0-9]+M)?([0-9]+D)?(T(?=.)([0-9]+H)?([0-9]+M)?([0-9]+(\.[0-9]+)?S)?)?)",
        ),
    ),
    KnownDifference("double-range", "refuses", _matches(("object", "array"), r"[eE]\+?[0-9]{3}")),
    KnownDifference(
        "json-digits",
        "reads another value",
        _matches(("object", "array", "geopoint"), r"[0-9.eE]{2}"),
    ),
    KnownDifference(
        "json-extensions", "refuses", _matches(("object", "array", "geopoint"), r"NaN|Inf")
    ),
    KnownDifference(
        "point-numbers", "refuses", _matches(("geopoint",), r'"|_|[eE]|[0-9]{4}|0[0-9]|^[^,]*\.?$')
    ),
    KnownDifference("email", "refuses", _format("string", "email")),
    KnownDifference("email", "accepts", _format("string", "email")),
    KnownDifference("uri", "refuses", _format("string", "uri")),
    KnownDifference("binary", "refuses", _format("string", "binary")),
    KnownDifference("uuid", "refuses", _format("string", "uuid")),
)


def explained(field: Field, text: str, ours: str) -> bool:
    """Whether one of the differences explains a different verdict."""
    return any(
        difference.ours == ours and difference.applies(field, text) for difference in DIFFERENCES
    )
