"""Finds where a large file can be cut, and proves that it was cut between records.

A boundary is *proposed* from a small window of the file. Each line end can be read in two ways: no
quote is open there, or one is. The proposal is the line end after which records look right in one
reading and wrong in the other.

Example: a window begins in the middle of a record and continues with these lines.

    ,4,5
    c,"6        no quote open after the first line: records `c,"6 / 7",8` and `d,9,10`, of 3 cells
    7",8        a quote open after the first line: the cell `c,` is closed by a quote before `6`,
    d,9,10      which is malformed. So the record begins at `c`.

A boundary is *proven* by reading the file: the first split starts with a record, and `measure`
shows for each split that a record ends exactly at its end. If all splits are measured, every
boundary is true, by induction, whatever the file's quotes are.

Proposing reads little of the file, and needs no Polars.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from tabular.reading.footer import check_footer
from tabular.reading.grammar import MAX_RECORD_BYTES, NoRecordEnd
from tabular.reading.line_ends import line_end
from tabular.reading.split import Split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tabular.reading.layout import Layout
    from tabular.sink import ReadRange

MAX_SPLITS = 9_999
"""The output is composed by a multipart upload, which can have this many parts and one more, for
what a format adds after the parts of the splits."""
Fitting = Callable[[bytes], int]
_WINDOWS = (64 * 1024, 512 * 1024, MAX_RECORD_BYTES)
"""Bytes read near a mark; the next size is used if the smaller one does not decide."""
_SAMPLED_FILE_BYTES = 64 * 1024 * 1024
"""A file of this size can only be too slow for one function if each byte takes 7 µs or more."""
_SAMPLES = 7
_WIDEST_UNIT = 4
"""The number of bytes of a character in UTF-32."""
_TRIED_RECORDS = 20
_UNLIKE = (-1.0, 0.0)
_SURE_SHARE = 0.5
"""Minimum share of tried records with the header's width, if the width is the only evidence."""


class Measure(NamedTuple):
    """How many data records and physical lines a split has."""

    record_count: int
    line_count: int

    def to_document(self) -> dict[str, Any]:
        """JSON-able: record_count and line_count."""
        return self._asdict()


def can_split(layout: Layout) -> bool:
    """Whether a file of this layout can be transformed in several splits.

    Not if it is compressed, its structure is not in its own bytes (UTF-16, Shift JIS), records must
    be compared with each other, or rows of the data are comments by their number.
    """
    return (
        layout.compression is None
        and layout.codec.byte_structured
        and not layout.has_uniqueness
        and all(row < layout.data_line for row in layout.dialect.comment_rows)
    )


def plan_splits(
    layout: Layout, read_range: ReadRange, *, split_bytes: int, fitting: Fitting | None = None
) -> list[Split]:
    """Propose splits of about `split_bytes`, from small windows of the file.

    `read_range(start, length)` returns bytes of the file, fewer near its end. `fitting` returns how
    many bytes of text like a window a split should have; by default, it is `split_bytes`. The
    splits are not numbered yet: all have the first split's `first_row` and `first_line`, and the
    last one has the whole footer. If no window decides at a mark, there is no boundary near it, so
    splits can be longer. A file that cannot be split is one split.
    """
    whole = Split.whole(layout)
    if not can_split(layout) or layout.size - whole.start <= split_bytes:
        return [whole]
    fitting = fitting or (lambda _: split_bytes)
    boundaries = _boundaries(layout, read_range, whole.start, split_bytes, fitting)
    ends = [*boundaries[1:], None]
    return [
        replace(
            whole,
            index=index,
            start=start,
            end=end,
            footer_rows=whole.footer_rows if end is None else 0,
        )
        for index, (start, end) in enumerate(zip(boundaries, ends, strict=True))
    ]


def _boundaries(
    layout: Layout, read_range: ReadRange, start: int, split_bytes: int, fitting: Fitting
) -> list[int]:
    """Where splits begin, from `start` on.

    Each split has about the size that fits the windows at its start and end. If the window at a
    mark shows that a split up to there would have more than twice the bytes that fit, the splits
    up to that mark get the size that does.
    """
    boundaries, last, size = [start], start, split_bytes
    dense_mark, dense_size = start, split_bytes
    while True:
        left = MAX_SPLITS - len(boundaries) + 1
        least = -(-(layout.size - last) // left)
        mark = last + max(size, least)
        if mark >= layout.size:
            return boundaries
        window = read_range(mark, _WINDOWS[0])
        size = fitting(window)
        if mark - last > 2 * max(size, least):
            dense_mark, dense_size = mark, size
            continue
        boundary = _find_boundary(layout, read_range, mark, window)
        last = mark
        if boundary is not None and boundaries[-1] < boundary < layout.size:
            boundaries.append(boundary)
            last = boundary
        if last < dense_mark:
            size = min(size, dense_size)


def sample_count(size: int) -> int:
    """How many samples are read of a file of this size that may become one split."""
    return _SAMPLES if size > _SAMPLED_FILE_BYTES else 0


def read_samples(layout: Layout, read_range: ReadRange) -> bytes:
    """Windows of a file that may become one split, from all over the file, one after the other.

    Empty for small files, and for compressed ones, whose content can't be read from the middle.
    """
    count = sample_count(layout.size)
    if not count or layout.compression is not None:
        return b""
    step = layout.size // (count + 1)
    step -= step % _WIDEST_UNIT
    return b"".join(read_range(number * step, _WINDOWS[0]) for number in range(1, count + 1))


def number_splits(splits: Sequence[Split], measures: Sequence[Measure]) -> list[Split]:
    """Give each split the numbers of its first row and line, from the measures of all before it.

    The footer's rows are spread over the last splits, from the end: example, a footer of 3 rows and
    splits of 90, 2 and 1 records, of which 0, 2 and 1 are the footer's.
    Raises UnreadableFile if the file has fewer records than its footer has rows.
    """
    footer = splits[-1].footer_rows
    check_footer(sum(measured.record_count for measured in measures), footer)
    shares = []
    for measured in reversed(measures):
        shares.append(min(footer, measured.record_count))
        footer -= shares[-1]
    numbered = []
    row, line = splits[0].first_row, splits[0].first_line
    for split, measured, share in zip(splits, measures, reversed(shares), strict=True):
        numbered.append(replace(split, first_row=row, first_line=line, footer_rows=share))
        row, line = row + measured.record_count, line + measured.line_count
    return numbered


def _find_boundary(layout: Layout, read_range: ReadRange, mark: int, window: bytes) -> int | None:
    """The first line end at or after `mark` that certainly looks like a record's end.

    `window` is the first of the windows there.
    """
    for size in _WINDOWS:
        if size > _WINDOWS[0]:
            window = read_range(mark, size)
        complete = len(window) < size
        offset = _Window(window, layout, complete=complete).boundary()
        if offset is not None:
            return mark + offset
        if complete:
            return None
    return None


class _Window:
    """A piece of the file that begins anywhere, read in both ways.

    Either no quote is open at the end of its first line, or one is: then the cell continues up to
    the quote that closes it, and records begin after that record's line end.
    """

    def __init__(self, window: bytes, layout: Layout, *, complete: bool) -> None:
        self._window = window
        self._layout = layout
        self._grammar = layout.grammar
        self._complete = complete

    def boundary(self) -> int | None:
        """Where a record begins; None if the window does not decide."""
        outside = line_end(self._window, 0)
        if outside >= len(self._window):
            return None
        if not self._grammar.spans_lines:
            return outside
        inside = self._after_open_quote(outside)
        if inside == NoRecordEnd.MALFORMED:
            # A quoted cell that continued here would be malformed. So every record that begins
            # before this line end ends here at the latest.
            return outside
        if_outside = self._likeness(outside)
        if inside in (NoRecordEnd.INCOMPLETE, len(self._window)):
            # An open quote is possible, so the text must look like records of this file.
            return outside if if_outside[1] > _SURE_SHARE else None
        if_inside = self._likeness(inside)
        if if_outside == if_inside:
            return None
        return outside if if_outside > if_inside else inside

    def _after_open_quote(self, start: int) -> int:
        """Where the next record begins if a quote is open at `start`, or a NoRecordEnd."""
        quote = self._grammar.quote
        if quote is None:
            return NoRecordEnd.INCOMPLETE
        # The rest of a quoted cell reads like a quoted cell that begins here.
        rest = quote + self._window[start:]
        end = self._grammar.record_end(rest, 0, complete=self._complete)
        return end if end < 0 else start + end - len(quote)

    def _likeness(self, start: int) -> tuple[float, float]:
        """How much the text from `start` on looks like records of this file, to be compared.

        The best evidence is well-formed quotes: in the wrong reading, almost none are. If both
        readings are equal in that, the share of records with the header's width decides.
        """
        seen = malformed = right = 0
        for record in self._records(start):
            seen += 1
            cells = self._grammar.cells(record)
            malformed += cells is None
            right += cells is not None and self._layout.fits(cells)
        return (-malformed / seen, right / seen) if seen else _UNLIKE

    def _records(self, start: int) -> Iterator[bytes]:
        tail = self._window[start:]
        return (
            record
            for record in self._grammar.records(tail, complete=self._complete, most=_TRIED_RECORDS)
            if record
        )
