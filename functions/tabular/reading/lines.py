"""The physical lines of a text, a whole column of them."""

from __future__ import annotations

from functools import cached_property
from itertools import accumulate

import polars as pl

from tabular.reading.csv_reader import read_rows
from tabular.reading.line_ends import has_regular_line_ends, strip_line_end

_SEPARATORS = "\x01\x02\x03\x1c\x1d\x1e\x1f"
"""With one that the text does not contain as delimiter, the CSV reader reads whole lines."""


class Lines:
    """The physical lines of a text that ends with one; each ends after LF, CR LF or CR.

    `marks`, if given, has all control characters of the text, and perhaps others; it is much
    shorter to search.
    """

    def __init__(self, text: bytes, marks: bytes | None = None) -> None:
        self.text = text
        self._controls = text if marks is None else marks

    @cached_property
    def regular(self) -> bool:
        """Whether all line ends are LF, or all are CR LF."""
        return b"\r" not in self._controls or has_regular_line_ends(self.text)

    @cached_property
    def contents(self) -> pl.Series:
        """The lines without their line ends (String). The text must be UTF-8."""
        separator = next(
            (char for char in _SEPARATORS if char.encode() not in self._controls), None
        )
        if not self.regular or separator is None:
            lines = [strip_line_end(line).decode() for line in self.text.splitlines(keepends=True)]
            return pl.Series(lines, dtype=pl.String)
        return read_rows(self.text, width=1, separator=separator, quote=None).to_series()

    @cached_property
    def is_utf8(self) -> bool:
        """Whether the text is UTF-8."""
        if self.text.isascii():
            return True
        try:
            self.text.decode()
        except UnicodeDecodeError:
            return False
        return True

    @cached_property
    def as_latin1(self) -> pl.Series:
        """`contents` as if each byte were a character; bytes of ASCII are what they are."""
        return Lines(self.text.decode("latin-1").encode()).contents

    @cached_property
    def starts(self) -> pl.Series:
        """Where each line begins in the text, and where the last one ends (UInt64)."""
        if self.regular:
            if self.is_utf8:
                lengths = self.contents.str.len_bytes()
            else:
                lengths = self.as_latin1.str.len_chars()
            ends = (
                lengths.cast(pl.UInt64)
                + (2 if b"\r" in self._controls and b"\r" in self.text else 1)
            ).cum_sum()
            return pl.concat([pl.Series([0], dtype=pl.UInt64), ends])
        lines = self.text.splitlines(keepends=True)
        return pl.Series(list(accumulate(map(len, lines), initial=0)), dtype=pl.UInt64)
