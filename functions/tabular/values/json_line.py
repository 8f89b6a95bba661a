"""Composes lines of JSON from constant texts and columns of texts."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from io import FileIO

_ROWS_A_PIECE = 16_384
"""Number of records that are joined at a time: the memory for them is small, and reused."""
_QUOTE = '"'


class Buffers:
    """Buffers that are used again once no view of their memory is left.

    To write into memory that was used before takes little more than half of the time: new memory
    has to be mapped, and filled with zeros, by the operating system.
    """

    def __init__(self) -> None:
        self._buffers: list[BytesIO] = []

    def free(self) -> BytesIO:
        """A buffer that no view uses, at its beginning."""
        for buffer in self._buffers:
            try:
                buffer.write(b"")
            except BufferError:
                continue
            buffer.seek(0)
            return buffer
        self._buffers.append(BytesIO())
        return self._buffers[-1]


def written_part(buffer: BytesIO) -> memoryview:
    """What has been written into a buffer of `Buffers`."""
    return buffer.getbuffer()[: buffer.tell()]


class RowsPiece(NamedTuple):
    """Rows whose texts (no null) are joined by quotes, and what each row ends with."""

    rows: pl.DataFrame
    line_end: str


class ComposedLines(NamedTuple):
    """Lines of which Polars' CSV writer joins the texts: see `JsonLine`."""

    start: str
    pieces: Iterable[RowsPiece]

    def write(self, file: BytesIO | FileIO) -> None:
        """Write the lines at the file's present position."""
        file.write(self.start.encode())
        for rows, line_end in self.pieces:
            rows.write_csv(
                file,
                include_header=False,
                separator=_QUOTE,
                quote_style="never",
                line_terminator=line_end,
            )


class JsonLine:
    """Texts and columns of texts that make up a line, one after the other.

    They become the columns of a CSV file whose separator is the quote, because Polars writes CSV
    faster than it joins texts. For example, `{"id":"f-1","s":"a"}` is written as the columns `1`,
    `,`, `s`, `:` and `a`; and neighbours that are not quoted texts of a field are joined first:
    `1`, `,"s":`, `a`. What follows the last column and what precedes the first one is the same in
    all lines, so it is written as the CSV's line end: `"}`, a line feed, `{"id":"f-`.
    """

    def __init__(self) -> None:
        self._columns: dict[str, pl.Series] = {}
        self._written: list[pl.Expr] = []
        self._parts: list[pl.Expr] = []
        self._start = ""
        self._text = ""
        self._quoted_unless: pl.Expr | None = None
        self._joins = False

    def add(self, part: str | pl.Series) -> None:
        """Add a text that is the same in all lines, or one that isn't; no null among these."""
        if isinstance(part, str):
            if part.startswith(_QUOTE) and len(self._parts) == 1 and not self._open_text:
                self._end_parts()
                part = part[1:]
            self._text += part
            return
        self._begin()
        self._end_text()
        self._parts.append(self._column(part))

    def add_quoted(self, texts: pl.Series) -> None:
        """Add texts in quotes, and a bare `null` for null."""
        self._begin()
        column = self._column(texts)
        if not texts.null_count():
            self._end_text()
            self._end_parts()
            self._written.append(column)
            return
        is_null = column.is_null()
        self._end_text(null_follows=is_null)
        self._parts.append(column)
        self._quoted_unless = is_null

    def add_to_quote(self, texts: pl.Series) -> None:
        """Add texts (no null) and the quote that ends them.

        Nothing is joined for them, if what precedes them ends with a quote as well.
        """
        self._begin()
        self._end_text()
        self._parts.append(self._column(texts))
        self._end_parts()

    def write(self, file: BytesIO | FileIO) -> None:
        """Write the lines, each with its line feed; nothing can be added afterwards.

        There must be a column. Into a `FileIO` Polars writes itself, without a copy for Python.
        """
        pieces = self._pieces()
        ComposedLines(self._start, pieces).write(file)

    def composed(self) -> ComposedLines:
        """The lines as `write` would write them."""
        pieces = list(self._pieces())
        return ComposedLines(self._start, pieces)

    def _pieces(self) -> Iterator[RowsPiece]:
        end, self._text = self._text, ""
        self._end_text()
        if self._parts:
            self._end_parts()
        else:
            end = _QUOTE + end
        names = map(str, range(len(self._written)))
        written = [column.alias(name) for name, column in zip(names, self._written, strict=True)]
        columns = pl.DataFrame(self._columns)
        at_once = _ROWS_A_PIECE if self._joins else columns.height
        for rows in columns.head(columns.height - 1).iter_slices(at_once):
            yield RowsPiece(rows.select(written), f"{end}\n{self._start}")
        yield RowsPiece(columns.tail(1).select(written), f"{end}\n")

    @property
    def _open_text(self) -> bool:
        """Whether there is text after the last column, or a quote that may have to be closed."""
        return bool(self._text) or self._quoted_unless is not None

    def _column(self, series: pl.Series) -> pl.Expr:
        name = str(len(self._columns))
        self._columns[name] = series
        return pl.col(name)

    def _begin(self) -> None:
        """Keep the text before the first column."""
        if not self._columns:
            self._start, self._text = self._text, ""

    def _end_parts(self) -> None:
        """Join the parts that were added since the last quoted text."""
        parts = self._parts or [pl.lit("")]
        self._joins |= len(parts) > 1
        joined = parts[0] if len(parts) == 1 else pl.concat_str(parts, ignore_nulls=True)
        self._written.append(joined)
        self._parts = []

    def _end_text(self, *, null_follows: pl.Expr | None = None) -> None:
        """Turn the text so far into a part, with the quotes of texts beside it that may be null.

        Choosing between constants is much cheaper than a column of quoted texts.
        """
        text: pl.Expr | None = pl.lit(self._text) if self._text else None
        if null_follows is not None:
            text = _choice(null_follows, self._text + "null", self._text + _QUOTE)
        if self._quoted_unless is not None:
            self._parts.append(_choice(self._quoted_unless, "", _QUOTE))
        if text is not None:
            self._parts.append(text)
        self._text, self._quoted_unless = "", None


def _choice(condition: pl.Expr, yes: str, no: str) -> pl.Expr:
    return pl.when(condition).then(pl.lit(yes)).otherwise(pl.lit(no))
