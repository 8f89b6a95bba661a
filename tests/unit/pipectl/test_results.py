"""The results that are collected for a file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from pipectl.client.file_results import FileResult, message_text
from pipectl.client.history import ExecutionFailure, read_history
from pipectl.client.metadata_items import plain
from pipectl.client.step_functions import DescribedExecution
from pipectl.client.uploads import PlannedUpload

STARTED = datetime(2026, 3, 1, tzinfo=UTC)


def test_dynamodb_values_become_json() -> None:
    item = {"count": Decimal(3), "rate": Decimal("99.5"), "tags": {"b", "a"}, "deep": [Decimal(1)]}
    expected = {"count": 3, "rate": 99.5, "tags": ["a", "b"], "deep": [1]}
    assert json.loads(json.dumps(plain(item))) == expected


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("plain words", "plain words"),
        ('{"default": "for all", "sqs": "{}"}', "for all"),
        ('{"default": "for all", "email": "for people"}', "for people"),
        ('{"AlarmName": "an alarm is no document by protocol"}',) * 2,
    ],
)
def test_people_get_the_text_of_a_message(message: str, text: str) -> None:
    assert message_text(message) == text


def test_a_file_that_started_nothing_has_an_error_and_no_execution() -> None:
    nothing = dict.fromkeys(("processed", "rejected", "summary", "report"))
    failure = ExecutionFailure("NotStarted", "It did not start.", None)
    result = FileResult(
        PlannedUpload(Path("a.csv"), "raw/a.csv"), None, None, failure, None, None, nothing
    )
    assert result.document() == {
        "source": "a.csv",
        "dataset": "default",
        "file_id": None,
        "status": "failed",
        "record_count": None,
        "processed_count": None,
        "error_count": None,
        "outputs": {"processed": None, "rejected": None, "summary": None, "report": None},
        "execution": None,
        "metadata": None,
        "notification": None,
        "error": {"code": "NotStarted", "message": "It did not start.", "state": None},
    }


def test_a_file_that_succeeded_has_the_shape_that_other_tools_rely_on() -> None:
    execution = DescribedExecution(
        "arn:x", "f1", "succeeded", STARTED, document={"file_id": "f1", "source": {}}
    )
    result = FileResult(
        PlannedUpload(Path("in/a.csv"), "raw/orders/a.csv"),
        execution,
        read_history([], "succeeded"),
        None,
        {"file_id": "f1", "record_count": 3, "processed_count": 2, "error_count": 1},
        {"subject": "s", "message": "m", "attributes": {}},
        {
            "processed": Path("out/processed/orders/f1.jsonl"),
            "rejected": None,
            "summary": None,
            "report": None,
        },
    )
    document = result.document()
    assert document["source"] == "in/a.csv"
    assert (document["dataset"], document["file_id"]) == ("orders", "f1")
    counts = (document["record_count"], document["processed_count"], document["error_count"])
    assert counts == (3, 2, 1)
    assert document["outputs"]["processed"] == "out/processed/orders/f1.jsonl"
    assert document["execution"] == {"arn": "arn:x", "name": "f1", "states": []}
    assert document["error"] is None
