"""From a block's bytes to its records, and to their cells.

A record is sound if it has as many cells as the header, well-formed quotes, no NUL, no bytes that
cannot be decoded, and no more than MAX_RECORD_BYTES. The others are looked at one by one.
"""

from __future__ import annotations

import re
from functools import cached_property
from io import BytesIO
from itertools import accumulate
from typing import TYPE_CHECKING

import polars as pl

from tabular.csv_reader import read_rows, schema_of
from tabular.reading.grammar import MAX_RECORD_BYTES
from tabular.reading.line_ends import strip_line_end
from tabular.reading.lines import Lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tabular.reading.blocks import Block
    from tabular.reading.layout import Layout


class Records:
    """The data records of one block, in order: blank lines and comments are gone where skipped.

    `texts` (String) are the records without line ends, `lines` (UInt32) the index of each one's
    first physical line within the block.
    """

    def __init__(self, block: Block, layout: Layout) -> None:
        self.block = block
        self._layout = layout
        self._text, self._bad_lines = layout.codec.to_utf8(block.original)
        physical = block.spans.physical
        if physical is None or physical.text != self._text:
            physical = Lines(self._text)
        self._physical = physical
        self.lines, self.texts = self._joined(self._physical.contents.clone())
        self._record_count = len(self.texts)
        self._skip()

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def sound(self) -> pl.Series:
        """Which records are sound (Boolean)."""
        return self._cut[0]

    @property
    def cut(self) -> pl.Series:
        """The indexes (UInt32) of the records that `cells` has: all sound ones, a few others."""
        return self._cut[1]

    @property
    def cells(self) -> pl.DataFrame:
        """The cells of the records in `cut`: a String column each."""
        return self._cut[2]

    @cached_property
    def escapable(self) -> pl.Series | None:
        """Which records' cells may hold what JSON escapes (Boolean); None: any.

        Where a block's only such characters are quotes and line ends, they are in quoted cells.
        """
        layout = self._layout
        if layout.codec.byte_structured and self._text is not self.block.original:
            return None  # the marks are those of other bytes
        if not layout.grammar_utf8.is_plain_in(self._text):
            return None
        quote = (layout.dialect.quote_char or "").encode()
        if self.block.spans.marks.translate(None, b"\r\n" + quote):
            return None
        return self._none if self._quoted is None else self._quoted

    @property
    def has_undecodable(self) -> bool:
        """Whether any bytes of the block cannot be decoded."""
        return bool(self._bad_lines)

    @cached_property
    def undecodable(self) -> pl.Series:
        """Which records hold bytes that cannot be decoded (Boolean)."""
        bad = pl.Series(self._bad_lines, dtype=pl.UInt32)
        before = self.lines.search_sorted(bad, side="right").to_list()
        last_of = dict(self.block.spans.multi)
        indexes = []
        for line, after in zip(self._bad_lines, before, strict=True):
            # A line that belongs to no record was skipped.
            if after and line <= last_of.get(first := self.lines[after - 1], first):
                indexes.append(after - 1)
        return self._none.scatter(indexes, True)

    @cached_property
    def _cut(self) -> tuple[pl.Series, pl.Series, pl.DataFrame]:
        """`sound`, `cut` and `cells`."""
        readable = self._readable()
        # Polars' CSV reader reads sound records as plain dialects have them.
        if len(self) and self._layout.grammar_utf8.is_plain_in(self._text):
            found = self._read_plain(readable)
            if found is not None:
                return found
        grammar, width = self._layout.grammar_utf8, self._layout.width
        rows = [grammar.cells(text.encode()) for text in self.texts]
        fits = [cells is not None and len(cells) == width for cells in rows]
        sound = pl.Series(fits, dtype=pl.Boolean) & readable
        sound_rows = [row for row, wanted in zip(rows, sound, strict=True) if wanted]
        cells = pl.DataFrame(sound_rows, schema=schema_of(width), orient="row")
        return sound, sound.arg_true(), cells

    @property
    def _none(self) -> pl.Series:
        """False for each record."""
        return pl.Series([False]).new_from_index(0, len(self))

    def _readable(self) -> pl.Series:
        """Which records are decoded without loss, not too long and without NUL (Boolean)."""
        readable = ~self._none
        if self._bad_lines:
            readable &= ~self.undecodable
        if b"\0" in self._text:
            readable &= ~self.texts.str.contains("\0", literal=True)
        if len(self._text) > MAX_RECORD_BYTES:
            readable &= self.texts.str.len_bytes() <= MAX_RECORD_BYTES
        return readable

    def _read_plain(self, readable: pl.Series) -> tuple[pl.Series, pl.Series, pl.DataFrame] | None:
        """`sound`, `cut` and `cells` of the readable records, by Polars' CSV reader.

        It pads short records and cuts long ones, without a word, so the cells' lengths are compared
        with the record's; what it made of these is among the cells. None where it turns out to read
        otherwise than the dialect has it.
        """
        quoted = self._quoted
        if quoted is not None:
            indexes = quoted.arg_true()
            well_formed = self._well_formed(self.texts.gather(indexes))
            readable = readable.scatter(indexes, readable.gather(indexes) & well_formed)
        if self._layout.width > 1:
            readable &= self.texts != ""  # the reader would skip it
        texts = self.texts
        if not readable.all():
            texts = texts.filter(readable)
            quoted = None if quoted is None else quoted.filter(readable)
        frame = self._parse(texts)
        if frame.height != len(texts):
            return None
        fits = self._fits(texts, frame, quoted)
        if fits is None:
            return None
        cut = readable.arg_true()
        return readable.scatter(cut, fits), cut, frame

    @cached_property
    def _quoted(self) -> pl.Series | None:
        """Which records hold quotes (Boolean); None: none, or there is no quote character."""
        quote = self._layout.dialect.quote_char
        if quote is None or quote.encode() not in self._text:
            return None
        return self.texts.str.contains(quote, literal=True)

    def _well_formed(self, texts: pl.Series) -> pl.Series:
        """Whether quotes stand where they may, for records of a plain dialect."""
        quote = re.escape(self._layout.dialect.quote_char or "")
        delimiter = re.escape(self._layout.dialect.delimiter)
        inner = f"[^{quote}]*"
        cell = f"(?:{quote}{inner}(?:{quote}{quote}{inner})*{quote}|[^{quote}{delimiter}]*)"
        return texts.str.contains(f"^{cell}(?:{delimiter}{cell})*$")

    def _fits(
        self, texts: pl.Series, frame: pl.DataFrame, quoted: pl.Series | None
    ) -> pl.Series | None:
        """Which well-formed records have as many cells as the header; None: the frame is wrong.

        Doubled quotes aside, a record is as long as its cells, its delimiters and its quotes. What
        has been cut off a long record has a delimiter at least, and to a short one delimiters that
        it does not have are counted.
        """
        delimiters = self._layout.width - 1
        lengths = frame.select(pl.sum_horizontal(pl.all().str.len_bytes())).to_series() + delimiters
        doubled = pl.Series(dtype=pl.UInt32)
        if quoted is not None:
            quote = str(self._layout.dialect.quote_char)
            indexes = quoted.arg_true()
            some = texts.gather(indexes)
            quotes = some.str.count_matches(quote, literal=True)
            lengths = lengths.scatter(indexes, lengths.gather(indexes) + quotes)
            doubled = indexes.filter(some.str.contains(quote * 2, literal=True))
        fits = (lengths == texts.str.len_bytes()).scatter(doubled, False)
        others = (~fits).arg_true()
        if not len(others):
            return fits
        fit_though = self._delimiters(texts.gather(others)) == delimiters
        if not others.filter(fit_though).is_in(doubled.implode()).all():
            return None
        return fits.scatter(others, fit_though)

    def _delimiters(self, texts: pl.Series) -> pl.Series:
        """How many delimiters well-formed records have outside of quotes."""
        if self._layout.dialect.quote_char is not None:
            quote = re.escape(self._layout.dialect.quote_char)
            texts = texts.str.replace_all(f"{quote}[^{quote}]*{quote}", "")
        return texts.str.count_matches(self._layout.dialect.delimiter, literal=True)

    def original(self, indexes: Sequence[int]) -> list[tuple[int, bytes]]:
        """Where these records begin in the file, and their bytes there with their line ends."""
        lines = self.lines.gather(list(indexes)).to_list()
        # The line after a record is not always the next one's: lines are skipped.
        last_of = dict(self.block.spans.multi)
        starts = self._offsets(lines)
        ends = self._offsets([last_of.get(line, line) + 1 for line in lines])
        offset, data = self.block.offset, self.block.original
        return [(offset + start, data[start:end]) for start, end in zip(starts, ends, strict=True)]

    def _offsets(self, lines: list[int]) -> list[int]:
        """Where these physical lines begin in the original bytes."""
        if self._text is self.block.original:
            return self._physical.starts.gather(lines).to_list()
        return [self._original_starts[line] for line in lines]

    @cached_property
    def _original_starts(self) -> list[int]:
        lines = self._layout.codec.split_lines(self.block.original)
        return list(accumulate(map(len, lines), initial=0))

    def _joined(self, physical: pl.Series) -> tuple[pl.Series, pl.Series]:
        """Put the lines of each record together."""
        lines = pl.int_range(len(physical), dtype=pl.UInt32, eager=True)
        multi = self.block.spans.multi
        if not multi:
            return lines, physical
        firsts, lasts = zip(*multi, strict=True)
        starts = self._physical.starts.gather(list(firsts)).to_list()
        ends = self._physical.starts.gather([last + 1 for last in lasts]).to_list()
        texts = [
            strip_line_end(self._text[start:end]).decode()
            for start, end in zip(starts, ends, strict=True)
        ]
        rest = [line for first, last in multi for line in range(first + 1, last + 1)]
        is_first = pl.Series([True]).new_from_index(0, len(physical)).scatter(rest, False)
        joined = physical.scatter(firsts, texts)
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

    def _parse(self, texts: pl.Series) -> pl.DataFrame:
        dialect = self._layout.dialect
        if len(texts) == self._record_count and self._physical.regular:
            source: bytes | memoryview = self._text
        else:
            buffer = BytesIO()
            texts.to_frame().write_csv(buffer, include_header=False, quote_style="never")
            source = buffer.getbuffer()
        return read_rows(
            source,
            width=self._layout.width,
            separator=dialect.delimiter,
            quote=dialect.quote_char,
        )


def _skipped(texts: pl.Series, layout: Layout) -> pl.Series | None:
    """Which records are comments, or blank ones that don't count; None: surely none."""
    dialect = layout.dialect
    skipped = None
    if dialect.comment_char:
        skipped = texts.str.starts_with(dialect.comment_char)
    if layout.blank_rows == "reject":
        return skipped
    # Characters alone do not decide: `""""` is a cell that holds a quote.
    blank = texts.str.strip_chars(layout.blank_characters) == ""
    if blank.any():
        candidates = texts.filter(blank).unique().to_list()
        cut = layout.grammar_utf8.cells
        others = [text for text in candidates if not layout.skips(cut(text.encode()) or ["x"])]
        if others:
            blank &= ~texts.is_in(others)
    return blank if skipped is None else skipped | blank
