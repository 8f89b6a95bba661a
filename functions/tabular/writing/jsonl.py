"""Writes processed records as JSON Lines, by joining columns of JSON texts."""

from __future__ import annotations

from io import BytesIO
from json.encoder import encode_basestring
from typing import TYPE_CHECKING

import polars as pl

from tabular.values.columns import QUOTED_TYPES, Values
from tabular.values.json_texts import escaped
from tabular.writing.output_format import (
    FileFacts,
    ProcessedRecords,
    Writer,
    check_origin_names,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tabular.model import Field, RecordShape
    from tabular.sink import Sink

_ROWS_A_PIECE = 16_384
"""Number of records that are joined at a time: the memory for them is small, and reused."""
_QUOTE = '"'


class RecordLines:
    """Writes one JSON object a line for one file's records.

    In the envelope it is `{"id", "original_row", "data": {...}, "processed_at"}`. Flat, the fields
    follow `_file_id` and `_row`.
    """

    def __init__(self, facts: FileFacts) -> None:
        self._fields = facts.fields
        self._flat = facts.record == "flat"
        self._file_id = encode_basestring(facts.file_id)
        self._tail = (
            "}" if self._flat else f'}},"processed_at":{encode_basestring(facts.processed_at)}}}'
        )
        self._buffers: list[BytesIO] = []

    def lines(
        self, rows: pl.Series, columns: Sequence[Values], escapable: pl.Series | None = None
    ) -> memoryview:
        """The lines of records with these row numbers and values, each with its line feed.

        `escapable` (Boolean) says which records may contain characters that JSON escapes; None: all
        of them may. The memory is reused once no reference to the view is left.
        """
        if not len(rows):
            return memoryview(b"")
        line = _Line()
        places = None if escapable is None else escapable.arg_true()
        separator = self._add_origin(line, rows.cast(pl.String))
        for field, values in zip(self._fields, columns, strict=True):
            line.add(f"{separator}{encode_basestring(field.output_name)}:")
            _add_json(line, field, values, places)
            separator = ","
        line.add(("" if columns or self._flat else separator) + self._tail)
        return self._written(line)

    def _add_origin(self, line: _Line, numbers: pl.Series) -> str:
        """Add the text before the fields, without the separator between it and the first field."""
        if self._flat:
            line.add(f'{{"_file_id":{self._file_id},"_row":')
            line.add(numbers)
            return ","
        line.add(f'{{"id":{self._file_id[:-1]}-')
        line.add(numbers)
        line.add('","original_row":')
        line.add(numbers)
        return ',"data":{'

    def _written(self, line: _Line) -> memoryview:
        buffer = self._free_buffer()
        buffer.seek(0)
        for frame in line.frames():
            frame.write_csv(buffer, include_header=False, separator=_QUOTE, quote_style="never")
        return buffer.getbuffer()[: buffer.tell()]

    def _free_buffer(self) -> BytesIO:
        """A buffer that no view uses. Reusing memory is faster than allocating it."""
        for buffer in self._buffers:
            try:
                buffer.write(b"")
            except BufferError:
                continue
            return buffer
        self._buffers.append(BytesIO())
        return self._buffers[-1]


class _Line:
    """Texts and columns of texts that make up a line, one after the other.

    They become the columns of a CSV file whose separator is the quote, because Polars writes CSV
    faster than it joins texts. For example, `{"id":"f-1","s":"a"}` is written as the columns
    `{`, `id`, `:`, `f-1`, `,`, `s`, `:`, `a` and `}`, and neighbours that are not quoted texts of
    a field are joined first: `{"id":"f-1","s":`, `a`, `}`.
    """

    def __init__(self) -> None:
        self._columns: dict[str, pl.Series] = {}
        self._written: list[pl.Expr] = []
        self._parts: list[pl.Expr] = []
        self._text = ""
        self._quoted_unless: pl.Expr | None = None

    def add(self, part: str | pl.Series) -> None:
        """Add a text that is the same in all lines, or one that isn't; no null among these."""
        if isinstance(part, str):
            self._text += part
            return
        self._end_text()
        self._parts.append(self._column(part))

    def add_quoted(self, texts: pl.Series) -> None:
        """Add texts in quotes, and a bare `null` for null."""
        column = self._column(texts)
        if not texts.null_count():
            self._end_parts()
            self._written.append(column)
            return
        is_null = column.is_null()
        self._end_text(null_follows=is_null)
        self._parts.append(column)
        self._quoted_unless = is_null

    def frames(self) -> Iterator[pl.DataFrame]:
        """The lines cut at quotes, piece by piece."""
        self._end_parts()
        names = map(str, range(len(self._written)))
        written = [column.alias(name) for name, column in zip(names, self._written, strict=True)]
        for columns in pl.DataFrame(self._columns).iter_slices(_ROWS_A_PIECE):
            yield columns.select(written)

    def _column(self, series: pl.Series) -> pl.Expr:
        name = str(len(self._columns))
        self._columns[name] = series
        return pl.col(name)

    def _end_parts(self) -> None:
        """Join the parts that were added since the last quoted text."""
        self._end_text()
        self._written.append(pl.concat_str(self._parts, ignore_nulls=True))
        self._parts = []

    def _end_text(self, *, null_follows: pl.Expr | None = None) -> None:
        """Turn the text so far into a part, with the quotes of texts beside it that may be null.

        Choosing between constants is much cheaper than a column of quoted texts.
        """
        text: pl.Expr = pl.lit(self._text)
        if null_follows is not None:
            text = _choice(null_follows, self._text + "null", self._text + _QUOTE)
        if self._quoted_unless is not None:
            text = pl.concat_str(_choice(self._quoted_unless, "", _QUOTE), text)
        self._parts.append(text)
        self._text, self._quoted_unless = "", None


def _choice(condition: pl.Expr, yes: str, no: str) -> pl.Expr:
    return pl.when(condition).then(pl.lit(yes)).otherwise(pl.lit(no))


def _add_json(line: _Line, field: Field, values: Values, places: pl.Series | None) -> None:
    """Add a column of values as JSON; only those at `places` may have to be escaped, if given."""
    if values.json is not None:
        line.add(values.json)
    elif field.type not in QUOTED_TYPES:
        line.add(values.texts.fill_null("null") if values.texts.null_count() else values.texts)
    else:
        line.add_quoted(values.texts if values.escape_free else escaped(values.texts, places))


def _write(batches: Iterable[ProcessedRecords], facts: FileFacts, sink: Sink) -> None:
    records = RecordLines(facts)
    for batch in batches:
        if lines := records.lines(batch.rows, batch.values, batch.escapable):
            sink.write(lines)


def _check_fields(fields: Sequence[Field], record: RecordShape) -> None:
    if record == "flat":
        check_origin_names(fields)


WRITER = Writer(_write, _check_fields)
