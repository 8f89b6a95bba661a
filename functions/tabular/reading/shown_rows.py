"""Records as the CSV of rejected rows shows them: their cells, or their text if there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tabular.correction_format import LOST, SHOWN_BYTES, cut

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
    parsed = records.parsed
    cells = _cells(records, indexes)
    large = _is_large(cells)
    if large.any():
        cells = cells.with_columns(pl.when(large).then(pl.lit("")).otherwise(pl.all()).name.keep())
    unsaid = large
    for damaged in (records.undecodable, records.with_nul, _unparsed(records)):
        if len(damaged):
            unsaid |= indexes.is_in(damaged.implode())
    if parsed.widths is not None:
        other = parsed.indexes.filter(parsed.widths != parsed.cells.width)
        unsaid |= indexes.is_in(other.implode())
    if records.patched is not None:  # whose text is no longer what they contain
        unsaid &= ~indexes.is_in(records.patched.implode())
    raw = pl.Series("raw", [""]).new_from_index(0, len(indexes))
    if unsaid.any():
        texts = _shown(records.texts.gather(indexes.filter(unsaid)).to_frame(), records)
        raw = raw.scatter(unsaid.arg_true(), texts.to_series())
    return ShownRows(cells, raw)


def _cells(records: Records, indexes: pl.Series) -> pl.DataFrame:
    parsed = records.parsed
    known = indexes.is_in(parsed.indexes.implode())
    cells = parsed.cells[parsed.indexes.search_sorted(indexes.filter(known))]
    if not known.all():
        place = (known.cum_sum() - 1).set(~known, None)
        cells = cells.select(pl.all().gather(place).fill_null(""))
    return _shown(cells, records)


def _shown(cells: pl.DataFrame, records: Records) -> pl.DataFrame:
    """The cells, cut to what a spreadsheet can hold, with a visible character for NUL."""
    if len(records.with_nul):
        cells = cells.select(pl.all().str.replace_all("\0", LOST, literal=True))
    return cut(cells)


def _is_large(cells: pl.DataFrame) -> pl.Series:
    """Which rows have more text than can be shown (Boolean)."""
    return cells.select(pl.sum_horizontal(pl.all().str.len_bytes()) > SHOWN_BYTES).to_series()


def _unparsed(records: Records) -> pl.Series:
    """The indexes (UInt32) of records that are not cut into cells."""
    parsed = records.parsed
    if len(parsed.indexes) == len(records):
        return pl.Series(dtype=pl.UInt32)
    others = pl.Series([True]).new_from_index(0, len(records))
    return others.scatter(parsed.indexes, False).arg_true()
