"""A block's records told apart: values of the accepted ones, faults of the rejected ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tabular.faults import Fault
from tabular.uniqueness import Uniqueness
from tabular.values.columns import ColumnReader, Values
from tabular.writing.parquet import misfits, parquet_schema
from tabular.writing.rejects import FaultFinder, Reject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tabular.reading.layout import Layout
    from tabular.reading.records import Records


class Batch(NamedTuple):
    """What became of a block's records.

    `rows` (UInt64) are the 1-based numbers of the accepted records, `values` their columns in the
    order of the layout's fields, and `escapable` tells which of them may hold what JSON escapes
    (Boolean; None: any). `originals` are the bytes of the rejected ones in the file.
    """

    record_count: int
    rows: pl.Series
    values: list[Values]
    escapable: pl.Series | None
    rejects: list[Reject]
    originals: list[bytes]


BLANK_ROW = (Fault(None, "blank-row", "the row has no content", None),)
REPEATED_HEADER = (Fault(None, "repeated-header", "the row repeats the header", None),)
_FILE_STARTS = "\ufeff\x1a"
"""What files put together with others leave before a header: a byte order mark, DOS's end mark."""


class BatchReader:
    """Reads blocks of one file, and keeps what it learned about repeated texts."""

    def __init__(self, layout: Layout, *, for_parquet: bool = False) -> None:
        """With `for_parquet`, values that Parquet columns cannot hold are faults.

        Raises HeaderMismatch where there can be no such columns at all.
        """
        if for_parquet:
            parquet_schema(layout.fields)
        self._layout = layout
        self._for_parquet = for_parquet
        neutralise = layout.contract.neutralise_formulas
        self._columns = [
            (column.position, ColumnReader(column.field, neutralise)) for column in layout.columns
        ]
        self._faults = FaultFinder(layout)
        self._uniqueness = Uniqueness(layout) if layout.has_uniqueness else None

    def read(self, records: Records, first_row: int) -> Batch:
        """Read a block whose first record has the number `first_row`."""
        indexes, cells = records.cut, records.cells
        if self._uniqueness is not None:
            # What the reader has made of records that are not sound is nobody's key.
            sound = records.sound.gather(indexes)
            indexes, cells = indexes.filter(sound), cells.filter(sound)
        headers = _repeated_headers(cells, self._layout)
        repeated: dict[int, tuple[Fault, ...]] = {}
        if len(headers):
            repeated = dict.fromkeys(indexes.gather(headers), REPEATED_HEADER)
            others = pl.Series([True]).new_from_index(0, cells.height).scatter(headers, False)
            indexes, cells = indexes.filter(others), cells.filter(others)
        values, faults = self._read_cells(cells, indexes, first_row)
        rejected = faults | repeated | self._unsound(records)
        escapable = records.escapable
        accepted = indexes
        if rejected:
            keep = ~indexes.is_in(list(rejected))
            accepted = indexes.filter(keep)
            values = [column.filter(keep) for column in values]
        if escapable is not None and len(accepted) < len(records):
            escapable = escapable.gather(accepted)
        rows = accepted.cast(pl.UInt64) + first_row
        rejects, originals = self._rejects(records, rejected, first_row)
        return Batch(len(records), rows, values, escapable, rejects, originals)

    def _read_cells(
        self, cells: pl.DataFrame, indexes: pl.Series, first_row: int
    ) -> tuple[list[Values], dict[int, tuple[Fault, ...]]]:
        """The columns of these cells, and the faults of some by their record's index in the block.

        `indexes` are those of the cells' records.
        """
        nothing = pl.Series([None], dtype=pl.String).new_from_index(0, cells.height)
        values = [
            Values(nothing, None, {}) if position is None else reader.read(cells[:, position])
            for position, reader in self._columns
        ]
        found: dict[int, tuple[Fault, ...]] = {}
        for field, column in zip(self._layout.fields, values, strict=True):
            unfit = misfits(field, column) if self._for_parquet else {}
            for number, faults in (column.faults | unfit).items():
                found[number] = found.get(number, ()) + faults
        if self._layout.blank_rows != "skip-white":
            found |= _blank_rows(values, found)
        if self._uniqueness is not None:
            rows = indexes.cast(pl.UInt64) + first_row
            for number, more in self._uniqueness.faults(values, rows).items():
                found[number] = found.get(number, ()) + tuple(more)
        if not found:
            return values, {}
        places = indexes.gather(list(found)).to_list()
        return values, dict(zip(places, found.values(), strict=True))

    def _unsound(self, records: Records) -> dict[int, tuple[Fault, ...]]:
        indexes = (~records.sound).arg_true().to_list()
        if not indexes:
            return {}
        undecodable = set(records.undecodable.arg_true()) if records.has_undecodable else set()
        texts = records.texts.gather(indexes).to_list()
        return {
            index: self._faults.faults(text, undecodable=index in undecodable)
            for index, text in zip(indexes, texts, strict=True)
        }

    def _rejects(
        self, records: Records, faults: dict[int, tuple[Fault, ...]], first_row: int
    ) -> tuple[list[Reject], list[bytes]]:
        indexes = sorted(faults)
        if not indexes:
            return [], []
        lines = records.lines.gather(indexes).to_list()
        texts = records.texts.gather(indexes).to_list()
        originals = records.original(indexes)
        rejects = [
            Reject(first_row + index, records.block.first_line + line, offset, faults[index], text)
            for index, line, text, (offset, _) in zip(indexes, lines, texts, originals, strict=True)
        ]
        return rejects, [original for _, original in originals]


def _repeated_headers(cells: pl.DataFrame, layout: Layout) -> pl.Series:
    """The indexes (UInt32) of rows that are the header once more, as in files put together.

    In a file of one column the name may be a value, such as "word" in a list of words.
    """
    labels = layout.labels
    nothing = pl.Series(dtype=pl.UInt32)
    if not layout.dialect.header or len(labels) == 1:
        return nothing
    same = (cells[:, -1] == labels[-1]).arg_true()
    for position, label in enumerate(labels[:-1]):
        if not len(same):
            return nothing
        column = cells[:, position].gather(same)
        if not position:
            column = column.str.strip_chars_start(_FILE_STARTS)
        same = same.filter(column == label)
    return same


def _blank_rows(
    values: Sequence[Values], found: dict[int, tuple[Fault, ...]]
) -> dict[int, tuple[Fault, ...]]:
    """The rows that have no value at all: that is then their only fault."""
    frame = pl.DataFrame({str(n): column.texts for n, column in enumerate(values)})
    blank = frame.select(pl.all_horizontal(pl.all().is_null())).to_series().arg_true().to_list()
    return {
        number: BLANK_ROW
        for number in blank
        if not any(fault.code == "type-error" for fault in found.get(number, ()))
    }
