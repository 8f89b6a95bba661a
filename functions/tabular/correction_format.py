"""The CSV in which rejected rows are corrected: its columns, and how a cell is written in it.

The file is opened in spreadsheets. They run a cell that begins like a formula, and they cut a cell
that is longer than theirs may be, so both are written in another way, from which the cell can be
read back. `writing.corrections` writes the file, `reading.corrected_rows` reads it.

Example, for a file with the columns `id` and `total`:

    _row,_errors,id,total,_raw
    2,total: expected a number,7,abc,
    5,unterminated or misplaced quote,,,"8,""9"
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

BOM = "\ufeff".encode()
LINE_END = "\r\n"
"""Of RFC 4180, and what spreadsheets write."""

LOST = "\ufffd"
"""Takes the place of bytes that cannot be decoded, and of NUL, which spreadsheets drop."""

SHOWN_CHARACTERS = 16_000
"""A longer cell is cut. A spreadsheet's cell has 32,767 UTF-16 units at most, of which a character
can take two. Excel moves the rest of a longer one into the next row, as if it were one of its own,
and others leave it out."""

SHOWN_BYTES = 1_500_000
"""The cells of a row with more text are left empty: a row has to be a valid record when it is read
back, and quotes are doubled in it."""

_CUT = f"… [the first {SHOWN_CHARACTERS:,} of "
_FORMULA_START = "[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
"""OWASP's list (CSV Injection), and the full-width forms, which spreadsheets read as the others."""
_FORMULA = f"^'*{_FORMULA_START}"
_NEUTRALISED = f"^'+{_FORMULA_START}"
_NEGATIVE_NUMBER = r"^-[0-9][0-9.,]*$"
"""The one formula that is harmless. With an apostrophe, spreadsheets would take it for text."""
_QUOTED = '[",\r\n]'


class MetaColumns(NamedTuple):
    """The names of the columns that are not the file's own."""

    row: str
    errors: str
    raw: str


def meta_columns(labels: Sequence[str]) -> MetaColumns:
    """`_row`, `_errors` and `_raw`, with more underscores if the file has one of these itself."""
    names, taken = MetaColumns("_row", "_errors", "_raw"), set(labels)
    while taken & set(names):
        names = MetaColumns(*(f"_{name}" for name in names))
    return names


def head(labels: Sequence[str]) -> bytes:
    """The first line, after the byte order mark by which Excel knows UTF-8."""
    names = meta_columns(labels)
    header = pl.Series([names.row, names.errors, *labels, names.raw], dtype=pl.String)
    return BOM + (",".join(written(header)) + LINE_END).encode()


def written(texts: pl.Series) -> pl.Series:
    """Cells as they are in the file: harmless to spreadsheets, quoted where RFC 4180 wants it."""
    texts = neutralised(texts)
    quoted = texts.str.contains(_QUOTED).arg_true()
    if not len(quoted):
        return texts
    contents = ['"' + text.replace('"', '""') + '"' for text in texts.gather(quoted).to_list()]
    return texts.clone().scatter(quoted, pl.Series(contents, dtype=pl.String))


def neutralised(texts: pl.Series) -> pl.Series:
    """The texts, with an apostrophe before those that a spreadsheet would run as a formula.

    A text that has apostrophes before such a beginning gets one more, so `restored` is exact.
    """
    found = texts.str.contains(_FORMULA)
    if not found.any():
        return texts
    found &= ~texts.str.contains(_NEGATIVE_NUMBER)
    return texts.zip_with(~found, "'" + texts)


def restored(texts: pl.Series) -> pl.Series:
    """The texts that `neutralised` made these of; nulls stay nulls."""
    found = texts.str.contains(_NEUTRALISED).fill_null(value=False)
    return texts.zip_with(~found, texts.str.slice(1)) if found.any() else texts


def cut(texts: pl.Series) -> pl.Series:
    """The texts; of those beyond SHOWN_CHARACTERS, the first part and a note of the length."""
    long = texts.str.len_bytes() > SHOWN_CHARACTERS
    if not long.any():
        return texts
    lengths = texts.str.len_chars()
    frame = pl.DataFrame({"text": texts, "length": lengths.cast(pl.String)})
    shortened = frame.select(
        pl.concat_str(
            pl.col("text").str.slice(0, SHOWN_CHARACTERS),
            pl.lit(_CUT),
            pl.col("length"),
            pl.lit(" characters]"),
        )
    ).to_series()
    return texts.zip_with(lengths <= SHOWN_CHARACTERS, shortened)


def is_cut(text: str) -> bool:
    """Whether a text contains the note of `cut`, so that its end is missing."""
    return _CUT in text


def one_line_end(texts: pl.Series) -> pl.Series:
    """The texts with LF for every line end in them: spreadsheets write those of their system."""
    found = texts.str.contains("\r", literal=True).fill_null(value=False)
    return texts.zip_with(~found, texts.str.replace_all("\r\n?", "\n")) if found.any() else texts
