"""Ranges of lines, as two lists: of a block's hundred thousand ranges, tuples take much longer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class LineRanges:
    """Ascending ranges of lines: the first and the last line of each, which is a later one.

    Iterating gives the pairs of (first line, last line).
    """

    firsts: list[int] = field(default_factory=list)
    lasts: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.firsts)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self.firsts, self.lasts, strict=True)

    def add(self, first: int, last: int) -> None:
        """Append a range after all others."""
        self.firsts.append(first)
        self.lasts.append(last)

    def extend(self, other: LineRanges, offset: int) -> None:
        """Append the ranges of lines that follow `offset` other lines."""
        self.firsts.extend(first + offset for first in other.firsts)
        self.lasts.extend(last + offset for last in other.lasts)

    @property
    def lines_after_firsts(self) -> int:
        """The number of lines that are not the first one of their range."""
        return sum(self.lasts) - sum(self.firsts)
