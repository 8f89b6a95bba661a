"""Faults of whole records: their bytes, quotes, width, or lack of content.

In a damaged record, this module also decides which faults of its cells are reported.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from tabular.faults import Fault, shown
from tabular.reading.grammar import MAX_RECORD_BYTES, Grammar
from tabular.reading.header import as_fields
from tabular.reading.record_syntax import delimiters, well_formed
from tabular.values.fault_columns import DETAIL, FaultColumn, shown_texts
from tabular.values.gathering import gathered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tabular.faults import FaultCode
    from tabular.reading.layout import Layout
    from tabular.reading.records import Parsed, Records
    from tabular.values.columns import Values

MOST_LISTED_CELLS = 20
"""Maximum number of missing or extra cells of a record that are listed one by one. A record of
4 MiB could have millions, each with a fault of a hundred bytes."""
_FILE_STARTS = "\ufeff\x1a"
"""Characters that concatenation leaves before a header: a byte order mark, or DOS's end mark."""
_LOST = "\ufffd"
"""The character that replaces bytes that cannot be decoded."""


class RecordFaults:
    """Finds the faults of a file's records that concern more than one cell."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._fields_of_labels = as_fields(layout.labels, layout.contract)

    def find(
        self,
        records: Records,
        parsed: Parsed,
        values: Sequence[Values],
        of_cells: Sequence[tuple[int | None, FaultColumn]],
        headers: pl.Series,
    ) -> list[FaultColumn]:
        """All faults of a block's records except those of uniqueness, in the order they are listed.

        `values` are the layout's columns of the parsed records, and `of_cells` the faults of their
        cells, by place among the parsed records, each with the position of its column in the file.
        `headers` are `repeated_headers`.
        """
        found = self._of_text(records, parsed)
        blank = self._blank(records, parsed, values, of_cells)
        if len(headers):
            found.append(_of_rows(headers, "repeated-header", "the row repeats the header", parsed))
            blank = blank.filter(~blank.is_in(headers.implode()))
        found.append(_of_rows(blank, "blank-row", "the row has no content", parsed))
        whole = pl.concat([blank, headers])  # their other faults would be noise
        lost = self._lost(records, parsed)
        for position, column in of_cells:
            kept = column.without(whole)
            if position is not None and parsed.widths is not None:
                kept = kept.filter(parsed.widths.gather(kept.places) > position)
            if position is not None:
                for mark, places in lost:
                    cells = parsed.cells.to_series(position).gather(places)
                    kept = kept.without(places.filter(cells.str.contains(mark, literal=True)))
            found.append(kept.moved(parsed.indexes))
        if parsed.widths is not None:
            found += [
                column.without(whole).moved(parsed.indexes)
                for column in (
                    self._missing(parsed.widths),
                    *self._extra(records, parsed, parsed.widths),
                )
            ]
        return found

    def sound(self, records: Records, parsed: Parsed) -> pl.Series | None:
        """Which parsed records have the header's width and undamaged text (Boolean); None: all."""
        sound = None if parsed.widths is None else parsed.widths == self._layout.width
        for damaged in (records.undecodable, records.with_nul):
            if len(damaged):
                intact = ~gathered(records.among(damaged), parsed.indexes)
                sound = intact if sound is None else sound & intact
        return sound

    def repeated_headers(self, parsed: Parsed, sound: pl.Series | None) -> pl.Series:
        """The places (UInt32) of sound records that repeat the header.

        Concatenated files have such rows. In a file of one column none is looked for: the name may
        be a value, such as "word" in a list of words.
        """
        labels = self._layout.labels
        nothing = pl.Series(dtype=pl.UInt32)
        if not self._layout.dialect.header or len(labels) == 1:
            return nothing
        same = (parsed.cells[:, -1] == labels[-1]).arg_true()
        for position, label in enumerate(labels[:-1]):
            if not len(same):
                return nothing
            column = parsed.cells[:, position].gather(same)
            if not position:
                column = column.str.strip_chars_start(_FILE_STARTS)
            same = same.filter(column == label)
        return same if sound is None else same.filter(sound.gather(same))

    def _of_text(self, records: Records, parsed: Parsed) -> list[FaultColumn]:
        """Faults that are found before a record is cut into cells."""
        too_long = records.too_long
        sizes = records.texts.gather(too_long).str.len_bytes().cast(pl.String)
        long = f"the record has {DETAIL} bytes; the limit is {MAX_RECORD_BYTES}"
        found = [
            FaultColumn(too_long, [(_source_error(long),)], details=sizes),
            FaultColumn(records.undecodable, [(self._encoding_fault(),)]).without(too_long),
            FaultColumn(
                records.with_nul, [(_source_error("the record contains a NUL character"),)]
            ).without(too_long),
        ]
        if len(parsed.indexes) < len(records):
            unparsed = pl.Series([True]).new_from_index(0, len(records))
            unparsed = unparsed.scatter(parsed.indexes, False).arg_true()
            found.append(self._misquoted(records, unparsed).without(too_long))
        return found

    def _misquoted(self, records: Records, unparsed: pl.Series) -> FaultColumn:
        """Faults of quotes, with the setting that makes the row readable, if there is one."""
        message = "unterminated or misplaced quote"
        hint = '; with "skipInitialSpace": true in the dialect the row can be read'
        templates = [
            (_source_error(message, "quoteChar"),),
            (_source_error(message + hint, "quoteChar"),),
        ]
        texts, dialect = gathered(records.texts, unparsed), self._layout.dialect
        before = f" {dialect.quote_char}"
        hinted = pl.Series(dtype=pl.UInt32)
        if records.has(before):
            hinted = texts.str.contains(before, literal=True).arg_true()
        if not len(hinted):
            return FaultColumn(unparsed, templates)
        readable = self._readable_if_spaced(gathered(texts, hinted))
        kinds = pl.Series([0], dtype=pl.UInt32).new_from_index(0, len(unparsed))
        kinds = kinds.scatter(hinted.filter(readable), 1)
        return FaultColumn(unparsed, templates, kinds)

    def _readable_if_spaced(self, texts: pl.Series) -> pl.Series:
        """Which records could be read if spaces after a delimiter were ignored (Boolean)."""
        dialect, width = self._layout.dialect, self._layout.width
        if self._layout.grammar_utf8.is_plain and dialect.delimiter != " ":
            cells = delimiters(texts, dialect, quoted=True) + 1
            return well_formed(texts, dialect, spaced=True) & (cells == width)
        spaced = Grammar(replace(dialect, skip_initial_space=True))
        found = (spaced.cells(text.encode()) for text in texts)
        readable = [cells is not None and len(cells) == width for cells in found]
        return pl.Series(readable, dtype=pl.Boolean)

    def _blank(
        self,
        records: Records,
        parsed: Parsed,
        values: Sequence[Values],
        of_cells: Sequence[tuple[int | None, FaultColumn]],
    ) -> pl.Series:
        """The places (UInt32) of parsed records without content, if these are faulty.

        Such a record has no value, no cell that could not be read, and no extra cell with content.
        """
        nothing = pl.Series(dtype=pl.UInt32)
        # Where blank rows are skipped, only a correction can leave one without content.
        none_is = self._layout.blank_rows == "skip-white" and records.patched is None
        if none_is or not parsed.cells.height:
            return nothing
        blank = None
        for (position, _), column in zip(
            ((column.position, None) for column in self._layout.columns), values, strict=True
        ):
            null = column.texts.is_null()
            if parsed.widths is not None and position is not None:
                null |= parsed.widths <= position
            blank = null if blank is None else blank & null
            if not blank.any():
                return nothing
        if blank is None:
            return nothing
        for position, faults in of_cells:
            unread = faults.having("type-error")
            if parsed.widths is not None and position is not None:
                unread = unread.filter(parsed.widths.gather(unread) > position)
            blank = blank.scatter(unread, False)
        places = blank.arg_true()
        if parsed.widths is None:
            return places
        long = places.filter(gathered(parsed.widths, places) > self._layout.width)
        if not len(long):
            return places
        texts = gathered(records.texts, gathered(parsed.indexes, long))
        # The text before an empty last cell ends with a delimiter; the cell is a pair of quotes,
        # ignored spaces, or nothing.
        ends = list(self._layout.dialect.blank_characters)
        candidates = texts.filter(texts.str.slice(-1).is_in(ends)).unique()
        empty = [text for text in candidates if self._has_empty_extras(text)]
        full = long.filter(~texts.is_in(empty)) if empty else long
        return places.filter(~places.is_in(full.implode()))

    def _has_empty_extras(self, text: str) -> bool:
        cells = self._layout.grammar_utf8.cells(text.encode()) or []
        return not any(cells[self._layout.width :])

    @staticmethod
    def _lost(records: Records, parsed: Parsed) -> list[tuple[str, pl.Series]]:
        """The marks of damage in cells, and the places (UInt32) at which each may occur."""
        return [
            (mark, gathered(records.among(indexes), parsed.indexes).arg_true())
            for mark, indexes in ((_LOST, records.undecodable), ("\0", records.with_nul))
            if len(indexes)
        ]

    def _missing(self, widths: pl.Series) -> FaultColumn:
        """The missing cells of short records, by place."""
        places = (widths < self._layout.width).arg_true()
        counts = widths.gather(places)
        distinct = counts.unique().sort()
        return FaultColumn(
            places,
            [self._missing_cells(count) for count in distinct.to_list()],
            counts.replace_strict(distinct, range(len(distinct)), return_dtype=pl.UInt32),
        )

    def _missing_cells(self, count: int) -> tuple[Fault, ...]:
        labels = self._fields_of_labels
        message = f"the row has {count} of {len(labels)} cells"
        listed = labels[count : count + MOST_LISTED_CELLS]
        faults = [Fault(label, "missing-cell", None, message, None) for label in listed]
        more = len(labels) - count - len(listed)
        if more:
            message += f": {more} more than those listed are missing"
            faults.append(Fault(None, "missing-cell", None, message, None))
        return tuple(faults)

    def _extra(self, records: Records, parsed: Parsed, widths: pl.Series) -> list[FaultColumn]:
        """The extra cells of long records, by place."""
        width, quote = self._layout.width, self._layout.dialect.quote_char
        long = (widths > width).arg_true()
        if not len(long):
            return []
        texts = gathered(records.texts, gathered(parsed.indexes, long))
        single = widths.gather(long) == width + 1
        if not self._layout.grammar_utf8.is_plain:
            single &= False
        elif quote is not None and records.quoted is not None:
            single &= ~texts.str.contains(quote, literal=True)
        message = self._extra_message(width + 1, width + 1)
        places = long.filter(single)
        # What comes after the header's cells and their delimiters.
        cells = pl.DataFrame(gathered(column, places) for column in parsed.cells)
        start = cells.select(start=pl.sum_horizontal(pl.all().str.len_chars()) + width)
        frame = start.with_columns(text=texts.filter(single))
        values = frame.select(pl.col("text").str.slice(pl.col("start"))).to_series()
        found = [
            FaultColumn(
                places,
                [(Fault(None, "extra-cell", None, message, None),)],
                values=shown_texts(values),
                verbatim=True,
            )
        ]
        others, other_texts = long.filter(~single), texts.filter(~single)
        counts = gathered(widths, long).filter(~single)
        if not len(others):
            return found
        longest = min(counts.max(), width + MOST_LISTED_CELLS)  # type: ignore[type-var]
        extra = records.cells_of(other_texts, longest)  # type: ignore[arg-type]
        if extra is not None:
            found.append(self._listed(others, counts, extra))
        else:
            distinct = pl.DataFrame({"text": other_texts, "place": others}).unique("text")
            templates = [
                self._extra_cells(records, int(parsed.indexes[place]), int(widths[place]))
                for place in distinct["place"].to_list()
            ]
            kinds = other_texts.replace_strict(
                distinct["text"], range(len(distinct)), return_dtype=pl.UInt32
            )
            found.append(FaultColumn(others, templates, kinds))
        return found

    def _listed(self, places: pl.Series, counts: pl.Series, cells: pl.DataFrame) -> FaultColumn:
        """The extra cells of long records.

        `counts` are how many cells each record has, of which `cells` are the first.
        """
        distinct = counts.unique().sort()
        kinds = counts.replace_strict(distinct, range(len(distinct)), return_dtype=pl.UInt32)
        return FaultColumn(
            places,
            [self._listed_faults(count) for count in distinct.to_list()],
            kinds,
            cells=tuple(map(shown_texts, cells.get_columns()[self._layout.width :])),
            verbatim=True,
        )

    def _listed_faults(self, count: int) -> tuple[Fault, ...]:
        """The faults of a record of `count` cells, without values."""
        numbers = range(self._layout.width + 1, count + 1)
        messages = [self._extra_message(count, number) for number in numbers[:MOST_LISTED_CELLS]]
        faults = [Fault(None, "extra-cell", None, message, None) for message in messages]
        if len(numbers) > len(faults):
            faults.append(self._more_extra(count, len(faults)))
        return tuple(faults)

    def _extra_cells(self, records: Records, index: int, count: int) -> tuple[Fault, ...]:
        width = self._layout.width
        listed = records.extra_cells(index, MOST_LISTED_CELLS)
        faults = [
            Fault(None, "extra-cell", None, self._extra_message(count, number), shown(cell))
            for number, cell in enumerate(listed, width + 1)
        ]
        if count > width + len(listed):
            faults.append(self._more_extra(count, len(listed)))
        return tuple(faults)

    def _more_extra(self, count: int, listed: int) -> Fault:
        width = self._layout.width
        more = count - width - listed
        message = f"the row has {count} cells, the header {width}: {more} more cells are extra"
        return Fault(None, "extra-cell", None, message, None)

    def _extra_message(self, count: int | str, number: int) -> str:
        width = self._layout.width
        return f"the row has {count} cells, the header {width}: cell {number} is extra"

    def _encoding_fault(self) -> Fault:
        encoding = self._layout.encoding
        message = f"the row has bytes that are not valid {encoding}"
        if not self._layout.bom:  # which nothing in the contract outweighs
            message += "; if the whole file is in another encoding, name it in the contract"
            if self._layout.likely_encoding:
                message += f', such as "encoding": "{self._layout.likely_encoding}"'
        return Fault(None, "encoding-error", "encoding", message, None)


def _of_rows(places: pl.Series, code: FaultCode, message: str, parsed: Parsed) -> FaultColumn:
    """A fault of whole records, by their place among the parsed ones."""
    return FaultColumn(places, [(Fault(None, code, None, message, None),)]).moved(parsed.indexes)


def _source_error(message: str, rule: str | None = None) -> Fault:
    return Fault(None, "source-error", rule, message, None)
