"""The rejected records as the CSV in which they are corrected; see `correction_format`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tabular.correction_format import harmless, head, write_rows
from tabular.reading.shown_rows import shown_rows
from tabular.values.json_line import written_part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tabular.reading.layout import Layout
    from tabular.writing.rejects import Rejects

_ROWS_A_PIECE = 32_768
_CELLS_A_PIECE = 1 << 18
_ERROR_CHARACTERS = 1000
"""A record of 50,000 columns may have as many faults. All of them are in the JSON Lines."""


def corrections_head(layout: Layout) -> bytes:
    """The beginning of the CSV, which the part of the file's first split has: its header."""
    return head(layout.labels)


def correction_pieces(rejects: Rejects) -> Iterator[memoryview]:
    """A block's rejected records as lines of the CSV, a bounded number at a time.

    A line has the record's number, its faults in words, its cells, and the record's text if the
    cells do not show everything in it. The memory of a piece is reused once no view of it is left.
    """
    width = rejects.layout.width + len(rejects.faults)
    rows = max(1, min(_ROWS_A_PIECE, _CELLS_A_PIECE // width))
    for start in range(0, len(rejects), rows):
        yield _lines(rejects, start, rows)


def _lines(rejects: Rejects, start: int, length: int) -> memoryview:
    indexes = rejects.indexes.slice(start, length)
    cells, raw = shown_rows(rejects.records, indexes)
    sentences, numbers = rejects.sentences(start, length)
    errors = harmless(_shortened(sentences).to_frame()).to_series()
    if numbers is not None:
        errors = errors.gather(numbers)
    shown = pl.DataFrame({**{f"cell {column.name}": column for column in cells}, "raw": raw})
    shown = harmless(shown, rejects.records.formula_starts)
    rows = {"row": indexes.cast(pl.UInt64) + rejects.first_row, "errors": errors, **shown.to_dict()}
    buffer = rejects.buffers.free()
    write_rows(pl.DataFrame(rows), buffer)
    return written_part(buffer)


def _shortened(texts: pl.Series) -> pl.Series:
    long = texts.str.len_bytes() > _ERROR_CHARACTERS
    if not long.any():
        return texts
    long = texts.str.len_chars() > _ERROR_CHARACTERS
    return texts.zip_with(~long, texts.str.slice(0, _ERROR_CHARACTERS) + "…")
