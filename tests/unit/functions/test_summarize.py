"""Summarize: what it writes, and that repeating it writes the same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from shared import keys, storage
from tests.unit.functions.conftest import Fault, Logs, client_error
from tests.unit.functions.documents import OUTPUT_BUCKET
from tests.unit.functions.report_pages import read
from tests.unit.functions.test_contracts_between_steps import pipeline, run, through, uploaded

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["pipeline"]  # a fixture

PEOPLE = b"id,amount\n1,2\n2,much\n3,4\n"
BEFORE = ["ParseCsv", "Transform", "WriteOutput"]
HISTORY = keys.history_key("people")

Document = dict[str, Any]
Get = Callable[[str], bytes]


@pytest.fixture
def get(pipeline: S3Client) -> Get:
    """Reads an object of the output bucket."""
    return lambda key: pipeline.get_object(Bucket=OUTPUT_BUCKET, Key=key)["Body"].read()


@pytest.fixture
def published(pipeline: S3Client, logs: Logs) -> Document:
    """The state document of a file before Summarize."""
    return through(BEFORE, uploaded(pipeline, PEOPLE))


def put_history(s3: S3Client, *files: dict[str, Any]) -> None:
    body = json.dumps({"files": files}).encode()
    s3.put_object(Bucket=OUTPUT_BUCKET, Key=HISTORY, Body=body)


def earlier(name: str, rows: int) -> dict[str, Any]:
    figures = {"rows": rows, "bytes": 9, "reject_rate": 0.0, "null_rates": {}}
    return {"file_id": name, "generated_at": "2020-01-01T00:00:00.000Z", **figures}


def test_summary_and_report_are_written_side_by_side(published: Document, get: Get) -> None:
    result = run("Summarize", published)["summary"]
    assert result["rejects"]["reasons"] == [
        {"column": 2, "code": "type-error", "rule": "type", "faults": 1, "records": 1}
    ]
    assert result["drift"] is None
    own = ("summary_key", "report_key", "success_rate")
    assert {name: result[name] for name in own} == {
        "summary_key": f"reports/people/{published['file_id']}_summary.json",
        "report_key": f"reports/people/{published['file_id']}.html",
        "success_rate": 66.67,
    }
    summary = json.loads(get(result["summary_key"]))
    assert summary["limit"] == {"max_percent": 100.0, "max_count": None}
    assert summary["columns"]["matched"] == ["id", "amount"]
    page = read(get(result["report_key"]))
    assert "2 of 3 records were published, and 1 was rejected (33.33%)." in page.text
    assert published["file_id"] in page.text


def test_a_browser_gets_a_page(published: Document, pipeline: S3Client) -> None:
    key = run("Summarize", published)["summary"]["report_key"]
    head = pipeline.head_object(Bucket=OUTPUT_BUCKET, Key=key)
    assert head["ContentType"] == "text/html; charset=utf-8"


def test_a_large_report_is_written_with_one_request(
    published: Document, pipeline: S3Client, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The function's role lacks what a multipart upload needs in order to be aborted.
    monkeypatch.setattr(storage, "PART_BYTES", 100)
    result = run("Summarize", published)["summary"]
    assert all(len(get(result[name])) > 100 for name in ("summary_key", "report_key"))
    assert pipeline.list_multipart_uploads(Bucket=OUTPUT_BUCKET).get("Uploads", []) == []


def test_repeating_the_step_writes_the_same_bytes(
    published: Document, pipeline: S3Client, get: Get
) -> None:
    put_history(pipeline, earlier("a", 100))
    result = run("Summarize", published)["summary"]
    before = [get(result[name]) for name in ("summary_key", "report_key")]
    put_history(pipeline, earlier("a", 100), earlier("b", 900), earlier("c", 950))
    assert run("Summarize", published, retry_count=1)["summary"] == result
    assert [get(result[name]) for name in ("summary_key", "report_key")] == before
    assert json.loads(before[0])["usual"]["rows"]["median"] == 100


def test_the_file_becomes_part_of_the_history_once(published: Document, get: Get) -> None:
    run("Summarize", published)
    run("Summarize", published, retry_count=1)
    [entry] = json.loads(get(HISTORY))["files"]
    assert (entry["file_id"], entry["rows"]) == (published["file_id"], 3)


def test_a_history_that_changed_meanwhile_is_read_again(
    published: Document, pipeline: S3Client, get: Get, fault: Fault
) -> None:
    put_history(pipeline, earlier("a", 100))
    conflict = client_error("PreconditionFailed", "PutObject", status=412)
    fault("PutObject", None, None, conflict)
    run("Summarize", published)
    assert len(json.loads(get(HISTORY))["files"]) == 2


def test_a_history_that_cannot_be_written_fails_no_file(
    published: Document, pipeline: S3Client, get: Get, fault: Fault
) -> None:
    conflict = client_error("ConditionalRequestConflict", "PutObject", status=409)
    fault("PutObject", *[conflict] * 5)
    run("Summarize", published)
    assert storage.find(OUTPUT_BUCKET, HISTORY) is None


def test_an_update_never_replaces_what_it_has_not_read(pipeline: S3Client, get: Get) -> None:
    def change(document: Any) -> Any:
        if document is None:
            put_history(pipeline, earlier("other", 1))
        return [*(document or {"files": []})["files"], "own"]

    assert storage.update_document(OUTPUT_BUCKET, HISTORY, change)
    assert json.loads(get(HISTORY)) == [earlier("other", 1), "own"]
