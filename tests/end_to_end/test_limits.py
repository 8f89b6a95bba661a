"""Files and settings that press on a limit of AWS succeed, or fail with an error of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pipectl.embedded import limits
from tests.end_to_end.pipeline import FileOutcome, Pipeline

TRANSFORM = "data-pipeline-transform-dev"
KEY_BYTES = limits.KEY.most


@contextmanager
def memory_of(pipeline: Pipeline, function: str, megabytes: int) -> Iterator[None]:
    """Give a function this memory inside the block."""
    client = pipeline.deployment.client("lambda")
    before = client.get_function_configuration(FunctionName=function)["MemorySize"]
    client.update_function_configuration(FunctionName=function, MemorySize=megabytes)
    try:
        yield
    finally:
        client.update_function_configuration(FunctionName=function, MemorySize=before)


def failed(pipeline: Pipeline, outcome: FileOutcome) -> tuple[str, str]:
    """The code and message of a failure, which every channel got."""
    error = outcome.item["error"]
    assert outcome.execution.status == "failed"
    [notification] = pipeline.notifications(outcome.file_id)
    document = json.loads(json.loads(notification["message"])["default"])
    assert document["error"]["code"] == error["code"]
    [letter] = pipeline.dead_letters(outcome.file_id)
    assert letter["failure"]["caught"]["Error"].endswith(error["code"])
    return error["code"], error["message"]


def test_a_function_with_too_little_memory_fails_and_a_redrive_with_enough_succeeds(
    pipeline: Pipeline,
) -> None:
    # One split, of which Polars reads a block: with less it might get by.
    body = b"id,text\n" + b"".join(b"%d,%s\n" % (n, b"x" * 90) for n in range(60_000))
    pipeline.put_contract(
        "little-memory",
        {
            "name": "little-memory",
            "path": "a.csv",
            "schema": {
                "fields": [
                    {"name": "id", "type": "integer", "constraints": {"unique": True}},
                    {"name": "text", "type": "string"},
                ]
            },
        },
    )
    with memory_of(pipeline, TRANSFORM, 128):
        source = pipeline.drop(body, "a.csv", dataset="little-memory")
        outcome = pipeline.wait_for_failure(source.file_id)
    code, message = failed(pipeline, outcome)
    assert code == "Runtime.ExitError"
    assert "Runtime exited with error: signal: killed" in message
    assert pipeline.notifications(outcome.file_id)[0]["attributes"]["status"] == "failed"
    again = pipeline.redrive(outcome)
    assert (again.execution.status, again.execution.redrive_count) == ("succeeded", 1)
    assert again.item["processed_count"] == 60_000


def test_a_key_of_the_greatest_length_is_processed(pipeline: Pipeline) -> None:
    dataset = "long-name"
    name = "k" * (KEY_BYTES - len(f"raw/{dataset}/.csv")) + ".csv"
    outcome = pipeline.run(b"id\n1\n", name, dataset)
    assert outcome.execution.status == "succeeded"
    assert len(outcome.execution.source["key"]) == KEY_BYTES
    assert outcome.output(f"processed/{dataset}/", ".jsonl")


def test_a_dataset_whose_outputs_would_have_longer_keys_is_refused(pipeline: Pipeline) -> None:
    dataset = "d" * (KEY_BYTES - len("raw//a.csv"))
    outcome = pipeline.wait_for_failure(pipeline.drop(b"id\n1\n", "a.csv", dataset).file_id)
    code, message = failed(pipeline, outcome)
    assert code == "KeyTooLong"
    assert "1,024" in message


def test_an_error_about_a_text_of_900_kb_is_cut(pipeline: Pipeline) -> None:
    fields: Any = [
        {"name": "b" * 450_000, "type": "unknown"},
        {"name": "a", "type": "string", "constraints": {"pattern": "(" + "x" * 450_000}},
    ]
    contract = {"name": "text", "path": "a.csv", "schema": {"fields": fields}}
    pipeline.put_contract("long-text", contract)
    source = pipeline.drop(b"a,b\n1,2\n", "a.csv", dataset="long-text")
    code, message = failed(pipeline, pipeline.wait_for_failure(source.file_id))
    assert code == "InvalidContract"
    assert len(message) < 5_000


def test_an_unexpected_error_of_900_kb_is_cut(pipeline: Pipeline) -> None:
    pipeline.stack.add_fault(TRANSFORM, "E" * 900_000)
    code, message = failed(pipeline, pipeline.wait_for_failure(pipeline.drop(b"id\n1\n").file_id))
    assert code == "E" * limits.ERROR.most
    assert len(message) <= limits.CAUSE.most


def test_a_column_name_of_a_megabyte_is_processed(pipeline: Pipeline) -> None:
    outcome = pipeline.run(b"a," + b"b" * 1_000_000 + b"\n1,2\n")
    assert outcome.execution.status == "succeeded"
    assert outcome.item["processed_count"] == 1


@pytest.mark.long
@pytest.mark.parametrize(
    ("columns", "characters"),
    [(20_000, 50), (50_000, 10)],
    ids=["a header of a megabyte", "as many columns as are allowed"],
)
def test_tens_of_thousands_of_columns_are_processed(
    pipeline: Pipeline, columns: int, characters: int
) -> None:
    names = [f"c{number:05d}".ljust(characters, "x") for number in range(columns)]
    fields = [{"name": name, "type": "integer"} for name in names]
    pipeline.put_contract(
        "wide",
        {
            "name": "wide",
            "path": "a.csv",
            "schema": {"fields": fields},
            "pipeline": {"maxRejectPercent": 50},
        },
    )
    lines = [names, ["1"] * len(names), ["x"] * len(names)]
    body = "".join(",".join(line) + "\n" for line in lines).encode()
    source = pipeline.drop(body, "a.csv", dataset="wide")
    pipeline.wait(source.file_id, patience=600)
    outcome = pipeline.outcome(source.file_id)
    assert outcome.execution.status == "succeeded"
    assert (outcome.item["processed_count"], outcome.item["error_count"]) == (1, 1)
