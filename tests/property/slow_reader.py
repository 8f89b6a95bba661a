"""An independent, slow reading of CSV text, character by character, to compare the engine with.

It shares no code and no idea with the engine: a state machine over one character at a time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

LIMIT = 4 * 1024 * 1024


class SlowRecord(NamedTuple):
    line: int
    offset: int
    raw: bytes  # without the line end
    line_end: bytes
    cells: list[bytes] | None  # None: malformed


def read_slowly(
    data: bytes, delimiter: bytes = b",", quote: bytes | None = b'"'
) -> list[SlowRecord]:
    """All records of bytes in which delimiter, quote and line ends are single bytes."""
    records = []
    position, line = 0, 1
    while position < len(data):
        parsed = _well_formed(data, position, delimiter, quote)
        if parsed is None:
            content_end, end = _physical_line(data, position)
            cells = None
        else:
            cells, content_end, end = parsed
        raw = data[position:content_end]
        records.append(SlowRecord(line, position, raw, data[content_end:end], cells))
        line += _count_line_ends(data[position:end])
        position = end
    return records


def _well_formed(data: bytes, position: int, delimiter: bytes, quote: bytes | None) -> Any:
    """The cells, where they end and where the record ends; None if it is malformed."""
    start = position
    cells = []
    while True:
        quoted = bool(quote) and data[position : position + 1] == quote
        read = _quoted_cell if quoted else _bare_cell
        found = read(data, position, delimiter, quote)
        if found is None:
            return None
        cell, position = found
        cells.append(cell)
        char = data[position : position + 1]
        if char != delimiter:
            end = position + (2 if data[position : position + 2] == b"\r\n" else len(char))
            return None if end - start > LIMIT else (cells, position, end)
        position += 1


def _quoted_cell(data: bytes, position: int, delimiter: bytes, quote: bytes | None) -> Any:
    cell = bytearray()
    position += 1
    while (char := data[position : position + 1]) != b"":
        after = data[position + 1 : position + 2]
        if char != quote:
            cell += char
            position += 1
        elif after == quote:
            cell += quote
            position += 2
        else:
            ended = after in (delimiter, b"\n", b"\r", b"")
            return (bytes(cell), position + 1) if ended else None
    return None


def _bare_cell(data: bytes, position: int, delimiter: bytes, quote: bytes | None) -> Any:
    start = position
    while data[position : position + 1] not in (delimiter, b"\n", b"\r", b""):
        if quote and data[position : position + 1] == quote:
            return None
        position += 1
    return data[start:position], position


def _physical_line(data: bytes, position: int) -> Any:
    end = position
    while end < len(data) and data[end : end + 1] not in (b"\n", b"\r"):
        end += 1
    return end, end + (2 if data[end : end + 2] == b"\r\n" else len(data[end : end + 1]))


def _count_line_ends(data: bytes) -> Any:
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n")
