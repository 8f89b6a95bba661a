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
    `first_line` are the 1-based numbers of its first data record and physical line. `footer_rows`
    is how many of its last records are the file's footer.
    """

    index: int
    start: int
    end: int | None
    first_row: int = 1
    first_line: int = 1
    footer_rows: int = 0

    @classmethod
    def whole(cls, layout: Layout) -> Split:
        """The one split of a file that is not cut."""
        if layout.member:
            start, end = layout.member.start, layout.member.end
        else:
            start, end = 0 if layout.compression else layout.data_start, None
        return cls(0, start, end, 1, layout.data_line, layout.dialect.footer_rows)
