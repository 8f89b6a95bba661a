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

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from io import BytesIO

BOM = "\ufeff".encode()
LINE_END = "\r\n"
"""Of RFC 4180, and what spreadsheets write."""

LOST = "\ufffd"
"""Takes the place of bytes that cannot be decoded, and of NUL, which spreadsheets drop."""

SHOWN_CHARACTERS = 16_000
"""A longer cell is cut. A spreadsheet's cell has 32,767 UTF-16 units at most, of which a character
can take two. Excel moves the rest of a longer one into the next row, as if it were another row,
and others leave it out."""

SHOWN_BYTES = 1_500_000
"""The cells of a row with more text are left empty: a row has to be a valid record when it is read
back, and quotes are doubled in it."""

_CUT = f"… [the first {SHOWN_CHARACTERS:,} of "
_FORMULA_START = "[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
"""OWASP's list (CSV Injection), and the full-width forms, which spreadsheets read as the others."""
_FORMULA = f"^'*{_FORMULA_START}"
FORMULA_STARTS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""The characters of _FORMULA_START."""
APOSTROPHE = "'"
"""What is before a text that a spreadsheet would run."""
_ANY = (*FORMULA_STARTS, APOSTROPHE)
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
    header = pl.DataFrame({"": [names.row, names.errors, *labels, names.raw]})
    return BOM + (",".join(written(header).to_series()) + LINE_END).encode()


def written(cells: pl.DataFrame) -> pl.DataFrame:
    """Cells as they are in the file: harmless to spreadsheets, quoted where RFC 4180 wants it."""
    return _changed(harmless(cells), _QUOTED, _quoted)


def harmless(cells: pl.DataFrame, starts: Sequence[str] = _ANY) -> pl.DataFrame:
    """Cells as they are in the file, but for quotes.

    `starts` are characters with one of which every cell begins that is to be changed.
    """
    if not starts:
        return cells
    found = reduce(or_, (pl.all().str.starts_with(start) for start in starts))
    return _changed_columns(cells, found, neutralised)


def write_rows(rows: pl.DataFrame, buffer: BytesIO) -> None:
    """Write rows of harmless cells, quoted where RFC 4180 wants it.

    It takes a third of the time of `written`. Polars would quote empty texts, but not nulls.
    """
    texts = pl.col(pl.String)
    rows = rows.with_columns(pl.when(texts != "").then(texts).name.keep())
    rows.write_csv(buffer, include_header=False, line_terminator=LINE_END)


def write_quoted_rows(rows: pl.DataFrame, buffer: BytesIO) -> None:
    """Write rows of cells that are `written` already: in half of the time of `write_rows`."""
    rows.write_csv(buffer, include_header=False, line_terminator=LINE_END, quote_style="never")


def in_quotes(texts: pl.Series, where: pl.Series, doubled: pl.Series | None) -> pl.Series:
    """The texts with those in quotes for which `where` (Boolean) is true.

    Only those for which `doubled` (Boolean) is true may contain a quote; None: none does.
    """
    if doubled is not None and len(rows := doubled.arg_true()):
        some = texts if len(rows) == len(texts) else texts.gather(rows)
        some = some.str.replace_all('"', '""', literal=True)
        texts = some if len(rows) == len(texts) else texts.clone().scatter(rows, some)
    quoted = pl.concat_str(pl.lit('"'), pl.col("text"), pl.lit('"'))
    if not where.all():
        quoted = pl.when("where").then(quoted).otherwise("text")
    frame = pl.DataFrame({"text": texts, "where": where})
    return frame.select(quoted).to_series()


def restored(cells: pl.DataFrame) -> pl.DataFrame:
    """The cells that were written, without quotes, as these ones; nulls stay nulls."""
    return _changed(cells, _NEUTRALISED, _restored)


def one_line_end(cells: pl.DataFrame) -> pl.DataFrame:
    """The cells with LF for every line end in them: spreadsheets write those of their system."""
    return _changed(cells, "\r", lambda texts: texts.str.replace_all("\r\n?", "\n"))


def without_nul(cells: pl.DataFrame, rows: pl.Series) -> pl.DataFrame:
    """The cells with a visible character for each NUL, of which only these rows (UInt32) have any.

    Searching and changing few rows takes less time than all of them.
    """
    everywhere = len(rows) == cells.height
    some = cells if everywhere else cells[rows]

    def changed(name: str) -> pl.Series:
        texts = some[name].str.replace_all("\0", LOST, literal=True)
        return texts if everywhere else cells[name].clone().scatter(rows, texts)

    found = _names(some, pl.all().str.contains("\0", literal=True))
    return cells.with_columns(changed(name).alias(name) for name in found)


def cut(cells: pl.DataFrame) -> pl.DataFrame:
    """The cells; of those beyond SHOWN_CHARACTERS, the first part and a note of the length."""
    return _changed_columns(cells, pl.all().str.len_bytes() > SHOWN_CHARACTERS, _cut)


def is_cut(text: str) -> bool:
    """Whether a text contains the note of `cut`, so that its end is missing."""
    return _CUT in text


def neutralised(texts: pl.Series) -> pl.Series:
    """The texts, with an apostrophe before those that a spreadsheet would run as a formula.

    A text that has apostrophes before such a beginning gets one more, so `restored` is exact.
    """
    found = texts.str.contains(_FORMULA) & ~texts.str.contains(_NEGATIVE_NUMBER)
    return texts.zip_with(~found, APOSTROPHE + texts)


def _restored(texts: pl.Series) -> pl.Series:
    found = texts.str.contains(_NEUTRALISED).fill_null(value=False)
    return texts.zip_with(~found, texts.str.slice(1))


def _quoted(texts: pl.Series) -> pl.Series:
    places = texts.str.contains(_QUOTED).arg_true()
    doubled = pl.col("text").str.replace_all('"', '""', literal=True)
    contents = pl.concat_str(pl.lit('"'), doubled, pl.lit('"'))
    quoted = texts.gather(places).to_frame("text").select(contents).to_series()
    return quoted if len(quoted) == len(texts) else texts.clone().scatter(places, quoted)


def _cut(texts: pl.Series) -> pl.Series:
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


def _changed(
    cells: pl.DataFrame, pattern: str, change: Callable[[pl.Series], pl.Series]
) -> pl.DataFrame:
    return _changed_columns(cells, pl.all().str.contains(pattern), change)


def _changed_columns(
    cells: pl.DataFrame, condition: pl.Expr, change: Callable[[pl.Series], pl.Series]
) -> pl.DataFrame:
    """Change the columns in which a cell meets the condition."""
    names = _names(cells, condition)
    return cells.with_columns(change(cells[name]).alias(name) for name in names)


def _names(cells: pl.DataFrame, condition: pl.Expr) -> list[str]:
    """The names of the columns in which a cell meets the condition.

    All columns are searched at once: with thousands of them, a call for each would take longer than
    the search.
    """
    found = cells.select(condition.any()).row(0)
    return [name for name, is_found in zip(cells.columns, found, strict=True) if is_found]
