"""Records as the CSV of rejected rows shows them: their cells, or their text if there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tabular.correction_format import SHOWN_BYTES, SHOWN_CHARACTERS, cut, without_nul
from tabular.values.gathering import gathered, run_start

if TYPE_CHECKING:
    from tabular.reading.records import Records


class ShownRows(NamedTuple):
    """Some records of a block.

    `cells` has a String column for each cell of the header: empty ones for the records that could
    not be cut into cells, and for those that are too large to be shown. `raw` (String) is the
    record's text if its cells do not show everything in it, and otherwise empty.
    """

    cells: pl.DataFrame
    raw: pl.Series


def shown_rows(records: Records, indexes: pl.Series) -> ShownRows:
    """The records with these indexes (UInt32, ascending) in the block."""
    cells = _cells(records, indexes)
    unsaid = None if records.unsaid is None else gathered(records.unsaid, indexes)
    if records.patched is not None or records.longest > SHOWN_BYTES:
        large = _is_large(cells)
        empty = pl.when(large).then(pl.lit("")).otherwise(pl.all()).name.keep()
        cells = cells.with_columns(empty) if large.any() else cells
        if records.patched is not None:
            large &= ~indexes.is_in(records.patched.implode())
        unsaid = large if unsaid is None else unsaid | large
    if unsaid is None or not unsaid.any():
        raw = pl.Series("raw", [""]).new_from_index(0, len(indexes))
    else:
        texts = gathered(records.texts, indexes).to_frame("raw")
        raw = _shown(texts, records, indexes).to_series()
        raw = raw if unsaid.all() else raw.set(~unsaid, "")
    return ShownRows(cells, raw)


def _cells(records: Records, indexes: pl.Series) -> pl.DataFrame:
    parsed = records.parsed
    if len(parsed.indexes) == len(records):
        first = run_start(indexes)
        cells = (
            parsed.cells[indexes] if first is None else parsed.cells[first : first + len(indexes)]
        )
        return _shown(cells, records, indexes)
    places = gathered(records.rows_of_cells, indexes)
    if places.null_count() == len(places):
        nothing = pl.Series([""]).new_from_index(0, len(indexes))
        return pl.DataFrame(dict.fromkeys(parsed.cells.columns, nothing))
    cells = parsed.cells.select(pl.all().gather(places).fill_null(""))
    return _shown(cells, records, indexes)


def _shown(cells: pl.DataFrame, records: Records, indexes: pl.Series) -> pl.DataFrame:
    """Cells of these records, cut to what a spreadsheet can hold, with a character for NUL."""
    if len(records.with_nul):
        has_nul = gathered(records.among(records.with_nul), indexes)
        cells = without_nul(cells, has_nul.arg_true())
    if records.patched is None and records.longest <= SHOWN_CHARACTERS:
        return cells
    return cut(cells)


def _is_large(cells: pl.DataFrame) -> pl.Series:
    """Which rows have more text than can be shown (Boolean)."""
    return cells.select(pl.sum_horizontal(pl.all().str.len_bytes()) > SHOWN_BYTES).to_series()
