"""The data that processes exchange when they share a file: the job, and two kinds of token."""

from __future__ import annotations

import os
import select
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tabular.reading.layout import Layout

LOCAL_BLOCK_BYTES = 8 * 1024 * 1024
"""Larger than the functions' blocks, because the records need no memory on their way to a file."""
_LOOK_AROUND_SECONDS = 0.5
"""Interval at which a waiting process checks that the others are still alive."""


Progress = Callable[[int], None]
"""Called now and then with the number of bytes of a file that have been read."""


@dataclass(frozen=True)
class TransformJob:
    """The file to transform and its outputs; those that are None are not written."""

    path: str
    layout: Layout
    file_id: str
    processed_at: str
    processed: str | None
    rejected: str | None
    corrections: str | None
    block_bytes: int = LOCAL_BLOCK_BYTES


class ReadToken(NamedTuple):
    """The start of the next block; `block` is END if there is none."""

    block: int
    offset: int
    line: int
    row: int


class WriteToken(NamedTuple):
    """The offsets of a block's outputs."""

    block: int
    processed: int
    rejected: int
    corrections: int


_TOKEN = struct.Struct("<4q")
END = -1
"""The block number of a reading token when no block is left."""


@dataclass(frozen=True)
class Channels:
    """The pipes for the tokens, each (read end, write end).

    Any process may take the reading token. The writing token of block n is in writing pipe number
    n modulo their number, of which there are more than blocks in progress. For example, two
    processes have five writing pipes, and block 7 takes its token from pipe 2.
    """

    reading: tuple[int, int]
    writing: tuple[tuple[int, int], ...]

    @classmethod
    def make(cls, processes: int) -> Channels:
        """New pipes, enough if each process has one block in work and one waiting."""
        return cls(os.pipe(), tuple(os.pipe() for _ in range(2 * processes + 1)))

    @property
    def processes(self) -> int:
        """The number of processes that they are for."""
        return len(self.writing) // 2

    @property
    def descriptors(self) -> list[int]:
        """All ends of all pipes."""
        return [end for pipe in (self.reading, *self.writing) for end in pipe]

    def close(self) -> None:
        """Close all of them."""
        for end in self.descriptors:
            os.close(end)

    def give_read(self, token: ReadToken) -> None:
        """Pass the reading token on, to any process."""
        os.write(self.reading[1], _TOKEN.pack(*token))

    def take_read(self, look_around: Callable[[], None]) -> ReadToken:
        """Wait for the reading token."""
        return ReadToken(*_take(self.reading[0], look_around))

    def give_write(self, token: WriteToken) -> None:
        """Allow the token's block to be written."""
        os.write(self._writing(token.block)[1], _TOKEN.pack(*token))

    def take_write(self, block: int, look_around: Callable[[], None]) -> WriteToken:
        """Wait for the writing token of a block."""
        return WriteToken(*_take(self._writing(block)[0], look_around))

    def may_write(self, block: int) -> bool:
        """Whether the writing token of a block has arrived."""
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
