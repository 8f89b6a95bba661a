"""The registry of output formats, and how a format pulls the records of a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from unittest.mock import patch

import polars as pl
import pytest

from tabular.errors import HeaderMismatch
from tabular.faults import Fault
from tabular.values.fault_columns import FaultColumn
from tabular.writing.output_format import FileFacts, OutputFormat, ProcessedRecords, Writer
from tabular.writing.output_formats import FORMATS
from tests.unit.tabular.engine import contract_of, run

if TYPE_CHECKING:
    from tabular.model import Field, RecordShape
    from tabular.sink import Sink
    from tabular.values.columns import Values

CONTRACT = contract_of({"name": "n", "type": "integer"}, {"name": "s", "type": "string"})
CONTENT = b"n,s\n1,a\nx,b\n3,c\n4,d\n"


def _write(batches: Iterable[ProcessedRecords], facts: FileFacts, sink: Sink) -> None:
    for batch in batches:
        texts = zip(batch.rows, *(values.texts for values in batch.values), strict=True)
        sink.write("".join(f"{facts.processed_at} {row}:{n}{s} " for row, n, s in texts).encode())


def _no_c(field: Field, values: Values) -> FaultColumn | None:
    places = (values.texts == "c").arg_true()
    fault = Fault(field.name, "type-error", "outputFormat", "this format has no c", None)
    return FaultColumn(places, [(fault,)]) if len(places) else None


def _no_fields(_: Sequence[Field], __: RecordShape) -> None:
    raise HeaderMismatch("this format has no columns")


def _scratch(writer: Writer) -> OutputFormat:
    return OutputFormat("scratch", "txt", "text/plain", lambda: writer)


def test_a_format_is_listed_under_its_name() -> None:
    assert [output_format.name for output_format in FORMATS.values()] == list(FORMATS)


def test_no_two_formats_share_a_suffix() -> None:
    suffixes = [output_format.suffix for output_format in FORMATS.values()]
    assert len(set(suffixes)) == len(suffixes)


def test_a_format_pulls_the_processed_records_of_each_block() -> None:
    with patch.dict(FORMATS, scratch=_scratch(Writer(_write))):
        result = run(CONTENT, CONTRACT, output_format="scratch", block_bytes=8)
    time = "2024-01-01T00:00:00Z"
    assert result.processed.decode() == f"{time} 1:1a {time} 3:3c {time} 4:4d "
    assert result.codes == {2: ["type-error"]}


def test_a_value_that_a_format_cannot_represent_is_a_fault() -> None:
    with patch.dict(FORMATS, scratch=_scratch(Writer(_write, misfits=_no_c))):
        result = run(CONTENT, CONTRACT, output_format="scratch")
    assert result.rejects[1]["row"] == 3
    assert result.rejects[1]["errors"][0]["message"] == "this format has no c"


def test_a_format_without_a_column_for_a_field_fails_the_file() -> None:
    scratch = _scratch(Writer(_write, _no_fields))
    with patch.dict(FORMATS, scratch=scratch), pytest.raises(HeaderMismatch, match="no columns"):
        run(CONTENT, CONTRACT, output_format="scratch")


def test_columns_of_any_format_have_the_records_numbers() -> None:
    seen: list[pl.Series] = []

    def keep(batches: Iterable[ProcessedRecords], _: FileFacts, __: Sink) -> None:
        seen.extend(batch.rows for batch in batches)

    with patch.dict(FORMATS, scratch=_scratch(Writer(keep))):
        run(CONTENT, CONTRACT, output_format="scratch")
    assert pl.concat(seen).to_list() == [1, 3, 4]
