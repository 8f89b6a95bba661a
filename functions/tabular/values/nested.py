"""Reads cells with a structure: JSON objects and arrays, geographic points (Table Schema v2)."""

from __future__ import annotations

import json
import re
from decimal import Decimal, DecimalException
from math import isinf
from typing import TYPE_CHECKING, Any, NoReturn

from tabular.values.numbers import whole_number

if TYPE_CHECKING:
    from collections.abc import Callable

_STRING_OR_SPACE = re.compile(r'("(?:[^"\\]|\\.)*")|[ \t\r\n]+')
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_MAX_DEPTH = 100
"""More deeply nested structures are refused; Python's own limit depends on the caller."""
_COORDINATE = re.compile(r"[+-]?(?:[0-9]{1,3}(?:\.[0-9]*)?|\.[0-9]+)")
_POINT_PARTS = 2
_MAX_LONGITUDE = 180
_MAX_LATITUDE = 90


def read_object(text: str) -> tuple[dict[str, Any], str] | None:
    """Read a JSON object; its JSON text is the cell's own without the white space between tokens.

    Numbers in the value are `int` or `Decimal`, so that no digit is lost.
    """
    value = _parse(text)
    return (value, _minified(text)) if isinstance(value, dict) else None


def read_array(text: str) -> tuple[list[Any], str] | None:
    """Read a JSON array, as `read_object` does an object."""
    value = _parse(text)
    return (value, _minified(text)) if isinstance(value, list) else None


def point_reader(form: str) -> Callable[[str], tuple[tuple[Decimal, Decimal], str] | None]:
    """Make the reader of a geopoint field of format `default`, `array` or `object`.

    The value is (longitude, latitude) in degrees. The default format `lon, lat` becomes a JSON
    array of two numbers; the others stay what they are.
    """
    return {"default": _read_pair, "array": _read_point_array, "object": _read_point_object}[form]


def _read_pair(text: str) -> tuple[tuple[Decimal, Decimal], str] | None:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != _POINT_PARTS or not all(_COORDINATE.fullmatch(part) for part in parts):
        return None
    longitude, latitude = Decimal(parts[0]), Decimal(parts[1])
    return _point(longitude, latitude, f"[{longitude:f},{latitude:f}]")


def _read_point_array(text: str) -> tuple[tuple[Decimal, Decimal], str] | None:
    value = _parse(text)
    if not isinstance(value, list) or len(value) != _POINT_PARTS:
        return None
    return _point(value[0], value[1], _minified(text))


def _read_point_object(text: str) -> tuple[tuple[Decimal, Decimal], str] | None:
    value = _parse(text)
    if not isinstance(value, dict) or value.keys() != {"lon", "lat"}:
        return None
    return _point(value["lon"], value["lat"], _minified(text))


def _point(longitude: Any, latitude: Any, text: str) -> tuple[tuple[Decimal, Decimal], str] | None:
    if type(longitude) not in (int, Decimal) or type(latitude) not in (int, Decimal):
        return None
    if abs(longitude) > _MAX_LONGITUDE or abs(latitude) > _MAX_LATITUDE:
        return None
    return (Decimal(longitude), Decimal(latitude)), text


def _parse(text: str) -> Any:
    """Parse JSON without its common extensions; None if it is not JSON, or nested too deeply."""
    if _is_too_deep(text):
        return None
    try:
        value = json.loads(
            text, parse_float=_finite, parse_int=whole_number, parse_constant=_refuse
        )
    except (ValueError, DecimalException, RecursionError):
        return None
    if _ESCAPED_SURROGATE.search(text) and not _is_unicode(value):
        return None
    return value


def _is_unicode(value: Any) -> bool:
    """Whether no text in the value has half a surrogate pair, which makes JSON readers fail."""
    match value:
        case str():
            return not any("\ud800" <= character <= "\udfff" for character in value)
        case list():
            return all(map(_is_unicode, value))
        case dict():
            return all(map(_is_unicode, (*value.keys(), *value.values())))
    return True


def _is_too_deep(text: str) -> bool:
    if text.count("[") + text.count("{") <= _MAX_DEPTH:
        return False
    depth = 0
    for character in _STRING.sub("", text):
        if character in "[{":
            depth += 1
            if depth > _MAX_DEPTH:
                return True
        elif character in "]}":
            depth -= 1
    return False


def _finite(text: str) -> Decimal:
    """Read a number with its digits; refuse a number that would be infinite as a double."""
    if isinf(float(text)):
        raise ValueError("beyond the range of doubles")
    return Decimal(text)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _minified(text: str) -> str:
    return _STRING_OR_SPACE.sub(r"\1", text)
