"""The Glue tables of published files, read as Athena would read them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from pipectl.operate.details import catalogue_problems
from tabular.writing.athena_columns import members_of
from tests.athena import read_table
from tests.end_to_end.pipeline import Pipeline

FUNCTION = "data-pipeline-update-catalogue-dev"


@pytest.fixture(autouse=True)
def _no_faults_left(pipeline: Pipeline) -> Iterator[None]:
    yield
    pipeline.stack.clear_faults()


def table(pipeline: Pipeline, name: str) -> dict[str, Any]:
    glue = pipeline.deployment.client("glue")
    return dict(glue.get_table(DatabaseName="analytics", Name=name)["Table"])


def rows(pipeline: Pipeline, name: str) -> list[dict[str, Any]]:
    """The rows that the table shows of the objects under its location."""
    described = table(pipeline, name)
    bucket, _, prefix = (
        described["StorageDescriptor"]["Location"].removeprefix("s3://").partition("/")
    )
    s3 = pipeline.deployment.client("s3")
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]
    objects = [s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in listed]
    return read_table(described, objects)


def result(pipeline: Pipeline, file_id: str) -> dict[str, Any]:
    """The step's result in the state document."""
    return dict(pipeline.results(file_id)["catalogue"])


@pytest.mark.parametrize("output_format", ["jsonl", "parquet"])
def test_a_table_shows_the_files_of_all_contracts_of_a_dataset(
    pipeline: Pipeline, output_format: str
) -> None:
    dataset = f"catalogue-{output_format}"
    fields = [{"name": "id", "type": "integer"}, {"name": "total", "type": "number"}]
    settings = {"outputFormat": output_format, "record": "flat"}
    pipeline.put_contract(dataset, {"schema": {"fields": fields}, "pipeline": settings})
    first = pipeline.run(b"id,total\n1,2.50\n", "2026/01.csv", dataset)
    fields.append({"name": "note", "type": "string"})
    pipeline.put_contract(dataset, {"schema": {"fields": fields}, "pipeline": settings})
    second = pipeline.run(b"id,total,note\n2,0.10,new\n", "2026/02.csv", dataset)

    shown = rows(pipeline, dataset.replace("-", "_"))
    read = [(row["_file_id"], row["id"], Decimal(str(row["total"])), row["note"]) for row in shown]
    assert read == [
        (first.file_id, 1, Decimal("2.50"), None),
        (second.file_id, 2, Decimal("0.10"), "new"),
    ]
    assert result(pipeline, first.file_id)["action"] == "created"
    assert result(pipeline, second.file_id)["action"] == "extended"


def test_rejected_records_of_all_datasets_are_in_one_table(pipeline: Pipeline) -> None:
    outcome = pipeline.run(b"name,amount\na,1\nb,x\n", dataset="catalogue-rejects")
    assert outcome.item["error_count"] == 1
    [own] = [row for row in rows(pipeline, "rejected_records") if row["raw"] == "b,x"][:1]
    assert (own["row"], own["errors"][0]["code"]) == (2, "type-error")


def test_files_that_extend_a_table_at_once_both_get_their_columns(pipeline: Pipeline) -> None:
    dataset = "catalogue-race"
    pipeline.run(b"name\nx\n", "first.csv", dataset)
    files = [pipeline.drop(b"name,c%d\nx,1\n" % n, f"{n}.csv", dataset) for n in range(6)]
    with ThreadPoolExecutor() as pool:
        ended = list(pool.map(lambda file: pipeline.outcome(file.file_id), files))
    assert {outcome.execution.status for outcome in ended} == {"succeeded"}
    columns = table(pipeline, "catalogue_race")["StorageDescriptor"]["Columns"]
    [data] = [column["Type"] for column in columns if column["Name"] == "data"]
    assert set(members_of(data) or ()) == {"name", *(f"c{number}" for number in range(6))}


def test_a_catalogue_that_fails_is_reported_and_the_file_succeeds(pipeline: Pipeline) -> None:
    pipeline.stack.add_fault(FUNCTION, "SourceChanged")
    outcome = pipeline.run(b"name,amount\na,1\n", dataset="catalogue-fails")
    assert outcome.execution.status == "succeeded"
    assert "FailureGate" not in outcome.states
    assert result(pipeline, outcome.file_id)["Error"] == "SourceChanged"
    assert outcome.item["status"] == "succeeded"
    assert pipeline.dead_letters(outcome.file_id) == []


def test_a_redrive_after_the_catalogue_does_not_update_it_again(pipeline: Pipeline) -> None:
    pipeline.stack.add_fault("data-pipeline-record-metadata-dev", "SourceChanged")
    failed = pipeline.run(b"name,amount\na,1\n", dataset="catalogue-redrive")
    assert failed.execution.status == "failed"
    again = pipeline.redrive(failed)
    assert again.execution.status == "succeeded"
    assert again.states.count("UpdateCatalogue") == 1


def test_a_retyped_column_is_reported(pipeline: Pipeline) -> None:
    dataset = "catalogue-retyped"
    for kind in ("integer", "string"):
        pipeline.put_contract(dataset, {"schema": {"fields": [{"name": "id", "type": kind}]}})
        outcome = pipeline.run(b"id\n1\n", f"{kind}.csv", dataset)
    found = result(pipeline, outcome.file_id)
    assert found["problem_count"] == 1
    assert "the field id has the type bigint, and now it should be string" in found["problems"][0]
    assert catalogue_problems(outcome.run) == found["problems"]
    [notification] = pipeline.notifications(outcome.file_id)
    assert found["problems"][0] in json.dumps(notification["message"])
