"""The texts of cast values: one for comparisons, one for descriptors."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any

from tabular.values.dates import (
    Duration,
    FineDatetime,
    FineTime,
    YearMonth,
    instant,
    since_midnight,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tabular.model import Field


def canonical(value: Any) -> str:
    """The text that two cast values of a field share if and only if they are the same value.

    Uniqueness and enum compare these texts: 1.50 and 1.5 are one number, 12:00Z and 13:00+01:00 one
    time, and two JSON objects that differ only in the order of their members one object.
    """
    return _CANONICAL.get(type(value), str)(value)


def physical(field: Field, value: Any) -> str:
    """A cast value, written like the field's cells, so that casting it gives the same value.

    JSON structures are written without insignificant white space, dates of format `any` in ISO
    8601, the items of a list in their default formats.
    """
    return _PHYSICAL[field.type](field, value)


def _canonical_number(value: int | Decimal) -> str:
    """Write a number without its trailing zeros. `Decimal.normalize` would round."""
    _, digits, exponent = Decimal(value).as_tuple()
    if not isinstance(exponent, int):
        return str(value)
    text = "".join(map(str, digits)).lstrip("0")
    kept = text.rstrip("0")
    if not kept:
        return "0"
    return f"{'-' if value < 0 else ''}{kept}e{exponent + len(text) - len(kept)}"


def _canonical_datetime(value: datetime) -> str:
    place, finer = instant(value)
    return f"{'' if value.tzinfo else 'local '}{place}{finer and '+'}{finer}"


def _canonical_time(value: time) -> str:
    place, finer = since_midnight(value)
    return f"{'' if value.tzinfo else 'local '}{place}{finer and '+'}{finer}"


def _canonical_duration(value: Duration) -> str:
    return f"{value.months} months {_canonical_number(value.seconds)} seconds"


def _canonical_json(value: Any) -> str:
    return _JSON.get(type(value), canonical)(value)


def _json_object(value: dict[str, Any]) -> str:
    members = sorted((encode_basestring(key), item) for key, item in value.items())
    return "{" + ",".join(f"{key}:{_canonical_json(item)}" for key, item in members) + "}"


def _json_array(value: list[Any] | tuple[Any, ...]) -> str:
    return "[" + ",".join(map(_canonical_json, value)) + "]"


def _json_word(value: bool | None) -> str:
    return {True: "true", False: "false", None: "null"}[value]


_JSON: dict[type, Callable[[Any], str]] = {
    str: encode_basestring,
    bool: _json_word,
    type(None): _json_word,
}
_CANONICAL: dict[type, Callable[[Any], str]] = {
    int: _canonical_number,
    Decimal: _canonical_number,
    datetime: _canonical_datetime,
    FineDatetime: _canonical_datetime,
    time: _canonical_time,
    FineTime: _canonical_time,
    Duration: _canonical_duration,
    dict: _json_object,
    list: _json_array,
    tuple: _json_array,
}


def _physical_text(_: Field, value: str) -> str:
    return value


def _physical_number(field: Field, value: int | Decimal) -> str:
    if isinstance(value, Decimal) and not value.is_finite():
        return str(value).replace("Infinity", "INF")
    return str(value).replace(".", field.decimal_char)


def _physical_integer(_: Field, value: int | Decimal) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _physical_boolean(field: Field, value: bool) -> str:
    return (field.true_values if value else field.false_values)[0]


def _physical_time(field: Field, value: date | time) -> str:
    if field.format in ("default", "any"):
        return value.isoformat()
    # glibc writes years below 1000 without zeros, and a zone's name only where there is a zone.
    pattern = field.format.replace("%Z", "UTC")
    if isinstance(value, date):
        pattern = pattern.replace("%Y", f"{value.year:04}")
    return value.strftime(pattern)


def _physical_year(_: Field, value: int) -> str:
    return f"{'-' if value < 0 else ''}{abs(value):04}"


def _physical_yearmonth(field: Field, value: YearMonth) -> str:
    return f"{_physical_year(field, value.year)}-{value.month:02}"


def _physical_duration(_: Field, value: Duration) -> str:
    """Write a duration as people do: P1DT12H, not PT129600.0S."""
    years, months = divmod(abs(value.months), 12)
    # Split as text: arithmetic on Decimal would round to 28 digits.
    whole, _point, fraction = f"{value.seconds.copy_abs():f}".partition(".")
    minutes, seconds = divmod(int(whole), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    fraction = fraction.rstrip("0")
    second = f"{seconds}.{fraction}" if fraction else f"{seconds or ''}"
    day = _with_units({"Y": years, "M": months, "D": days})
    clock = _with_units({"H": hours, "M": minutes, "S": second})
    sign = "-" if value.months < 0 or value.seconds < 0 else ""
    return f"{sign}P{day}{clock and 'T'}{clock}" if day or clock else "PT0S"


def _with_units(amounts: Mapping[str, int | str]) -> str:
    return "".join(f"{amount}{unit}" for unit, amount in amounts.items() if amount)


def _physical_json(_: Field, value: Any) -> str:
    return _physical_json_value(value)


def _physical_json_value(value: Any) -> str:
    """Write JSON with the numbers as they are: `_canonical_json` writes 100 as 1e2."""
    match value:
        case dict():
            members = (
                f"{encode_basestring(k)}:{_physical_json_value(v)}" for k, v in value.items()
            )
            return "{" + ",".join(members) + "}"
        case list():
            return "[" + ",".join(map(_physical_json_value, value)) + "]"
        case bool() | None | str():
            return _canonical_json(value)
    return str(value)


def _physical_list(field: Field, value: list[Any]) -> str:
    return field.list_delimiter.join(map(_physical_item, value))


def _physical_item(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case Decimal():
            return str(value).replace("Infinity", "INF")
        case date() | time():
            return value.isoformat()
    return str(value)


def _physical_point(field: Field, value: tuple[Decimal, Decimal]) -> str:
    forms = {"default": "{:f},{:f}", "array": "[{:f},{:f}]", "object": '{{"lon":{:f},"lat":{:f}}}'}
    return forms[field.format].format(*value)


_PHYSICAL: dict[str, Callable[[Field, Any], str]] = {
    "string": _physical_text,
    "any": _physical_text,
    "number": _physical_number,
    "integer": _physical_integer,
    "boolean": _physical_boolean,
    "date": _physical_time,
    "datetime": _physical_time,
    "time": _physical_time,
    "year": _physical_year,
    "yearmonth": _physical_yearmonth,
    "duration": _physical_duration,
    "object": _physical_json,
    "array": _physical_json,
    "list": _physical_list,
    "geopoint": _physical_point,
}
