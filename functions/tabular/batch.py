"""One block's outcome: the values of its processed records, the faults of its rejected records."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tabular.reading.record_faults import RecordFaults
from tabular.uniqueness import Uniqueness
from tabular.values.columns import ColumnReader, Values
from tabular.values.gathering import gathered
from tabular.values.json_line import Buffers
from tabular.writing.rejects import Rejects

if TYPE_CHECKING:
    from tabular.reading.layout import Layout
    from tabular.reading.records import Parsed, Records
    from tabular.values.fault_columns import FaultColumn
    from tabular.writing.output_format import Writer


class Batch(NamedTuple):
    """The outcome of a block's records.

    `rows` (UInt64) are the 1-based numbers of the processed records, `values` their columns in the
    order of the layout's fields. `escapable` says which of them may contain characters that JSON
    escapes (Boolean; None: any).
    """

    record_count: int
    rows: pl.Series
    values: list[Values]
    escapable: pl.Series | None
    rejects: Rejects


class BatchReader:
    """Reads the blocks of one file; remembers repeated texts, and keys that must be unique."""

    def __init__(self, layout: Layout, writer: Writer) -> None:
        """Values that the writer's format cannot hold are faults.

        Raises HeaderMismatch where the format has no column for a field.
        """
        writer.check_fields(layout.fields, layout.contract.record)
        self._layout = layout
        self._misfits = writer.misfits
        neutralise = layout.contract.neutralise_formulas
        self._columns = [
            (column.position, ColumnReader(column.field, neutralise)) for column in layout.columns
        ]
        self._record_faults = RecordFaults(layout)
        self._uniqueness = Uniqueness(layout) if layout.has_uniqueness else None
        self._buffers = Buffers()

    def read(self, records: Records, first_row: int) -> Batch:
        """Read a block whose first record has the number `first_row`."""
        parsed = records.parsed
        values = self._read_cells(parsed)
        faults = self._faults(records, parsed, values, first_row)
        escapable, accepted = records.escapable, parsed.indexes
        rejected = pl.Series([False]).new_from_index(0, len(records))
        for column in faults:
            rejected = rejected.scatter(column.places, True)
        if faults:
            keep = ~gathered(rejected, accepted)
            accepted = accepted.filter(keep)
            values = [column.filter(keep) for column in values]
        if escapable is not None and len(accepted) < len(records):
            escapable = gathered(escapable, accepted)
        rows = accepted.cast(pl.UInt64) + first_row
        rejects = Rejects(
            records, self._layout, first_row, rejected.arg_true(), faults, self._buffers
        )
        return Batch(len(records), rows, values, escapable, rejects)

    def _read_cells(self, parsed: Parsed) -> list[Values]:
        nothing = pl.Series([None], dtype=pl.String).new_from_index(0, parsed.cells.height)
        return [
            Values(nothing, None, None)
            if position is None
            else reader.read(parsed.cells[:, position])
            for position, reader in self._columns
        ]

    def _faults(
        self, records: Records, parsed: Parsed, values: list[Values], first_row: int
    ) -> list[FaultColumn]:
        """All faults of the block's records, in the order in which a record lists its own."""
        of_cells: list[tuple[int | None, FaultColumn]] = []
        for field, column, (position, _) in zip(
            self._layout.fields, values, self._columns, strict=True
        ):
            unfit = self._misfits(field, column)
            of_cells += [(position, faults) for faults in (column.faults, unfit) if faults]
        sound = self._record_faults.sound(records, parsed)
        headers = self._record_faults.repeated_headers(parsed, sound)
        faults = self._record_faults.find(records, parsed, values, of_cells, headers)
        if self._uniqueness is not None:
            rows = parsed.indexes.cast(pl.UInt64) + first_row
            # Cells of damaged records are not reliable, so they are not compared.
            usable = pl.Series([True]).new_from_index(0, len(rows)) if sound is None else sound
            usable = usable.scatter(headers, False)
            again = self._uniqueness.faults(values, rows, usable)
            faults += [column.moved(parsed.indexes) for column in again]
        return [column for column in faults if len(column)]
