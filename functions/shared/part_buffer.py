"""Cuts a stream of bytes into parts of one size, as multipart uploads need them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class PartBuffer:
    """Collects bytes until they are a part; its memory is that of one part, and is used again.

    Each byte is copied twice: into the buffer, and into the part.
    """

    def __init__(self, part_bytes: int) -> None:
        self._part_bytes = part_bytes
        self._buffer = bytearray()
        self._used = 0

    def add(self, data: bytes | memoryview) -> Iterator[bytes]:
        """Take bytes, and give each part of `part_bytes` as soon as it is complete.

        The iterator must be exhausted: what follows the last part is taken at its end.
        """
        view = memoryview(data)
        while len(view) >= (room := self._part_bytes - self._used):
            self._append(view[:room])
            self._used, view = 0, view[room:]
            yield bytes(self._buffer)
        self._append(view)

    def rest(self) -> bytes:
        """The bytes after the last complete part; there may be none."""
        return bytes(memoryview(self._buffer)[: self._used])

    def _append(self, view: memoryview) -> None:
        # The buffer grows until it has had its first part: most objects are smaller.
        end = self._used + len(view)
        if len(self._buffer) < self._part_bytes:
            self._buffer += view
        else:
            memoryview(self._buffer)[self._used : end] = view
        self._used = end
