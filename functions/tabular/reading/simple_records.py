"""Cuts records without quotes and escapes into cells, a whole column of them at a time.

`Grammar.cells` is the reference: in such a record, each delimiter separates cells.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import polars as pl

from tabular.reading.csv_reader import read_rows

if TYPE_CHECKING:
    from tabular.model import Dialect

SEPARATORS = "\x01\x02\x03\x1c\x1d\x1e\x1f"
"""Characters that texts hardly ever contain."""


def are_simple(texts: pl.Series, dialect: Dialect) -> pl.Series:
    """Which records contain neither quotes nor escapes (Boolean)."""
    special = [mark for mark in (dialect.quote_char, dialect.escape_char) if mark]
    found = pl.Series([True]).new_from_index(0, len(texts))
    for mark in special:
        found &= ~texts.str.contains(mark, literal=True)
    return found


def cut(texts: pl.Series, dialect: Dialect, width: int) -> tuple[pl.DataFrame, pl.Series] | None:
    """The first `width` cells of simple records, null for missing ones, and their widths (UInt32).

    None if the delimiter is more than one byte, and no other character can take its place.
    """
    separator = dialect.delimiter
    if len(separator.encode()) > 1:
        unused = (mark for mark in SEPARATORS if not texts.str.contains(mark, literal=True).any())
        separator = next(unused, "")
        if not separator:
            return None
        texts = texts.str.replace_all(dialect.delimiter, separator, literal=True)
    widths = texts.str.count_matches(separator, literal=True) + 1
    if width > 1:  # the reader would skip empty lines
        texts = texts.set(texts == "", separator * (width - 1))
    buffer = BytesIO()
    texts.to_frame().write_csv(buffer, include_header=False, quote_style="never")
    frame = read_rows(buffer.getbuffer(), width=width, separator=separator, quote=None)
    if dialect.skip_initial_space:
        frame = frame.select(pl.all().str.strip_chars_start(" "))
    return frame, widths
