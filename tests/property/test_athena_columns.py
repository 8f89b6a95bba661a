"""A table shows every value of a contract's type as it was written, never as null."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tabular.contract.descriptor import parse_contract
from tabular.writing.output_formats import FORMATS
from tests.athena import read_table
from tests.effort import examples
from tests.property.fields_and_texts import SEEDS, VARIANTS, texts_near
from tests.unit.tabular.engine import TransformResult, run
from update_catalogue.table_input import new_table
from update_catalogue.wanted_table import records_table

LEAST, MOST = -(2**63), 2**63 - 1


def published(
    variant: dict[str, Any], texts: list[str], settings: dict[str, str]
) -> TransformResult:
    """A file of one column of these cells, and a column that makes every row one."""
    fields = [{"name": "n"}, {"name": "value", **variant}]
    contract = parse_contract(
        {"dialect": {}, "schema": {"fields": fields}, "pipeline": settings}, output_formats=FORMATS
    )
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["n", "value"])
    writer.writerows(enumerate(texts))
    return run(
        file.getvalue().encode(), contract, output_format=settings.get("outputFormat", "jsonl")
    )


def shown(result: TransformResult, output_format: str) -> list[dict[str, Any]]:
    """What the table shows of the file's records."""
    table, problems = records_table(
        result.layout, dataset="d", output_bucket="b", output_format=output_format
    )
    assert table is not None
    assert problems == []
    return read_table(new_table(table), [result.processed] if result.processed else [])


def is_read(value: Any) -> bool:
    """Whether a value is one that docs/consume.md doesn't except: a text, or a 64-bit integer."""
    return not isinstance(value, int) or LEAST <= value <= MOST


@given(st.sampled_from(VARIANTS), st.data())
@examples(10)
def test_no_value_of_json_lines_is_shown_as_null(
    variant: dict[str, Any], data: st.DataObject
) -> None:
    texts = data.draw(st.lists(texts_near(SEEDS[variant["type"]]), min_size=1, max_size=8))
    result = published(variant, texts, {"record": "flat"})
    records = [json.loads(line) for line in result.processed.splitlines()]
    kept = [record for record in records if is_read(record["value"])]
    lines = [
        line
        for line, record in zip(result.processed.splitlines(True), records, strict=True)
        if is_read(record["value"])
    ]
    result.processed = b"".join(lines)
    rows = shown(result, "jsonl")
    assert [row["n"] for row in rows] == [record["n"] for record in kept]
    for row, record in zip(rows, kept, strict=True):
        assert (row["value"] is None) == (record["value"] is None)
        if isinstance(record["value"], str):
            assert str(row["value"]).lower() == record["value"].lower()


@given(st.sampled_from(VARIANTS), st.data())
@examples(4)
def test_no_value_of_parquet_is_shown_as_null(variant: dict[str, Any], data: st.DataObject) -> None:
    texts = data.draw(st.lists(texts_near(SEEDS[variant["type"]]), min_size=1, max_size=8))
    lines = published(variant, texts, {"record": "flat"})
    parquet = published(variant, texts, {"outputFormat": "parquet"})
    nulls = {
        record["n"]: record["value"] is None
        for record in map(json.loads, lines.processed.splitlines())
    }
    for row in shown(parquet, "parquet"):
        assert (row["value"] is None) == nulls[row["n"]]
