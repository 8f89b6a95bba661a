"""Bytes are cut into parts of one size, whatever the size of the pieces in which they come."""

from __future__ import annotations

import pytest

from shared.part_buffer import PartBuffer

CONTENT = bytes(range(256)) * 4


@pytest.mark.parametrize("piece", [1, 7, 100, 101, 250, 1024])
@pytest.mark.parametrize("kind", [bytes, memoryview])
def test_pieces_of_any_size_give_the_same_parts(piece: int, kind: type) -> None:
    buffer = PartBuffer(100)
    parts: list[bytes] = []
    for start in range(0, len(CONTENT), piece):
        parts += buffer.add(kind(CONTENT[start : start + piece]))
    assert [len(part) for part in parts] == [100] * 10
    assert b"".join(parts) + buffer.rest() == CONTENT


def test_a_part_does_not_change_when_more_is_added() -> None:
    buffer = PartBuffer(4)
    [first] = buffer.add(b"abcd")
    [second] = buffer.add(b"efgh")
    assert (first, second, buffer.rest()) == (b"abcd", b"efgh", b"")
