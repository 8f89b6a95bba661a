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

_PLACE = ("row", "line", "byte_offset", "errors")
_CUT = len('"errors":null}')
_BEFORE, _AFTER = 'errors":[', '],"raw":'
"""What is before and after the faults in a line; a quote is before and after that."""
_ROWS_A_PIECE = 32_768
_CELLS_A_PIECE = 1 << 18
"""A piece has fewer rows if many columns have faults: it has a text of some hundred bytes for each
row and column. This is where the faults are joined for each record."""
_PIECE_BYTES = 32 * 1024 * 1024
"""A piece takes some milliseconds however small it is; its memory is used for all pieces."""
_NUMBERS_BYTES = 64


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
        if not len(self):
            return
        errors = self._errors
        if errors is None:
            rows = max(1, min(_ROWS_A_PIECE, _CELLS_A_PIECE // max(1, len(self.faults))))
        else:
            longest = sum(max(map(len, texts)) for texts in errors.constants)
            rows = self.rows_a_piece(_NUMBERS_BYTES + longest)
        for start in range(0, len(self), rows):
            yield self._lines(start, rows)

    def rows_a_piece(self, most_bytes: int) -> int:
        """How many records are written at a time.

        Each has at most this many bytes beside its own text, which is written twice.
        """
        own_bytes = 2 * len(self.records.block.original) // max(1, len(self.records))
        pieces = len(self) * (own_bytes + most_bytes) // _PIECE_BYTES + 1
        return len(self) // pieces + 1

    @cached_property
    def distinct_sentences(self) -> tuple[pl.Series, pl.Series] | None:
        """The distinct faults in words (String), and which of them each record has (UInt32).

        None if they contain texts of the records, or there are too many of them.
        """
        if self._sentences is None or self._combinations is None or self._sentences.gaps:
            return None
        return pl.Series(self._sentences.constants[0]), self._combinations.kinds

    def sentences(self, start: int, length: int) -> Sentences:
        """The faults in words of `length` records from the one numbered `start`."""
        if self.distinct_sentences is not None:
            texts, numbers = self.distinct_sentences
            return Sentences(texts, numbers.slice(start, length))
        if self._sentences is None or self._combinations is None:
            return Sentences(self._listed_sentences.joined(start, length), None)
        sentences, kinds = self._sentences, self._combinations.kinds.slice(start, length)
        line = {}
        for place, constants in enumerate(sentences.constants):
            line[f"constant {place}"] = pl.Series(constants, dtype=pl.String).gather(kinds)
            if place < len(sentences.gaps):
                line[f"gap {place}"] = sentences.gaps[place].slice(start, length)
        whole = pl.concat_str(pl.all(), ignore_nulls=True)
        return Sentences(pl.DataFrame(line).select(whole).to_series(), None)

    def _lines(self, start: int, length: int) -> memoryview:
        records, indexes = self.records, self.indexes.slice(start, length)
        line = JsonLine()
        line.add_to_quote(self._places(indexes))
        self._add_errors(line, start, length)
        texts = gathered(records.texts, indexes)
        escapable = None if records.escapable is None else gathered(records.escapable, indexes)
        places = None if escapable is None else escapable.arg_true()
        line.add_quoted(escaped(texts, places, only=records.only_escaped))
        line.add("}")
        buffer = self.buffers.free()
        line.write(buffer)
        return written_part(buffer)

    def _places(self, indexes: pl.Series) -> pl.Series:
        """The beginning of each line, up to the quote before `errors`."""
        block = self.records.block
        lines = gathered(self.records.lines, indexes).cast(pl.UInt64) + block.first_line
        numbers = (
            indexes.cast(pl.UInt64) + self.first_row,
            lines,
            self.records.begins(indexes) + block.offset,
            pl.Series([None]).new_from_index(0, len(indexes)),
        )
        # Numbers are written as JSON in less time than they are turned into texts and joined.
        frame = pl.DataFrame(dict(zip(_PLACE, numbers, strict=True)))
        return frame.select(pl.struct(_PLACE).struct.json_encode().str.head(-_CUT)).to_series()

    def _add_errors(self, line: JsonLine, start: int, length: int) -> None:
        """Add the faults, between the quote before `errors` and the one before the text."""
        errors = self._errors
        if errors is None or self._combinations is None:
            line.add(_BEFORE)
            line.add(self._listed_errors.joined(start, length))
            line.add(_AFTER)
            return
        kinds = self._combinations.kinds.slice(start, length)
        add = line.add_to_quote if errors.is_quoted else line.add
        *constants, last = (pl.Series(own, dtype=pl.String) for own in errors.constants)
        for own, gap in zip(constants, errors.gaps, strict=True):
            add(own.gather(kinds))
            add(gap.slice(start, length))
        line.add(last.gather(kinds))

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
        return [self._row_numbers[column.places] for column in self.faults]

    @cached_property
    def _row_numbers(self) -> pl.Series:
        """The number of each of the block's records among the rejected ones, null for others."""
        # Looking the rows up takes less time than a search for each of them.
        nothing = pl.Series([None], dtype=pl.UInt32).new_from_index(0, len(self.records))
        numbers = pl.int_range(len(self), dtype=pl.UInt32, eager=True)
        return nothing.scatter(self.indexes, numbers)
