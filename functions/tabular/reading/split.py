"""A range of a file that is transformed independently of the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tabular.reading.layout import Layout


@dataclass(frozen=True)
class Split:
    """A range of the file that begins and ends with a record.

    `start` and `end` are byte offsets in the file as it is stored; `end` None is the file's end.
    A compressed file is one split: all of a gzip file, or a ZIP archive's member. `first_row` and
    `first_line` are the 1-based numbers of its first data record and physical line.
    """

    index: int
    start: int
    end: int | None
    first_row: int = 1
    first_line: int = 1

    @classmethod
    def whole(cls, layout: Layout) -> Split:
        """The one split of a file that is not cut."""
        if layout.member:
            return cls(0, layout.member.start, layout.member.end, 1, layout.data_line)
        start = 0 if layout.compression else layout.data_start
        return cls(0, start, None, 1, layout.data_line)
