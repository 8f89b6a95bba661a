"""Decodes and encodes Thrift's compact protocol without knowing any schema, for tests.

A struct is a dict of its fields by number: (kind, value). A list is (kind of its items, items).
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, STRUCT = *range(1, 10), 12
Struct = dict[int, tuple[int, Any]]


def decode(data: bytes) -> Struct:
    """The struct that the bytes are, all of them."""
    source = BytesIO(data)
    found = read_struct(source)
    assert not source.read()
    return found


def encode(fields: Struct) -> bytes:
    """The bytes of a struct, with fields in the dict's order."""
    written, last = b"", 0
    for number, (kind, value) in fields.items():
        delta = number - last
        written += bytes([delta << 4 | kind]) if 0 < delta < 16 else bytes([kind]) + _signed(number)
        written += _encode(kind, value)
        last = number
    return written + b"\0"


def footer_of(file: bytes) -> Struct:
    """The decoded footer at the end of a Parquet file."""
    length = int.from_bytes(file[-8:-4], "little")
    return decode(file[-8 - length : -8])


def with_footer(file: bytes, footer: Struct) -> bytes:
    """A Parquet file whose footer is replaced."""
    length = int.from_bytes(file[-8:-4], "little")
    encoded = encode(footer)
    return file[: -8 - length] + encoded + len(encoded).to_bytes(4, "little") + b"PAR1"


def read_struct(source: BytesIO) -> Struct:
    """The struct that begins at the source's position."""
    found: Struct = {}
    number = 0
    while header := source.read(1)[0]:
        number = number + (header >> 4) if header >> 4 else _read_signed(source)
        kind = header & 15
        found[number] = (kind, _decode(kind, source))
    return found


def _decode(kind: int, source: BytesIO) -> Any:
    if kind in (TRUE, FALSE):
        return kind == TRUE
    if kind in (I16, I32, I64):
        return _read_signed(source)
    if kind == BYTE:
        return source.read(1)[0]
    if kind == BINARY:
        return source.read(_read_varint(source))
    if kind == STRUCT:
        return read_struct(source)
    assert kind == LIST
    header = source.read(1)[0]
    count, item_kind = header >> 4, header & 15
    if count == 15:
        count = _read_varint(source)
    kind_of_items = BYTE if item_kind in (TRUE, FALSE) else item_kind
    return item_kind, [_decode(kind_of_items, source) for _ in range(count)]


def _encode(kind: int, value: Any) -> bytes:
    if kind in (TRUE, FALSE):
        return b""
    if kind in (I16, I32, I64):
        return _signed(value)
    if kind == BYTE:
        return bytes([value])
    if kind == BINARY:
        return _varint(len(value)) + bytes(value)
    if kind == STRUCT:
        return encode(value)
    assert kind == LIST
    item_kind, items = value
    count = len(items)
    head = bytes([count << 4 | item_kind]) if count < 15 else bytes([0xF0 | item_kind])
    head += b"" if count < 15 else _varint(count)
    kind_of_items = BYTE if item_kind in (TRUE, FALSE) else item_kind
    return head + b"".join(_encode(kind_of_items, item) for item in items)


def _read_varint(source: BytesIO) -> int:
    value = shift = 0
    while True:
        byte = source.read(1)[0]
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value


def _read_signed(source: BytesIO) -> int:
    value = _read_varint(source)
    return value >> 1 ^ -(value & 1)


def _varint(value: int) -> bytes:
    written = b""
    while value > 127:
        written += bytes([value & 127 | 128])
        value >>= 7
    return written + bytes([value])


def _signed(value: int) -> bytes:
    return _varint(value << 1 if value >= 0 else -value * 2 - 1)
