"""Writes processed records as JSON Lines, by joining columns of JSON texts."""

from __future__ import annotations

from io import FileIO
from json.encoder import encode_basestring
from typing import TYPE_CHECKING

import polars as pl

from tabular.values.columns import QUOTED_TYPES, Values
from tabular.values.json_line import Buffers, JsonLine, written_part
from tabular.values.json_texts import escaped
from tabular.writing.output_format import (
    FileFacts,
    ProcessedRecords,
    Writer,
    check_origin_names,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tabular.model import Field, RecordShape
    from tabular.sink import Sink
    from tabular.values.json_line import ComposedLines


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
        self._buffers = Buffers()

    def composed(
        self, rows: pl.Series, columns: Sequence[Values], escapable: pl.Series | None = None
    ) -> ComposedLines | None:
        """The lines of records with these row numbers and values; None if there are none.

        `escapable` (Boolean) says which records may contain characters that JSON escapes; None: all
        of them may.
        """
        return self._line(rows, columns, escapable).composed() if len(rows) else None

    def write(self, batch: ProcessedRecords, sink: Sink) -> None:
        """Write the lines of a block's records, each with its line feed."""
        if not len(batch.rows):
            return
        line = self._line(batch.rows, batch.values, batch.escapable)
        if isinstance(sink, FileIO):
            line.write(sink)
            return
        buffer = self._buffers.free()
        line.write(buffer)
        sink.write(written_part(buffer))

    def _line(
        self, rows: pl.Series, columns: Sequence[Values], escapable: pl.Series | None
    ) -> JsonLine:
        line = JsonLine()
        places = None if escapable is None else escapable.arg_true()
        separator = self._add_origin(line, rows)
        for field, values in zip(self._fields, columns, strict=True):
            line.add(f"{separator}{encode_basestring(field.output_name)}:")
            _add_json(line, field, values, places)
            separator = ","
        line.add(("" if columns or self._flat else separator) + self._tail)
        return line

    def _add_origin(self, line: JsonLine, numbers: pl.Series) -> str:
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


def _add_json(line: JsonLine, field: Field, values: Values, places: pl.Series | None) -> None:
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
        records.write(batch, sink)


def _check_fields(fields: Sequence[Field], record: RecordShape) -> None:
    if record == "flat":
        check_origin_names(fields)


WRITER = Writer(_write, _check_fields)
