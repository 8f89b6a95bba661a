"""The rejected records as the CSV in which they are corrected; see `correction_format`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tabular.correction_format import (
    SHOWN_CHARACTERS,
    harmless,
    head,
    in_quotes,
    write_quoted_rows,
    write_rows,
    written,
)
from tabular.reading.shown_rows import shown_rows
from tabular.values.gathering import gathered
from tabular.values.json_line import written_part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tabular.reading.layout import Layout
    from tabular.reading.records import Records
    from tabular.writing.rejects import Rejects

_ROWS_A_PIECE = 32_768
_CELLS_A_PIECE = 1 << 18
_NUMBER_BYTES = 32
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
    if not len(rejects):
        return
    if rejects.distinct_sentences is not None and _has_bare_cells(rejects.records):
        texts, numbers = rejects.distinct_sentences
        texts = written(_shortened(texts).to_frame()).to_series()
        rows = rejects.rows_a_piece(_NUMBER_BYTES + max(texts.str.len_bytes()))
        for start in range(0, len(rejects), rows):
            yield _bare_lines(rejects, start, rows, texts.gather(numbers.slice(start, rows)))
        return
    width = rejects.layout.width + len(rejects.faults)
    rows = max(1, min(_ROWS_A_PIECE, _CELLS_A_PIECE // width))
    for start in range(0, len(rejects), rows):
        yield _lines(rejects, start, rows)


def _bare_lines(rejects: Rejects, start: int, length: int, errors: pl.Series) -> memoryview:
    """Lines in which nothing but the record's text can need quotes.

    `errors` are the faults in words as they are `written`.
    """
    records, indexes = rejects.records, rejects.indexes.slice(start, length)
    rows = _rows(rejects, indexes, errors)
    where = gathered(records.has_comma_or_quote, indexes) & (rows["raw"] != "")
    if where.any():
        quoted = None if records.quoted is None else gathered(records.quoted, indexes)
        rows = rows.with_columns(raw=in_quotes(rows["raw"], where, quoted))
    buffer = rejects.buffers.free()
    write_quoted_rows(rows, buffer)
    return written_part(buffer)


def _lines(rejects: Rejects, start: int, length: int) -> memoryview:
    sentences, numbers = rejects.sentences(start, length)
    errors = harmless(_shortened(sentences).to_frame()).to_series()
    errors = errors if numbers is None else errors.gather(numbers)
    buffer = rejects.buffers.free()
    write_rows(_rows(rejects, rejects.indexes.slice(start, length), errors), buffer)
    return written_part(buffer)


def _rows(rejects: Rejects, indexes: pl.Series, errors: pl.Series) -> pl.DataFrame:
    """The columns of the CSV, harmless but without quotes; `errors` are the faults in words."""
    cells, raw = shown_rows(rejects.records, indexes)
    shown = pl.DataFrame({**{f"cell {column.name}": column for column in cells}, "raw": raw})
    shown = harmless(shown, rejects.records.formula_starts)
    row = indexes.cast(pl.UInt64) + rejects.first_row
    return pl.DataFrame({"row": row, "errors": errors, **shown.to_dict()})


def _has_bare_cells(records: Records) -> bool:
    """Whether the records' cells need no quotes, as the note that a cell is cut would."""
    return records.has_bare_cells and records.longest <= SHOWN_CHARACTERS


def _shortened(texts: pl.Series) -> pl.Series:
    long = texts.str.len_bytes() > _ERROR_CHARACTERS
    if not long.any():
        return texts
    long = texts.str.len_chars() > _ERROR_CHARACTERS
    return texts.zip_with(~long, texts.str.slice(0, _ERROR_CHARACTERS) + "…")
