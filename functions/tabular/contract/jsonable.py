"""Converts frozen dataclasses to JSON-able documents and back, for the values in contracts."""

from __future__ import annotations

import base64
import dataclasses
import functools
import types
import typing
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from tabular.values.dates import Duration, FineDatetime, FineTime, YearMonth

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


def _finer(kind: type[Any]) -> Callable[[list[str]], Any]:
    """Read a datetime or time to the microsecond, and its further digits."""

    def read(parts: list[str]) -> Any:
        value = kind.fromisoformat(parts[0])
        value.finer = parts[1]
        return value

    return read


_TAGGED: dict[str, tuple[type, Any, Any]] = {
    "bytes": (bytes, lambda value: base64.b64encode(value).decode(), base64.b64decode),
    "decimal": (Decimal, str, Decimal),
    "fine-datetime": (
        FineDatetime,
        lambda value: [datetime.isoformat(value), value.finer],
        _finer(FineDatetime),
    ),
    "fine-time": (FineTime, lambda value: [time.isoformat(value), value.finer], _finer(FineTime)),
    "datetime": (datetime, datetime.isoformat, datetime.fromisoformat),
    "date": (date, date.isoformat, date.fromisoformat),
    "time": (time, time.isoformat, time.fromisoformat),
    "yearmonth": (YearMonth, list, lambda parts: YearMonth(*parts)),
    "duration": (
        Duration,
        lambda value: [value.months, str(value.seconds)],
        lambda parts: Duration(parts[0], Decimal(parts[1])),
    ),
    "tuple": (tuple, lambda value: [_encode(item) for item in value], None),
    "object": (
        dict,
        lambda value: {key: _encode(item) for key, item in value.items()},
        lambda members: {key: _decode(item) for key, item in members.items()},
    ),
}
"""Tag -> type, how it is written, how it is read. Subclasses come before their classes."""


def to_document(instance: Any) -> dict[str, Any]:
    """Turn a frozen dataclass, with nested ones, into a JSON-able dict by field name.

    Values that are their field's default are left out: a contract of 50,000 fields is mostly those.
    """
    document = {}
    for field in _fields(typing.cast("Any", type(instance))):
        value = getattr(instance, field.name)
        default = field.default
        if value is not default and not (type(value) is type(default) and value == default):
            document[field.name] = _encode(value)
    return document


def from_document(kind: type[_T], document: dict[str, Any]) -> _T:
    """Make a dataclass from the document that `to_document` returned."""
    hints = _hints(typing.cast("Any", kind))
    return kind(**{name: _revive(hints[name], value) for name, value in document.items()})


def _encode(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_document(value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list):
        return [_encode(item) for item in value]
    for tag, (kind, write, _) in _TAGGED.items():
        if isinstance(value, kind):
            return {f"${tag}": write(value)}
    raise TypeError(f"{type(value).__name__} is not a value that documents can contain")


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if isinstance(value, dict):
        ((tag, content),) = value.items()
        if tag == "$tuple":
            return tuple(_decode(item) for item in content)
        return _TAGGED[tag[1:]][2](content)
    return value


def _revive(hint: Any, value: Any) -> Any:
    """Convert the dicts in a decoded value to the dataclasses that its type hint names."""
    kind = _dataclass_of(hint)
    if kind is None or value is None:
        return _decode(value)
    if isinstance(value, dict) and "$tuple" in value:
        return tuple(from_document(kind, item) for item in value["$tuple"])
    return from_document(kind, value)


@functools.cache
def _dataclass_of(hint: Any) -> type | None:
    """The dataclass in `X`, `X | None` and `tuple[X, ...]`."""
    if dataclasses.is_dataclass(hint):
        return typing.cast("type", hint)
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is not None:
        for argument in typing.get_args(hint):
            if dataclasses.is_dataclass(argument):
                return typing.cast("type", argument)
    return None


@functools.cache
def _fields(kind: Any) -> tuple[dataclasses.Field[Any], ...]:
    return tuple(field for field in dataclasses.fields(kind) if field.init)


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)
