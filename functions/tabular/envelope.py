"""Processed records as JSON Lines: values that are JSON texts already, put together by column."""

from __future__ import annotations

from io import BytesIO
from json.encoder import encode_basestring
from typing import TYPE_CHECKING

import polars as pl

from tabular.columns import QUOTED_TYPES, Values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tabular.contract import Field

_ESCAPED = {chr(code): encode_basestring(chr(code))[1:-1] for code in (*range(32), 34, 92)}
_NEEDS_ESCAPE = r'["\\\x00-\x1f]'


class Envelope:
    """Writes `{"id", "original_row", "data", "processed_at"}` lines for one file's records."""

    def __init__(self, fields: Sequence[Field], *, file_id: str, processed_at: str) -> None:
        self._fields = fields
        self._id = encode_basestring(file_id)[:-1]
        self._tail = f'}},"processed_at":{encode_basestring(processed_at)}}}'

    def lines(self, rows: pl.Series, columns: Sequence[Values]) -> memoryview:
        """The lines of records with these row numbers and values, each with its line feed."""
        if not len(rows):
            return memoryview(b"")
        parts: list[pl.Series | str] = [f'{{"id":{self._id}-', rows, '","original_row":', rows]
        before = ',"data":{'
        for field, values in zip(self._fields, columns, strict=True):
            before += encode_basestring(field.output_name) + ":"
            column, quote = _json(field, values)
            parts += [before + quote, column]
            before = quote + ","
        parts.append(before.removesuffix(",") + self._tail)
        return _concatenated(parts)


def _json(field: Field, values: Values) -> tuple[pl.Series, str]:
    """A column of JSON texts, and the quote that still goes around each of them."""
    if values.json is not None:
        return values.json, ""
    texts = values.texts
    if field.type not in QUOTED_TYPES:
        return (texts.fill_null("null") if texts.null_count() else texts), ""
    if not values.escape_free:
        texts = _escaped(texts)
    if not texts.null_count():
        return texts, '"'
    quoted = texts.to_frame("text").select(pl.concat_str(pl.lit('"'), "text", pl.lit('"')))
    return quoted.to_series().fill_null("null"), ""


def _escaped(texts: pl.Series) -> pl.Series:
    """JSON string contents; only the texts that need it are touched."""
    indexes = texts.str.contains(_NEEDS_ESCAPE).fill_null(value=False).arg_true()
    if not len(indexes):
        return texts
    escaped = texts.gather(indexes).str.replace_many(list(_ESCAPED), list(_ESCAPED.values()))
    return texts.scatter(indexes, escaped)


def _concatenated(parts: Sequence[pl.Series | str]) -> memoryview:
    columns = {
        str(number): part for number, part in enumerate(parts) if isinstance(part, pl.Series)
    }
    expressions = [
        pl.lit(part) if isinstance(part, str) else pl.col(str(number))
        for number, part in enumerate(parts)
    ]
    lines = pl.DataFrame(columns).select(pl.concat_str(expressions))
    buffer = BytesIO()
    # The texts are whole lines: nothing in them is the CSV writer's business.
    lines.write_csv(buffer, include_header=False, quote_style="never")
    return buffer.getbuffer()
