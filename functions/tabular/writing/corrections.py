"""The rejected records as the CSV in which they are corrected; see `correction_format`."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import polars as pl

from tabular.correction_format import LINE_END, head, written
from tabular.reading.shown_rows import shown_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tabular.reading.layout import Layout
    from tabular.writing.rejects import Rejects

_ROWS_A_PIECE = 16_384
_CELLS_A_PIECE = 1 << 18
_ERROR_CHARACTERS = 1000
"""A record of 50,000 columns may have as many faults. All of them are in the JSON Lines."""


def corrections_head(layout: Layout) -> bytes:
    """The beginning of the CSV, which the part of the file's first split has: its header."""
    return head(layout.labels)


def correction_pieces(rejects: Rejects) -> Iterator[memoryview]:
    """A block's rejected records as lines of the CSV, a bounded number at a time.

    A line has the record's number, its faults in words, its cells, and the record's text if the
    cells do not show everything in it.
    """
    width = rejects.layout.width + len(rejects.faults)
    rows = max(1, min(_ROWS_A_PIECE, _CELLS_A_PIECE // width))
    for start in range(0, len(rejects), rows):
        yield _lines(rejects, rejects.indexes.slice(start, rows))


def _lines(rejects: Rejects, indexes: pl.Series) -> memoryview:
    cells, raw = shown_rows(rejects.records, indexes)
    errors = written(_shortened(rejects.sentences(indexes)).to_frame()).to_series()
    if len(errors) < len(indexes):  # they are the same for all
        errors = errors.new_from_index(0, len(indexes))
    shown = written(
        pl.DataFrame({**{f"cell {column.name}": column for column in cells}, "raw": raw})
    )
    lines = pl.DataFrame(
        {
            "row": indexes.cast(pl.UInt64) + rejects.first_row,
            "errors": errors,
            **shown.to_dict(),
        }
    )
    buffer = BytesIO()
    lines.write_csv(buffer, include_header=False, quote_style="never", line_terminator=LINE_END)
    return buffer.getbuffer()


def _shortened(texts: pl.Series) -> pl.Series:
    long = texts.str.len_chars() > _ERROR_CHARACTERS
    return (
        texts.zip_with(~long, texts.str.slice(0, _ERROR_CHARACTERS) + "…") if long.any() else texts
    )
