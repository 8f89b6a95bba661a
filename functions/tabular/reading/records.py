"""Cuts a block's bytes into records, and these into cells.

A record is sound if it has as many cells as the header, well-formed quotes, no NUL, no bytes that
cannot be decoded, and no more than MAX_RECORD_BYTES.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from io import BytesIO
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tabular.correction_format import APOSTROPHE, FORMULA_STARTS, LOST
from tabular.reading.blocks import Block
from tabular.reading.csv_reader import read_rows, schema_of
from tabular.reading.escapes import plain_dialect, rewritten
from tabular.reading.grammar import MAX_RECORD_BYTES
from tabular.reading.lines import Lines
from tabular.reading.record_syntax import as_wide, delimiters, well_formed, without_spaces
from tabular.reading.simple_records import are_simple, cut
from tabular.values.gathering import gathered

if TYPE_CHECKING:
    from tabular.reading.layout import Layout


class Parsed(NamedTuple):
    """Records cut into cells.

    `indexes` (UInt32) are the records' indexes in the block. `cells` has a String column for each
    cell of the header. `widths` (UInt32) is the number of cells of each record; None: all have as
    many as the header. The missing cells of short records are empty, the extra cells of long ones
    are left out.

    Example, under a header of three cells: the records `1,2` and `3,4,5,6` give the rows
    `("1", "2", "")` and `("3", "4", "5")`, and the widths 2 and 4.
    """

    indexes: pl.Series
    cells: pl.DataFrame
    widths: pl.Series | None


class _Readable(NamedTuple):
    """Well-formed records of a plain dialect that are not too long.

    `which` (Boolean) of a block's records they are; None: all. `texts` are theirs. `certain`
    (Boolean) of them have quotes and are certainly as wide as the header, `quoted` (Boolean) have
    quotes and may have another width; None: none has quotes.
    """

    which: pl.Series | None
    texts: pl.Series
    quoted: pl.Series | None
    certain: pl.Series | None


class Records:
    """The data records of one block, in order, without the blank lines and comments to skip.

    `texts` (String) are the records without line ends, `lines` (UInt32) the index of each one's
    first physical line within the block. `patched` (UInt32) are the indexes of corrected records,
    None if there is none: see `patches`.
    """

    patched: pl.Series | None = None

    def __init__(self, block: Block, layout: Layout) -> None:
        self.block = block
        self._layout = layout
        self._decoded = block.decoded or layout.codec.decoded(block.original)
        self._text = self._decoded.text
        physical = block.spans.physical
        if physical is None or physical.text != self._text:
            is_original = self._text is block.original
            physical = Lines(self._text, block.spans.marks if is_original else None)
            physical.is_utf8 = True
        self._physical = physical
        self.lines, self.texts = self._joined(self._physical.contents.clone())
        self._record_count = len(self.texts)
        self._skip()

    def __len__(self) -> int:
        return len(self.texts)

    def keep(self, most: int) -> None:
        """Leave out all but the first `most` records. It must be called before anything is read."""
        if most < len(self):
            self.lines, self.texts = self.lines.head(most), self.texts.head(most)

    @cached_property
    def parsed(self) -> Parsed:
        """The records that are well-formed and not too long, cut into cells."""
        found = None
        # Polars' CSV reader reads well-formed records as plain dialects have them.
        if len(self):
            plain = self._layout.grammar_utf8.is_plain_in(self._text) or self._is_spaced
            found = self._read_plain() if plain else self._read_rewritten()
        if found is None:
            found = self._read_by_kind()
        return self._without_last_delimiter(found) if self._layout.trailing_delimiter else found

    @cached_property
    def too_long(self) -> pl.Series:
        """The indexes (UInt32) of records of more than MAX_RECORD_BYTES."""
        if len(self._text) <= MAX_RECORD_BYTES:
            return pl.Series(dtype=pl.UInt32)
        return (self.texts.str.len_bytes() > MAX_RECORD_BYTES).arg_true()

    @cached_property
    def with_nul(self) -> pl.Series:
        """The indexes (UInt32) of records with a NUL character."""
        is_original = self._text is self.block.original
        if b"\0" not in (self.block.spans.marks if is_original else self._text):
            return pl.Series(dtype=pl.UInt32)
        return self.texts.str.contains("\0", literal=True).arg_true()

    def among(self, indexes: pl.Series) -> pl.Series:
        """Which of all records are those with these indexes (Boolean)."""
        return self._none.scatter(indexes, True)

    @cached_property
    def escapable(self) -> pl.Series | None:
        """Which records may contain characters that JSON escapes (Boolean); None: any.

        Where a block's only such characters are quotes, line ends and NULs, the line ends are in
        quoted cells.
        """
        layout = self._layout
        # The marks are those of the original: in UTF-8 they are what they are, damaged or not.
        other_bytes = layout.codec.byte_structured and layout.codec.name != "utf-8"
        if other_bytes and self._text is not self.block.original:
            return None
        if not layout.grammar_utf8.is_plain_in(self._text):
            return None
        quote = (layout.dialect.quote_char or "").encode()
        if self.block.spans.marks.translate(None, b"\r\n\0" + quote):
            return None
        found = self._none if self.quoted is None else self.quoted
        return found.clone().scatter(self.with_nul, True) if len(self.with_nul) else found

    @cached_property
    def only_escaped(self) -> tuple[str, ...]:
        """The characters in the block's records that JSON escapes, if they are quotes and NULs.

        It is empty where that is not known.
        """
        quote = self._layout.dialect.quote_char
        if self.escapable is None or self.block.spans.multi or quote not in (None, '"'):
            return ()
        quotes = () if self.quoted is None else ('"',)
        return (*quotes, "\0") if len(self.with_nul) else quotes

    @cached_property
    def formula_starts(self) -> tuple[str, ...]:
        """The characters that cells begin with which a spreadsheet may take for a formula."""
        ends = "" if self.block.spans.multi else "\r\n"  # a cell without quotes has none
        found = tuple(start for start in FORMULA_STARTS if start not in ends and self.has(start))
        return (*found, APOSTROPHE) if found and self.has(APOSTROPHE) else found

    @cached_property
    def has_bare_cells(self) -> bool:
        """Whether no cell has a comma, a quote or a line end. False where that is not known."""
        dialect, quoted = self._layout.dialect, self.quoted
        if self.patched is not None or not self._layout.grammar_utf8.is_plain_in(self._text):
            return False
        # A cell without quotes has no delimiter, no quote character and no line end.
        return (
            (dialect.delimiter == "," or not self.has(","))
            and (dialect.quote_char == '"' or not self.has('"'))
            and (quoted is None or not gathered(quoted, self.parsed.indexes).any())
        )

    @cached_property
    def has_comma_or_quote(self) -> pl.Series:
        """Which records have a comma, a quote or a line end (Boolean), if their cells are bare."""
        dialect, parsed = self._layout.dialect, self.parsed
        if dialect.delimiter != "," or dialect.quote_char != '"' or self._layout.trailing_delimiter:
            return self.texts.str.contains('[",\r\n]')
        # A record that could not be cut into cells has a quote.
        every = pl.Series([True]).new_from_index(0, len(self))
        if parsed.widths is None:
            return every if self._layout.width > 1 else every.scatter(parsed.indexes, False)
        return every.scatter(parsed.indexes, parsed.widths > 1)

    def has(self, text: str) -> bool:
        """Whether a text is anywhere in the block."""
        encoded = text.encode()
        # Single bytes are found ten times as fast, and mostly one of them is missing.
        return all(bytes((byte,)) in self._text for byte in encoded) and encoded in self._text

    @cached_property
    def longest(self) -> int:
        """The number of bytes of the longest record's text in UTF-8, at least."""
        longest = self.texts.str.len_bytes().max()
        return longest if isinstance(longest, int) else 0

    @cached_property
    def rows_of_cells(self) -> pl.Series:
        """The row of each record among the parsed cells (UInt32), null if it is not parsed."""
        indexes = self.parsed.indexes
        rows = pl.int_range(len(indexes), dtype=pl.UInt32, eager=True)
        nothing = pl.Series([None], dtype=pl.UInt32).new_from_index(0, len(self))
        return nothing.scatter(indexes, rows)

    @cached_property
    def unsaid(self) -> pl.Series | None:
        """Which records have text that their cells do not show (Boolean); None: none has any."""
        parsed = self.parsed
        found = None
        if parsed.widths is not None:
            found = self._none.scatter(parsed.indexes, parsed.widths != self._layout.width)
        if len(parsed.indexes) < len(self):
            unparsed = pl.Series([True]).new_from_index(0, len(self))
            unparsed = unparsed.scatter(parsed.indexes, False)
            found = unparsed if found is None else found | unparsed
        for damaged in (self.undecodable, self.with_nul):
            if len(damaged):
                found = (self._none if found is None else found).scatter(damaged, True)
        if found is not None and self.patched is not None:
            found = found.scatter(self.patched, False)  # their text is not what they contain
        return found

    @cached_property
    def undecodable(self) -> pl.Series:
        """The indexes (UInt32) of records with bytes that cannot be decoded."""
        _, listed, marked, intact = self._decoded
        if marked:
            return self.texts.str.contains(LOST, literal=True).arg_true()
        bad_lines = pl.Series("line", listed, dtype=pl.UInt32)
        if intact is not None:
            bad_lines = (Lines(intact).contents != self._physical.contents).arg_true().alias("line")
        if not len(bad_lines):
            return pl.Series(dtype=pl.UInt32)
        bad = bad_lines.to_frame()
        # A line that belongs to no record was skipped.
        records = pl.DataFrame({"line": self.lines, "last": self._last_lines}).with_row_index()
        found = bad.join_asof(records, on="line", strategy="backward")
        return found.filter(pl.col("line") <= pl.col("last"))["index"].unique().sort()

    def extra_cells(self, index: int, most: int) -> list[str]:
        """The first cells, `most` at most, that a record has beyond the header's width."""
        text, layout = str(self.texts[index]), self._layout
        quote, wanted = layout.dialect.quote_char, layout.width + most
        if layout.grammar_utf8.is_plain and (quote is None or quote not in text):
            return text.split(layout.dialect.delimiter, wanted)[layout.width : wanted]
        cells = layout.grammar_utf8.cells(text.encode()) or []
        return cells[layout.width : wanted]

    def cells_of(self, texts: pl.Series, width: int) -> pl.DataFrame | None:
        """The first `width` cells of well-formed records, null for missing ones.

        None if these records cannot be read a whole column at a time.
        """
        grammar = self._layout.grammar_utf8
        if grammar.is_plain:
            frame = self._parse(texts, as_read=False, width=width)
            return frame if frame.height == len(texts) else None
        lines = BytesIO()
        texts.to_frame().write_csv(lines, include_header=False, quote_style="never")
        found = rewritten(lines.getvalue(), grammar.dialect, grammar.encoding, grammar.verbatim)
        if found is None:
            return None
        dialect = grammar.dialect
        frame = read_rows(
            found.text, width=width, separator=dialect.delimiter, quote=dialect.quote_char
        )
        return found.restored(frame) if frame.height == len(texts) else None

    @property
    def _none(self) -> pl.Series:
        """False for each record."""
        return pl.Series([False]).new_from_index(0, len(self))

    def _without_last_delimiter(self, parsed: Parsed) -> Parsed:
        """The same records, where one more cell does not count if it is empty."""
        width = self._layout.width
        if parsed.widths is None:
            return parsed
        longer = (parsed.widths == width + 1).arg_true()
        texts = self.texts.gather(parsed.indexes.gather(longer))
        # The delimiter itself may be quoted or escaped, and the last cell a pair of quotes.
        cut = self._layout.grammar_utf8
        quote = self._layout.dialect.quote_char
        certain = texts.str.ends_with(self._layout.dialect.delimiter)
        if not cut.is_plain or (
            quote is not None and texts.str.contains(quote, literal=True).any()
        ):
            cells = (cut.cells(text.encode()) or [""] for text in texts)
            certain = pl.Series([not last for *_, last in cells], dtype=pl.Boolean)
        widths = parsed.widths.scatter(longer.filter(certain), width)
        return parsed._replace(widths=None if (widths == width).all() else widths)

    def _read_rewritten(self) -> Parsed | None:
        """The records, read in the plain dialect of `escapes`; None if that is not possible."""
        grammar = self._layout.grammar_utf8
        found = rewritten(self._text, grammar.dialect, grammar.encoding, grammar.verbatim)
        if found is None:
            return None
        dialect = replace(plain_dialect(grammar.dialect), comment_char=None, comment_rows=())
        layout = replace(
            self._layout, dialect=dialect, encoding=grammar.encoding, blank_rows="reject"
        )
        marks = layout.grammar_utf8.marks(found.text)
        spans = self.block.spans._replace(physical=None, marks=marks)
        plain = Records(Block(found.text, 0, self.block.first_line, spans), layout)
        if len(plain) > len(self):
            kept = plain.lines.is_in(self.lines.implode())
            plain.lines, plain.texts = plain.lines.filter(kept), plain.texts.filter(kept)
        parsed = plain._read_plain()
        return parsed and parsed._replace(cells=found.restored(parsed.cells))

    def _read_by_kind(self) -> Parsed:
        """Records of other dialects: those without quotes and escapes, and others one by one."""
        dialect, width = self._layout.dialect, self._layout.width
        simple = are_simple(self.texts, dialect).scatter(self.too_long, False)
        indexes = simple.arg_true()
        found = cut(self.texts.gather(indexes), dialect, width) if len(indexes) else None
        if found is None:
            return self._read_slowly(pl.int_range(len(self), dtype=pl.UInt32, eager=True))
        frame, widths = found
        others = (~simple).arg_true()
        if len(others):
            more = self._read_slowly(others)
            indexes = pl.concat([indexes, more.indexes])
            order = indexes.arg_sort()
            indexes = indexes.gather(order)
            more_widths = _all(width, len(more.indexes)) if more.widths is None else more.widths
            widths = pl.concat([widths, more_widths]).gather(order)
            frame = pl.concat([frame, more.cells]).select(pl.all().gather(order))
        if (widths == width).all():
            return Parsed(indexes, frame, None)
        return Parsed(indexes, frame.fill_null(""), widths)

    def _read_slowly(self, records: pl.Series) -> Parsed:
        """The records of these indexes (UInt32), read one by one."""
        grammar, width = self._layout.grammar_utf8, self._layout.width
        too_long = set(self.too_long.to_list())
        indexes: list[int] = []
        widths: list[int] = []
        rows: list[list[str]] = []
        padding = [""] * width
        for index, text in zip(records.to_list(), gathered(self.texts, records), strict=True):
            cells = None if index in too_long else grammar.cells(text.encode())
            if cells is not None:
                indexes.append(index)
                widths.append(len(cells))
                rows.append(cells if len(cells) == width else (cells + padding)[:width])
        frame = pl.DataFrame(rows, schema=schema_of(width), orient="row")
        return Parsed(
            pl.Series(indexes, dtype=pl.UInt32),
            frame,
            None if all(n == width for n in widths) else pl.Series(widths, dtype=pl.UInt32),
        )

    def _read_plain(self) -> Parsed | None:
        """What Polars' CSV reader makes of the records.

        It silently pads short records and cuts long ones, so the cells' lengths are compared with
        the record's. None if it turns out to read differently from the dialect.
        """
        width, delimiter = self._layout.width, self._layout.dialect.delimiter
        readable, texts, quoted, certain = self._readable
        # The reader would skip empty lines.
        empty = texts == "" if width > 1 else None
        if empty is not None and empty.any():
            frame = self._parse(texts.set(empty, delimiter * (width - 1)), as_read=False)
        else:
            as_read = len(texts) == self._record_count and not self._is_spaced
            frame = self._parse(texts, as_read=as_read)
        if frame.height != len(texts):
            return None
        doubled = self._doubled(texts, quoted)
        fits = self._fits(texts, frame, quoted).scatter(doubled, False)
        if certain is not None:
            fits |= certain
        if fits.all():
            widths = None
        else:
            widths = self._widths(texts, fits, doubled, quoted=quoted is not None)
            if widths is None:
                return None
            if (widths == width).all():
                widths = None
            else:
                frame = frame.fill_null("")
        everything = pl.int_range(len(self), dtype=pl.UInt32, eager=True)
        return Parsed(
            everything if readable is None else everything.filter(readable), frame, widths
        )

    @property
    def _readable(self) -> _Readable:
        """The records that Polars' CSV reader can read."""
        texts, dialect = self.texts, self._layout.dialect
        quoted = certain = readable = None
        if self.quoted is not None:
            indexes = self.quoted.arg_true()
            spaced = self._is_spaced
            wide = as_wide(gathered(texts, indexes), dialect, self._layout.width, spaced=spaced)
            others = indexes.filter(~wide)
            certain = self._none.scatter(indexes.filter(wide), True)
            malformed = others.filter(~well_formed(gathered(texts, others), dialect, spaced=spaced))
            if len(malformed) < len(others):
                quoted = self._none.scatter(others, True)
            if len(malformed):
                readable = (~self._none).scatter(malformed, False)
        if len(self.too_long):
            readable = (~self._none if readable is None else readable).scatter(self.too_long, False)
        if readable is None:
            return _Readable(None, self._unspaced(texts), quoted, certain)
        quoted = None if quoted is None else quoted.filter(readable)
        certain = None if certain is None else certain.filter(readable)
        return _Readable(readable, self._unspaced(texts.filter(readable)), quoted, certain)

    def _unspaced(self, texts: pl.Series) -> pl.Series:
        return without_spaces(texts, self._layout.dialect) if self._is_spaced else texts

    @cached_property
    def _is_spaced(self) -> bool:
        """Whether only spaces before cells, which don't count, keep records from being plain."""
        grammar = self._layout.grammar_utf8
        return grammar.is_plain_without_spaces and not grammar.is_plain_in(self._text)

    @cached_property
    def quoted(self) -> pl.Series | None:
        """Which records contain quotes (Boolean); None: none do, or there is no quote character."""
        quote = self._layout.dialect.quote_char
        if quote is None or quote.encode() not in self._text:
            return None
        return self.texts.str.contains(quote, literal=True)

    def _fits(self, texts: pl.Series, frame: pl.DataFrame, quoted: pl.Series | None) -> pl.Series:
        """Which well-formed records certainly have as many cells as the header (Boolean).

        A record is as long as its cells, its delimiters and its quotes. The part that was cut off a
        long record has at least one delimiter, and for a short record more delimiters are counted
        than it has. What is found for records with doubled quotes means nothing.
        """
        delimiters = self._layout.width - 1
        lengths = frame.select(pl.sum_horizontal(pl.all().str.len_bytes())).to_series() + delimiters
        if quoted is not None:
            quote = str(self._layout.dialect.quote_char)
            indexes = quoted.arg_true()
            quotes = texts[indexes].str.count_matches(quote, literal=True)
            lengths = lengths.scatter(indexes, lengths[indexes] + quotes)
        return lengths == texts.str.len_bytes()

    def _doubled(self, texts: pl.Series, quoted: pl.Series | None) -> pl.Series:
        """The indexes (UInt32) of records with doubled quotes."""
        if quoted is None:
            return pl.Series(dtype=pl.UInt32)
        indexes = quoted.arg_true()
        doubled = str(self._layout.dialect.quote_char) * 2
        return indexes.filter(texts[indexes].str.contains(doubled, literal=True))

    def _widths(
        self, texts: pl.Series, fits: pl.Series, doubled: pl.Series, *, quoted: bool
    ) -> pl.Series | None:
        """How many cells well-formed records have (UInt32); None: the frame is wrong.

        It is if a record is as wide as the header, has no doubled quotes and yet did not fit.
        `quoted` says whether any that did not fit may have quotes.
        """
        width = self._layout.width
        others = (~fits).arg_true()
        counts = delimiters(gathered(texts, others), self._layout.dialect, quoted=quoted) + 1
        odd = others.filter(counts == width)
        if len(odd) and not odd.is_in(doubled.implode()).all():
            return None
        if len(others) == len(texts):
            return counts
        widths = pl.Series([width], dtype=pl.UInt32).new_from_index(0, len(texts))
        return widths.scatter(others, counts)

    def begins(self, indexes: pl.Series) -> pl.Series:
        """Where these records (ascending) begin in the block's bytes (UInt64)."""
        return gathered(self._starts, gathered(self.lines, indexes))

    def places(self, indexes: pl.Series) -> tuple[pl.Series, pl.Series]:
        """Where these records begin and end in the block's bytes, line ends included (UInt64)."""
        # The line after a record is not always the next one's: lines are skipped.
        ends = gathered(self._starts, gathered(self._last_lines, indexes) + 1)
        return self.begins(indexes), ends

    @cached_property
    def _last_lines(self) -> pl.Series:
        """The index of each record's last line (UInt32)."""
        multi = self.block.spans.multi
        if not multi:
            return self.lines
        last_lines = pl.int_range(len(self._physical.contents), dtype=pl.UInt32, eager=True)
        return last_lines.scatter(multi.firsts, multi.lasts).gather(self.lines)

    @cached_property
    def _starts(self) -> pl.Series:
        """Where the physical lines begin in the original bytes (UInt64), and where they end."""
        if self._text is self.block.original:
            return self._physical.starts
        if self._layout.codec.unit == 1:
            known = self.block.spans.physical
            same = known is not None and known.text == self.block.original
            return (known if known and same else Lines(self.block.original)).starts
        starts = self._physical.wide_starts(self._layout.codec.unit)
        if starts is not None:
            # The very last character may break off.
            return starts.scatter(len(starts) - 1, len(self.block.original))
        lines = self._layout.codec.split_lines(self.block.original)
        return pl.Series(list(accumulate(map(len, lines), initial=0)), dtype=pl.UInt64)

    def _joined(self, physical: pl.Series) -> tuple[pl.Series, pl.Series]:
        """Join the lines of each record."""
        lines = pl.int_range(len(physical), dtype=pl.UInt32, eager=True)
        multi = self.block.spans.multi
        if not multi:
            return lines, physical
        firsts, lasts = (pl.Series(them, dtype=pl.UInt32) for them in (multi.firsts, multi.lasts))
        # The lines after the first one of a range, up to its last one, are in it.
        step = pl.Series([0], dtype=pl.Int32).new_from_index(0, len(physical) + 1)
        step = step.scatter(firsts + 1, 1)
        step = step.scatter(lasts + 1, step.gather(lasts + 1) - 1)
        is_first = step.cum_sum().head(len(physical)) == 0
        joined = physical.scatter(firsts, self._physical.joined(firsts, lasts))
        return lines.filter(is_first), joined.filter(is_first)

    def _skip(self) -> None:
        """Leave out comments, and blank records where they don't count."""
        layout = self._layout
        skipped = _skipped(self.texts, layout)
        if layout.dialect.comment_rows:
            numbers = [row - self.block.first_line for row in layout.dialect.comment_rows]
            in_rows = self.lines.is_in([number for number in numbers if number >= 0])
            skipped = in_rows if skipped is None else skipped | in_rows
        if skipped is not None and skipped.any():
            self.lines = self.lines.filter(~skipped)
            self.texts = self.texts.filter(~skipped)

    def _parse(self, texts: pl.Series, *, as_read: bool, width: int | None = None) -> pl.DataFrame:
        """Read records, which are all of the block's text if `as_read`."""
        dialect = self._layout.dialect
        if as_read and self._physical.regular:
            source: bytes | memoryview = self._text
        else:
            buffer = BytesIO()
            texts.to_frame().write_csv(buffer, include_header=False, quote_style="never")
            source = buffer.getbuffer()
        return read_rows(
            source,
            width=self._layout.width if width is None else width,
            separator=dialect.delimiter,
            quote=dialect.quote_char,
        )


def _all(number: int, count: int) -> pl.Series:
    """A number (UInt32), `count` times."""
    return pl.Series([number], dtype=pl.UInt32).new_from_index(0, count)


def _skipped(texts: pl.Series, layout: Layout) -> pl.Series | None:
    """Which records are comments, or blank ones that don't count; None: none."""
    dialect = layout.dialect
    skipped = None
    if dialect.comment_char:
        skipped = texts.str.starts_with(dialect.comment_char)
    if layout.blank_rows == "reject":
        return skipped
    # Characters alone do not decide: `""""` is a cell that contains one quote.
    blank = texts.str.strip_chars(layout.blank_characters) == ""
    if blank.any():
        candidates = texts.filter(blank).unique().to_list()
        cut = layout.grammar_utf8.cells
        others = [text for text in candidates if not layout.skips(cut(text.encode()) or ["x"])]
        if others:
            blank &= ~texts.is_in(others)
    return blank if skipped is None else skipped | blank
