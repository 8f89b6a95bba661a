"""Processed records as Parquet: typed columns, compressed with Zstandard.

Column types follow from the contract alone, so that all splits of a file have one schema. Numbers
are decimals of 38 digits, 18 of them after the point: values that do not fit are rejected, never
rounded. Datetimes of a column either all have a time zone, and are instants in UTC, or none has
one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from typing import TYPE_CHECKING

import polars as pl

from tabular.faults import Fault
from tabular.values.fault_columns import FaultColumn, shown_texts
from tabular.writing.output_format import (
    Excerpt,
    FileFacts,
    ProcessedRecords,
    Writer,
    check_origin_names,
)
from tabular.writing.parquet_footer import compose_footer, read_footer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tabular.model import Field, RecordShape, TimeZone
    from tabular.sink import Sink
    from tabular.values.columns import Values

_SCALE = 18
_WHOLE_DIGITS = 38 - _SCALE
_DECIMAL = pl.Decimal(38, _SCALE)
_TYPES: dict[str, pl.DataType] = {
    "number": _DECIMAL,
    "integer": pl.Int64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "year": pl.Int32(),
}
"""The columns of all other types are plain text, which is JSON for structures."""
_FITS = {
    "number": rf"^-?[0-9]{{1,{_WHOLE_DIGITS}}}(?:\.[0-9]{{1,{_SCALE}}})?$",
    "integer": r"^-?[0-9]{1,18}$",
}
_LOCAL_FITS = r"^[1-8][0-9]{3}-[0-9-]{5}T[0-9:]{8}(?:\.[0-9]{1,6})?"
_DATETIME_FITS = {"none": _LOCAL_FITS + "$", "utc": _LOCAL_FITS + "(?:Z|[+-][0-9]{2}:[0-9]{2})$"}
"""Texts that certainly fit as they are; every other text is checked one by one."""
_MISFIT = {
    "number": f"in Parquet a number has {_WHOLE_DIGITS} digits before and {_SCALE} after the "
    "decimal point",
    "integer": "in Parquet an integer has at most 64 bits",
    "datetime": "in Parquet a datetime has six digits after the second's point, "
    "and in UTC a year from 1 to 9999",
}
_ZONE_MISFIT = {
    "utc": 'in Parquet a datetime of this field has a time zone, unless "timeZone" is "none"',
    "none": 'in Parquet a datetime of this field has no time zone, unless "timeZone" is "utc"',
}
"""For values with a time zone in a column without, or the other way round."""
_FINER = re.compile(r"\.[0-9]{6}0*[1-9]")
_CHUNK_BYTES = 1024 * 1024
_GROUP_BYTES = 128 * 1024 * 1024
"""Approximate size of a row group's records, all of which are in memory before it is written.

Large row groups make the footer short and the file small; small ones can be skipped by a filter.
"""
_GROUP_ROWS = 1024 * 1024
_LEAST, _MOST = -(2**63), 2**63 - 1


def parquet_schema(fields: Sequence[Field]) -> dict[str, pl.DataType]:
    """The columns: `_file_id`, `_row`, and the fields by output name.

    Raises HeaderMismatch if a field would have the name of one of the first two.
    """
    check_origin_names(fields)
    own: dict[str, pl.DataType] = {"_file_id": pl.String(), "_row": pl.Int64()}
    return own | {field.output_name: _column_type(field) for field in fields}


def _column_type(field: Field) -> pl.DataType:
    if field.type == "datetime":
        return pl.Datetime("us", "UTC" if field.time_zone == "utc" else None)
    return _TYPES.get(field.type, pl.String())


def _fits(field: Field) -> str | None:
    """A pattern of texts that certainly fit the field's column; None if all texts do."""
    if field.type == "datetime":
        return _DATETIME_FITS[field.time_zone]
    return _FITS.get(field.type)


def misfits(field: Field, values: Values) -> FaultColumn | None:
    """The faults, by row, of values that the field's column can't represent without loss."""
    pattern = _fits(field)
    if pattern is None:
        return None
    places = (~values.texts.str.contains(pattern).fill_null(value=True)).arg_true()
    if values.faults is not None:
        places = places.filter(~places.is_in(values.faults.places.implode()))
    odd = values.texts.gather(places)
    distinct = [text for text in odd.unique().to_list() if _written(field, text) is None]
    if not distinct:
        return None
    unfit = odd.is_in(distinct)
    texts = odd.filter(unfit)
    of_zone = texts.is_in([text for text in distinct if _is_of_other_zone(field, text)])
    messages = (_MISFIT[field.type], _ZONE_MISFIT[field.time_zone])
    faults = [Fault(field.name, "type-error", "outputFormat", one, None) for one in messages]
    return FaultColumn(
        places.filter(unfit),
        [(fault,) for fault in faults],
        kinds=of_zone.cast(pl.UInt32),
        values=shown_texts(texts),
    )


def _is_of_other_zone(field: Field, text: str) -> bool:
    return field.type == "datetime" and _has_zone(text) != (field.time_zone == "utc")


def _has_zone(text: str) -> bool:
    return datetime.fromisoformat(text).tzinfo is not None


def parquet_frame(
    fields: Sequence[Field], file_id: str, rows: pl.Series, columns: Sequence[Values]
) -> pl.DataFrame:
    """The records with these row numbers and values, in `parquet_schema`'s columns."""
    schema = parquet_schema(fields)
    series = [
        pl.Series("_file_id", [file_id], dtype=pl.String).new_from_index(0, len(rows)),
        rows.cast(pl.Int64).alias("_row"),
    ]
    series += [
        _typed(field, values.texts).alias(field.output_name)
        for field, values in zip(fields, columns, strict=True)
    ]
    return pl.DataFrame(series, schema=schema)


def write_parquet(frames: Iterable[pl.DataFrame], facts: FileFacts, sink: Sink) -> None:
    """Write one Parquet file of all frames into the sink, keeping one row group in memory.

    Each row group is written as a separate file, followed by one footer for all of them, as when
    WriteOutput assembles parts. So a row group is limited in bytes, however long records are.

    The Parquet file's metadata name the file and the execution, so two attempts never write the
    same bytes.
    """
    excerpts = []
    for frame in _row_groups(frames, facts.fields):
        file = BytesIO()
        frame.write_parquet(
            file,
            compression="zstd",
            row_group_size=max(1, frame.height),
            metadata={"file_id": facts.file_id, "processed_at": facts.processed_at},
        )
        content = file.getbuffer()
        sink.write(content)
        excerpts.append(Excerpt(len(content), read_footer(len(content), _reader(content))))
    if len(excerpts) > 1:
        sink.write(compose_footer(excerpts))


def _row_groups(frames: Iterable[pl.DataFrame], fields: Sequence[Field]) -> Iterator[pl.DataFrame]:
    """The frames in groups of about `_GROUP_BYTES`; one without rows if there are no rows."""
    empty = pl.DataFrame(schema=parquet_schema(fields))
    group, size, rows = [empty], 0, 0
    written = False
    for frame in frames:
        if not frame.height:
            continue
        group.append(frame)
        size += int(frame.estimated_size())
        rows += frame.height
        if size >= _GROUP_BYTES or rows >= _GROUP_ROWS:
            yield pl.concat(group)
            group, size, rows = [empty], 0, 0
            written = True
    if rows or not written:
        yield pl.concat(group)


def _reader(content: memoryview) -> Callable[[int, int], bytes]:
    return lambda at, length: bytes(content[at : at + length])


def _typed(field: Field, texts: pl.Series) -> pl.Series:
    """A column of plain texts as the column's type."""
    pattern = _fits(field)
    if pattern is not None:
        texts = _plainly_written(field, pattern, texts)
    if field.type == "boolean":
        return texts == "true"
    if field.type == "date":
        return texts.str.to_date("%Y-%m-%d")
    if field.type == "datetime":
        return _datetimes(texts, field.time_zone)
    return texts.cast(_column_type(field))


def _plainly_written(field: Field, pattern: str, texts: pl.Series) -> pl.Series:
    odd = ~texts.str.contains(pattern).fill_null(value=True)
    if not odd.any():
        return texts
    written = [_written(field, text) for text in texts.filter(odd)]
    return texts.scatter(odd.arg_true(), pl.Series(written, dtype=pl.String))


def _written(field: Field, text: str) -> str | None:
    """A value as its column reads it, None if the column can't represent it."""
    if field.type == "datetime":
        return _plain_datetime(text, field.time_zone)
    if field.type == "integer":
        return text if _LEAST <= Decimal(text) <= _MOST else None
    return _without_exponent(text)


def _without_exponent(text: str) -> str | None:
    value = Decimal(text)
    if not value.is_finite():
        return None
    whole, _, part = format(value, "f").lstrip("-").partition(".")
    if len(whole) > _WHOLE_DIGITS or len(part.rstrip("0")) > _SCALE:
        return None
    return f"{'-' if value < 0 else ''}{whole}.{part[:_SCALE] or '0'}"


def _plain_datetime(text: str, zone: TimeZone) -> str | None:
    if _FINER.search(text) or _has_zone(text) != (zone == "utc"):
        return None
    value = datetime.fromisoformat(text)
    try:
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat()
    except OverflowError:
        return None


def _datetimes(texts: pl.Series, zone: TimeZone) -> pl.Series:
    """Instants in UTC, or dates and times as they are."""
    if zone == "none":
        return texts.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us")
    return texts.str.replace("Z$", "+00:00").str.to_datetime(
        "%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="us", time_zone="UTC"
    )


def _write(batches: Iterable[ProcessedRecords], facts: FileFacts, sink: Sink) -> None:
    frames = (
        parquet_frame(facts.fields, facts.file_id, batch.rows, batch.values) for batch in batches
    )
    write_parquet(frames, facts, sink)


def _check_fields(fields: Sequence[Field], _: RecordShape) -> None:
    check_origin_names(fields)


WRITER = Writer(_write, _check_fields, misfits)
