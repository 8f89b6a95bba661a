"""From a block's bytes to its records, and to the cells of those that are sound.

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

from tabular.structure import MAX_RECORD_BYTES, has_regular_line_ends, strip_line_end

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tabular.blocks import Block
    from tabular.layout import Layout

_SEPARATORS = "\x01\x02\x03\x1c\x1d\x1e\x1f"
"""One of them that the text doesn't hold makes the CSV reader a reader of lines."""
_DUMMY = b"x\n"
"""Goes before what the CSV reader gets: it would take a byte order mark off the first record."""


class Records:
    """The data records of one block, in order: blank lines and comments are gone where skipped.

    `texts` (String) are the records without line ends, `lines` (UInt32) the index of each one's
    first physical line within the block.
    """

    def __init__(self, block: Block, layout: Layout) -> None:
        self.block = block
        self._layout = layout
        self._text, self._bad_lines = layout.codec.to_utf8(block.original)
        self._regular = has_regular_line_ends(self._text)
        physical = _line_series(self._text, regular=self._regular)
        self._physical_lengths = physical.str.len_bytes()
        self.lines, self.texts = self._joined(physical)
        self._skip()

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def sound(self) -> pl.Series:
        """Which records are sound (Boolean)."""
        texts = self.texts
        if self._is_plain:
            sound = self._plain_sound()
        else:
            width = self._layout.width
            fits = [cells is not None and len(cells) == width for cells in self._rows]
            sound = pl.Series(fits, dtype=pl.Boolean)
        if self._bad_lines:
            sound &= ~self.undecodable
        if b"\0" in self._text:
            sound &= ~texts.str.contains("\0", literal=True)
        if len(self._text) > MAX_RECORD_BYTES:
            sound &= texts.str.len_bytes() <= MAX_RECORD_BYTES
        return sound

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
        return pl.Series([False]).new_from_index(0, len(self)).scatter(indexes, True)

    def cells(self, which: pl.Series) -> pl.DataFrame:
        """The cells of the sound records that `which` (Boolean) tells: a String column each."""
        layout = self._layout
        texts = self.texts if which.all() else self.texts.filter(which)
        names = [str(position) for position in range(layout.width)]
        if self._is_plain and len(texts):
            frame = self._parse(texts, names)
            if frame.height == len(texts):
                return frame
        rows = [row for row, wanted in zip(self._rows, which, strict=True) if wanted]
        return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")

    @cached_property
    def _is_plain(self) -> bool:
        """Whether Polars' CSV reader reads the sound records as the dialect has them."""
        return self._layout.grammar_utf8.is_plain_in(self._text)

    @cached_property
    def _rows(self) -> list[list[str] | None]:
        """The cells of all records, None for malformed ones."""
        grammar = self._layout.grammar_utf8
        return [grammar.cells(text.encode()) for text in self.texts]

    def original(self, indexes: Sequence[int]) -> list[tuple[int, bytes]]:
        """Where these records begin in the file, and their bytes there with their line ends."""
        starts = self._starts
        lines = self.lines.gather(list(indexes)).to_list()
        after = self._lines_after(indexes)
        offset, data = self.block.offset, self.block.original
        return [
            (offset + starts[first], data[starts[first] : starts[end]])
            for first, end in zip(lines, after, strict=True)
        ]

    def _lines_after(self, indexes: Sequence[int]) -> list[int]:
        """The line after each record. It is not always the next record's: lines are skipped."""
        last_of = dict(self.block.spans.multi)
        return [last_of.get(line, line) + 1 for line in self.lines.gather(list(indexes)).to_list()]

    @cached_property
    def _starts(self) -> pl.Series | list[int]:
        """Where each physical line begins in the original bytes, and where the last one ends."""
        original = self.block.original
        known = self.block.spans.starts
        if self._text is original and known is not None:
            return known
        if self._text is original and self._regular:
            line_end = 2 if b"\r" in original else 1
            ends = (self._physical_lengths.cast(pl.UInt64) + line_end).cum_sum()
            return pl.concat([pl.Series([0], dtype=pl.UInt64), ends])
        lines = self._layout.codec.split_lines(original)
        return list(accumulate(map(len, lines), initial=0))

    def _joined(self, physical: pl.Series) -> tuple[pl.Series, pl.Series]:
        """Put the lines of each record together."""
        lines = pl.int_range(len(physical), dtype=pl.UInt32, eager=True)
        multi = self.block.spans.multi
        if not multi:
            return lines, physical
        starts = self.block.spans.starts
        if starts is None or self._text is not self.block.original:
            starts = list(accumulate(map(len, self._text.splitlines(keepends=True)), initial=0))
        firsts = [first for first, _ in multi]
        texts = [
            strip_line_end(self._text[starts[first] : starts[last + 1]]).decode()
            for first, last in multi
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

    def _plain_sound(self) -> pl.Series:
        grammar, width = self._layout.grammar, self._layout.width
        delimiter, quote = self._layout.dialect.delimiter, self._layout.dialect.quote_char
        sound = self.texts.str.count_matches(delimiter, literal=True) == width - 1
        if quote is None or grammar.quote is None or grammar.quote not in self._text:
            return sound
        quoted = self.texts.str.contains(quote, literal=True)
        indexes = quoted.arg_true()
        if not len(indexes):
            return sound
        texts = self.texts.gather(indexes)
        escaped, cell = re.escape(quote), f"[^{re.escape(quote)}]*"
        bare = f"[^{escaped}{re.escape(delimiter)}]*"
        pattern = f"(?:{escaped}{cell}(?:{escaped}{escaped}{cell})*{escaped}|{bare})"
        well_formed = texts.str.contains(f"^{pattern}(?:{re.escape(delimiter)}{pattern})*$")
        outside = texts.str.replace_all(f"{escaped}{cell}{escaped}", "")
        fits = outside.str.count_matches(delimiter, literal=True) == width - 1
        return sound.scatter(indexes, well_formed & fits)

    def _parse(self, texts: pl.Series, names: list[str]) -> pl.DataFrame:
        buffer = BytesIO()
        buffer.write(self._layout.dialect.delimiter.encode() * (len(names) - 1) + b"\n")
        texts.to_frame().write_csv(buffer, include_header=False, quote_style="never")
        frame = pl.read_csv(
            buffer.getvalue(),
            has_header=False,
            separator=self._layout.dialect.delimiter,
            quote_char=self._layout.dialect.quote_char,
            schema=dict.fromkeys(names, pl.String),
            empty_string_is_null=False,
        )
        return frame.slice(1)


def _skipped(texts: pl.Series, layout: Layout) -> pl.Series | None:
    """Which records are comments, or blank ones that don't count; None: surely none."""
    dialect = layout.dialect
    skipped = None
    if dialect.comment_char:
        skipped = texts.str.starts_with(dialect.comment_char)
    if layout.blank_rows == "reject":
        return skipped
    blank_characters = " \t" if dialect.delimiter != "\t" else " "
    if layout.blank_rows == "skip-rows":
        blank_characters = dialect.delimiter + (dialect.quote_char or "")
    # Characters alone do not tell: `""""` is a cell that holds a quote.
    blank = texts.str.strip_chars(blank_characters) == ""
    if layout.blank_rows == "skip-rows" and blank.any():
        really = [
            not any(layout.grammar_utf8.cells(t.encode()) or ["x"]) for t in texts.filter(blank)
        ]
        blank = blank.scatter(blank.arg_true(), pl.Series(really, dtype=pl.Boolean))
    return blank if skipped is None else skipped | blank


def _line_series(text: bytes, *, regular: bool) -> pl.Series:
    """The physical lines without their line ends (String)."""
    separator = next((char for char in _SEPARATORS if char.encode() not in text), None)
    if not regular or separator is None:
        lines = [strip_line_end(line).decode() for line in text.splitlines(keepends=True)]
        return pl.Series(lines, dtype=pl.String)
    frame = pl.read_csv(
        _DUMMY + text,
        has_header=False,
        separator=separator,
        quote_char=None,
        schema={"line": pl.String},
        empty_string_is_null=False,
    )
    return frame.to_series().slice(1)
