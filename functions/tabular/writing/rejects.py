"""The quarantine: every rejected record with its place, its faults and its text."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tabular.faults import RuleCount
from tabular.statistics.reject_examples import EXAMPLES_A_RULE, RAW_CHARACTERS, Example
from tabular.values.fault_columns import escaped_texts
from tabular.values.fault_combinations import combined
from tabular.values.fault_lists import FaultLists
from tabular.values.gathering import gathered
from tabular.values.json_line import Buffers, JsonLine, written_part
from tabular.values.json_texts import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tabular.faults import RuleKey
    from tabular.reading.layout import Layout
    from tabular.reading.records import Records
    from tabular.values.fault_columns import FaultColumn
    from tabular.values.fault_combinations import Combinations, Composed

_BEFORE, _AFTER = ',"errors":[', '],"raw":'
_ROWS_A_PIECE = 32_768
_CELLS_A_PIECE = 1 << 18
"""A piece has fewer rows if many columns have faults: it has a text of some hundred bytes for each
row and column."""


class Sentences(NamedTuple):
    """The faults of records in words.

    `texts` (String) are those of each record, or, with `numbers` (UInt32), the distinct ones, of
    which these are each record's.
    """

    texts: pl.Series
    numbers: pl.Series | None


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
            yield self._lines(start, rows)

    def sentences(self, start: int, length: int) -> Sentences:
        """The faults in words of `length` records from the one numbered `start`."""
        sentences = self._sentences
        if sentences is None or self._combinations is None:
            return Sentences(self._listed_sentences.joined(start, length), None)
        kinds = self._combinations.kinds.slice(start, length)
        if not sentences.gaps:
            return Sentences(pl.Series(sentences.constants[0]), kinds)
        line = {}
        for place, texts in enumerate(sentences.constants):
            line[f"constant {place}"] = pl.Series(texts, dtype=pl.String).gather(kinds)
            if place < len(sentences.gaps):
                line[f"gap {place}"] = sentences.gaps[place].texts.slice(start, length)
        whole = pl.concat_str(pl.all(), ignore_nulls=True)
        return Sentences(pl.DataFrame(line).select(whole).to_series(), None)

    def _lines(self, start: int, length: int) -> memoryview:
        records, indexes = self.records, self.indexes.slice(start, length)
        line = JsonLine()
        line.add('{"row":')
        line.add(indexes.cast(pl.UInt64) + self.first_row)
        line.add(',"line":')
        line.add(gathered(records.lines, indexes).cast(pl.UInt64) + records.block.first_line)
        line.add(',"byte_offset":')
        line.add(records.begins(indexes) + records.block.offset)
        self._add_errors(line, start, length)
        texts = gathered(records.texts, indexes)
        escapable = None if records.escapable is None else gathered(records.escapable, indexes)
        places = None if escapable is None else escapable.arg_true()
        line.add_quoted(escaped(texts, places, only_quotes=records.has_only_quotes))
        line.add("}")
        buffer = self.buffers.free()
        line.write(buffer)
        return written_part(buffer)

    def _add_errors(self, line: JsonLine, start: int, length: int) -> None:
        errors = self._errors
        if errors is None or self._combinations is None:
            line.add(_BEFORE)
            line.add(self._listed_errors.joined(start, length))
            line.add(_AFTER)
            return
        kinds = self._combinations.kinds.slice(start, length)
        same = kinds.min() == kinds.max()
        for place, constants in enumerate(errors.constants):
            if same:
                line.add(constants[kinds[0]])
            else:
                line.add(pl.Series(constants, dtype=pl.String).gather(kinds))
            if place < len(errors.gaps):
                gap = errors.gaps[place]
                texts = gap.texts.slice(start, length)
                if gap.is_quoted:
                    line.add_quoted(texts)
                else:
                    line.add(texts)

    @cached_property
    def _combinations(self) -> Combinations | None:
        """Which of their combinations of faults the records have; None if there are too many."""
        return combined(self.faults, self._rows, len(self))

    @cached_property
    def _sentences(self) -> Composed | None:
        if self._combinations is None:
            return None
        templates = [column.sentence_templates for column in self.faults]
        texts = [column.sentence_texts for column in self.faults]
        return self._combinations.composed(templates, texts, "; ")

    @cached_property
    def _errors(self) -> Composed | None:
        """The faults as JSON, with what is before and after them in a line."""
        if self._combinations is None:
            return None
        texts = escaped_texts(self.faults, escape_free=self._is_escape_free)
        templates = [column.json_templates for column in self.faults]
        errors = self._combinations.composed(templates, texts, ",")
        errors.constants[0] = [_BEFORE + text for text in errors.constants[0]]
        errors.constants[-1] = [text + _AFTER for text in errors.constants[-1]]
        return errors

    @cached_property
    def _listed_errors(self) -> FaultLists:
        """The faults as JSON, where there are too many combinations."""
        texts = escaped_texts(self.faults, escape_free=self._is_escape_free)
        templates = [column.json_templates for column in self.faults]
        return FaultLists(self.faults, self._rows, templates, texts, ",")

    @cached_property
    def _listed_sentences(self) -> FaultLists:
        """The faults in words, where there are too many combinations."""
        templates = [column.sentence_templates for column in self.faults]
        texts = [column.sentence_texts for column in self.faults]
        return FaultLists(self.faults, self._rows, templates, texts, "; ")

    @cached_property
    def _is_escape_free(self) -> bool:
        """Whether JSON escapes nothing in the records' text."""
        escapable = self.records.escapable
        return escapable is not None and not gathered(escapable, self.indexes).any()

    @cached_property
    def _rows(self) -> list[pl.Series]:
        """The numbers among the rejected records (UInt32) that the faults of each column are of."""
        if len(self) == len(self.records):
            return [column.places for column in self.faults]
        return [self._row_numbers.gather(column.places) for column in self.faults]

    @cached_property
    def _row_numbers(self) -> pl.Series:
        """The number of each of the block's records among the rejected ones, null for others."""
        # Looking the rows up takes less time than a search for each of them.
        nothing = pl.Series([None], dtype=pl.UInt32).new_from_index(0, len(self.records))
        numbers = pl.int_range(len(self), dtype=pl.UInt32, eager=True)
        return nothing.scatter(self.indexes, numbers)
