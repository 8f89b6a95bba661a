"""The physical lines of a text, a whole column of them."""

from __future__ import annotations

from functools import cached_property
from itertools import accumulate

import polars as pl

from tabular.reading.csv_reader import read_rows
from tabular.reading.line_ends import has_regular_line_ends, strip_line_end
from tabular.reading.simple_records import SEPARATORS

_UTF16_BYTES = 2
_FIRST_OF_FOUR = tuple(bytes((byte,)) for byte in range(0xF0, 0xF5))
"""The first bytes in UTF-8 of characters that take two units in UTF-16."""
_AS_ASCII = bytes(range(128)) + bytes(128)


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
        # With a delimiter that the text does not contain, the CSV reader reads whole lines.
        separator = next((char for char in SEPARATORS if char.encode() not in self._controls), None)
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
    def as_ascii(self) -> pl.Series:
        """`contents` with a NUL for each byte that is not of ASCII."""
        return Lines(self.text.translate(_AS_ASCII)).contents

    def joined(self, firsts: pl.Series, lasts: pl.Series) -> pl.Series:
        """The texts (String) from one line to a later one, without the line end of the last.

        `firsts` and `lasts` (UInt32) are the indexes of these lines. Where the text is not UTF-8,
        the result has a NUL for each byte that is not of ASCII.
        """
        contents = self.contents if self.is_utf8 else self.as_ascii
        if not self.regular:
            return pl.Series(self._between(firsts, lasts), dtype=pl.String)
        line_end = "\r\n" if self._has_returns else "\n"
        ends = pl.DataFrame({"first": contents.gather(firsts), "last": contents.gather(lasts)})
        texts = ends.select(pl.concat_str(pl.all(), separator=line_end)).to_series()
        others = (lasts - firsts > 1).arg_true()
        if not len(others):
            return texts
        return texts.scatter(others, self._between(firsts.gather(others), lasts.gather(others)))

    def _between(self, firsts: pl.Series, lasts: pl.Series) -> list[str]:
        """The same texts, one by one."""
        starts = self.starts.gather(firsts).to_list()
        stops = self.starts.gather(lasts + 1).to_list()
        whole = (self.text[start:stop] for start, stop in zip(starts, stops, strict=True))
        if not self.is_utf8:
            whole = (text.translate(_AS_ASCII) for text in whole)
        return [strip_line_end(text).decode() for text in whole]

    @cached_property
    def _has_returns(self) -> bool:
        return b"\r" in self._controls and b"\r" in self.text

    @cached_property
    def starts(self) -> pl.Series:
        """Where each line begins in the text, and where the last one ends (UInt64)."""
        if self.regular:
            if self.is_utf8:
                lengths = self.contents.str.len_bytes()
            else:
                lengths = self.as_ascii.str.len_bytes()
            return self._after(lengths, unit=1)
        lines = self.text.splitlines(keepends=True)
        return pl.Series(list(accumulate(map(len, lines), initial=0)), dtype=pl.UInt64)

    def wide_starts(self, unit: int) -> pl.Series | None:
        """`starts` as if the text were UTF-16 (with units of 2 bytes) or UTF-32 (of 4).

        None if that has to be found line by line. The text must be UTF-8.
        """
        if not self.regular:
            return None
        units = self.contents.str.len_chars()
        if unit == _UTF16_BYTES and any(byte in self.text for byte in _FIRST_OF_FOUR):
            units += self.contents.str.count_matches("[\U00010000-\U0010ffff]")
        return self._after(units, unit)

    def _after(self, lengths: pl.Series, unit: int) -> pl.Series:
        """Where regular lines of these lengths, in units of bytes, begin, and the last ends."""
        line_end = 2 if self._has_returns else 1
        ends = ((lengths.cast(pl.UInt64) + line_end) * unit).cum_sum()
        return pl.concat([pl.Series([0], dtype=pl.UInt64), ends])
