"""How processes share one file: the job, two kinds of token, and the pipes they go through."""

from __future__ import annotations

import os
import select
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tabular.reading.blocks import BLOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tabular.reading.layout import Layout

_LOOK_AROUND_SECONDS = 0.5
"""So often a process that waits for another one looks whether that is still there."""


@dataclass(frozen=True)
class Job:
    """What to do with which file; outputs that are None are not made."""

    path: str
    layout: Layout
    file_id: str
    processed_at: str
    processed: str | None
    rejected: str | None
    rejected_csv: str | None
    block_bytes: int = BLOCK_BYTES


class ReadToken(NamedTuple):
    """Where the next block begins; block -1: there is none."""

    block: int
    offset: int
    line: int
    row: int


class WriteToken(NamedTuple):
    """Where the outputs of a block begin."""

    block: int
    processed: int
    rejected: int
    rejected_csv: int


_TOKEN = struct.Struct("<4q")
END = -1
"""Instead of a block's number in the reading token: there is none left."""


@dataclass(frozen=True)
class Channels:
    """The pipes that tokens go through: (read end, write end) each.

    Every process may take the reading token. The writing token of a block lies in the pipe of the
    block's number, modulo how many there are: more than blocks that can be under way at once.
    """

    reading: tuple[int, int]
    writing: tuple[tuple[int, int], ...]

    @classmethod
    def make(cls, processes: int) -> Channels:
        """New pipes, enough for so many processes with one block in work and one waiting each."""
        return cls(os.pipe(), tuple(os.pipe() for _ in range(2 * processes + 1)))

    @property
    def descriptors(self) -> list[int]:
        """All ends of all pipes."""
        return [end for pipe in (self.reading, *self.writing) for end in pipe]

    def close(self) -> None:
        """Close all of them."""
        for end in self.descriptors:
            os.close(end)

    def give_read(self, token: ReadToken) -> None:
        """Let anybody read on."""
        os.write(self.reading[1], _TOKEN.pack(*token))

    def take_read(self, look_around: Callable[[], None]) -> ReadToken:
        """Wait for the reading token."""
        return ReadToken(*_take(self.reading[0], look_around))

    def give_write(self, token: WriteToken) -> None:
        """Let the block that the token names be written."""
        os.write(self._writing(token.block)[1], _TOKEN.pack(*token))

    def take_write(self, block: int, look_around: Callable[[], None]) -> WriteToken:
        """Wait for the writing token of a block."""
        return WriteToken(*_take(self._writing(block)[0], look_around))

    def may_write(self, block: int) -> bool:
        """Whether a block's turn to be written has come."""
        return bool(select.select([self._writing(block)[0]], [], [], 0)[0])

    def _writing(self, block: int) -> tuple[int, int]:
        return self.writing[block % len(self.writing)]


def _take(descriptor: int, look_around: Callable[[], None]) -> tuple[int, ...]:
    os.set_blocking(descriptor, False)
    while True:
        if select.select([descriptor], [], [], _LOOK_AROUND_SECONDS)[0]:
            try:
                return _TOKEN.unpack(os.read(descriptor, _TOKEN.size))
            except BlockingIOError:
                continue  # another process was quicker
        look_around()
