"""The quarantine: every rejected record with its place, its faults and its text."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from tabular.faults import RuleCount
from tabular.statistics.reject_examples import EXAMPLES_A_RULE, RAW_CHARACTERS, Example
from tabular.values.fault_columns import FaultColumn
from tabular.values.gathering import gathered
from tabular.values.json_line import Buffers, JsonLine, written_part
from tabular.values.json_texts import escaped, escaped_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tabular.faults import RuleKey
    from tabular.reading.layout import Layout
    from tabular.reading.records import Records

_ROWS_A_PIECE = 32_768
_CELLS_A_PIECE = 1 << 18
"""A piece has fewer rows if many columns have faults: it has a text of some hundred bytes for each
row and column."""


@dataclass(frozen=True)
class Rejects:
    """The rejected records of a block.

    `indexes` (UInt32, ascending) are their indexes among the block's records, the first of which
    has the row number `first_row`. `faults` are columns of their faults, in the order in which a
    record's faults are listed. `buffers` are what the pieces are written into.
    """

    records: Records
    layout: Layout
    first_row: int
    indexes: pl.Series
    faults: Sequence[FaultColumn]
    buffers: Buffers = field(default_factory=Buffers)

    def __len__(self) -> int:
        return len(self.indexes)

    def counts(self) -> dict[RuleKey, RuleCount]:
        """How many faults there are of each field (its name in the header, or None) and rule."""
        found: dict[RuleKey, RuleCount] = {}
        for column in self.faults:
            for key, (faults, records) in column.counts().items():
                before = found.get(key, RuleCount(0, 0))
                found[key] = RuleCount(before.faults + faults, before.records + records)
        return found

    def examples(self, wanted: Callable[[RuleKey], bool]) -> Iterator[Example]:
        """The first records of the rules that are wanted: at least as many as are kept of each."""
        found = [
            (place, fault)
            for column in self.faults
            for place, fault in column.firsts(wanted, EXAMPLES_A_RULE)
        ]
        if not found:
            return
        indexes = pl.Series(sorted({place for place, _ in found}), dtype=pl.UInt32)
        first_line = self.records.block.first_line
        lines = self.records.lines.gather(indexes).to_list()
        # One character more than is kept shows that a text was cut.
        texts = self.records.texts.gather(indexes).str.slice(0, RAW_CHARACTERS + 1).to_list()
        places = dict(zip(indexes.to_list(), zip(lines, texts, strict=True), strict=True))
        for place, fault in found:
            line, raw = places[place]
            row = self.first_row + place
            yield Example(fault.key, row, first_line + line, fault.message, fault.value, raw)

    def pieces(self) -> Iterator[memoryview]:
        """The records as they are written, a bounded number at a time.

        A line has `row`, the record's 1-based number among the data records, `line`, the 1-based
        physical line on which it starts, `byte_offset`, where it starts in the decompressed file,
        `errors`, its faults, and `raw`, its decoded text without the line end. The memory of a
        piece is reused once no view of it is left.
        """
        rows = max(1, min(_ROWS_A_PIECE, _CELLS_A_PIECE // max(1, len(self.faults))))
        for start in range(0, len(self), rows):
            indexes = self.indexes.slice(start, rows)
            yield self._lines(indexes)

    def sentences(self, indexes: pl.Series) -> pl.Series:
        """The faults of each of these records (String) in words; one text if all have the same."""
        columns = self._faults_of(indexes)
        if all(len(column) == len(indexes) for column in columns):
            texts = [column.only_sentence() for column in columns]
            known = [text for text in texts if text is not None]
            if len(known) == len(texts):
                return pl.Series(["; ".join(known)])
        return self._joined(indexes, columns, FaultColumn.sentences, "; ")

    def _lines(self, indexes: pl.Series) -> memoryview:
        records = self.records
        escapable = None if records.escapable is None else gathered(records.escapable, indexes)
        places = None if escapable is None else escapable.arg_true()
        line = JsonLine()
        line.add('{"row":')
        line.add(indexes.cast(pl.UInt64) + self.first_row)
        line.add(',"line":')
        line.add(gathered(records.lines, indexes).cast(pl.UInt64) + records.block.first_line)
        line.add(',"byte_offset":')
        line.add(records.begins(indexes) + records.block.offset)
        line.add(',"errors":[')
        self._add_errors(line, indexes, escape_free=places is not None and not len(places))
        line.add('],"raw":')
        texts = gathered(records.texts, indexes)
        line.add_quoted(escaped(texts, places, only_quotes=records.has_only_quotes))
        line.add("}")
        buffer = self.buffers.free()
        line.write(buffer)
        return written_part(buffer)

    def _add_errors(self, line: JsonLine, indexes: pl.Series, *, escape_free: bool) -> None:
        """Add the faults; `escape_free` says that JSON escapes nothing in the records' text."""
        columns = self._faults_of(indexes)
        if any(column.only_kind is None or len(column) < len(indexes) for column in columns):
            jsons = partial(FaultColumn.jsons, escape_free=escape_free)
            line.add(self._joined(indexes, columns, jsons, ","))
            return
        # All records have the same faults, so only the values differ.
        values = {n: column.values for n, column in enumerate(columns) if column.values is not None}
        unclean = {
            str(number): texts
            for number, texts in values.items()
            if not (escape_free and columns[number].verbatim)
        }
        values |= {int(column.name): column for column in escaped_columns(pl.DataFrame(unclean))}
        for number, column in enumerate(columns):
            line.add("," if number else "")
            column.add_to(line, values.get(number))

    def _faults_of(self, indexes: pl.Series) -> list[FaultColumn]:
        """The columns with faults of some of these records, without those of others."""
        first, last = int(indexes[0]), int(indexes[-1])
        columns = (column.between(first, last) for column in self.faults)
        return [column for column in columns if len(column)]

    def _joined(
        self,
        indexes: pl.Series,
        columns: Sequence[FaultColumn],
        render: Callable[[FaultColumn], pl.Series],
        separator: str,
    ) -> pl.Series:
        """The faults of each of these records as one text; `render` gives those of a column."""
        nothing = pl.Series([None], dtype=pl.UInt32).new_from_index(0, len(indexes))
        numbers = pl.int_range(len(indexes), dtype=pl.UInt32, eager=True)
        start, length = int(indexes[0]), int(indexes[-1]) - int(indexes[0]) + 1
        # Looking the rows up takes less time than a search for each of them.
        rows = nothing.new_from_index(0, length).scatter(indexes - start, numbers)
        own = [rows.gather(column.places - start) for column in columns]
        if sum(map(len, columns)) == len(indexes):  # no record is in two columns
            found = pl.concat(map(render, columns))
            return found.gather(nothing.scatter(pl.concat(own), numbers))
        texts = {}
        for number, (column, places) in enumerate(zip(columns, own, strict=True)):
            found = render(column)
            if len(column) < len(indexes):
                # Putting numbers in their places takes much less time than texts.
                of_rows = nothing.clone().scatter(places, numbers.head(len(column)))
                found = found.gather(of_rows)
            texts[str(number)] = found
        if len(texts) == 1:
            return texts["0"]
        joined = pl.concat_str(pl.all(), separator=separator, ignore_nulls=True)
        return pl.DataFrame(texts).select(joined).to_series()
