"""SplitFailure: the error of the split that failed a Map, among what the ResultWriter reports."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from shared.job import DOCUMENT_VERSION
from split_failure.app import handler
from split_failure.results import CHILD_FAILED, first_failure, is_failed_file
from tests.unit.functions.documents import OUTPUT_BUCKET, execution, job

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MACHINE = "arn:aws:states:eu-west-1:123456789012:{}:data-pipeline-dev/TransformSplits"
CHILD_NAME = "55334b15-7c04-3b8d-8ee4-5c6f72f90dbc"
RUNS = ("4977ded7-b097-3bee-81e1-7863c5660f29", "0c1e2f3a-7c04-3b8d-8ee4-5c6f72f90dbc")
FAILED_STATE = "TransformSplits"


def child(index: int, status: str, *, stop: str = "12:00:00Z", **why: str) -> dict[str, Any]:
    """One execution as AWS reports it: its ARN names no Map Run."""
    return {
        "ExecutionArn": f"{MACHINE.format('execution')}:{CHILD_NAME}",
        "Input": json.dumps({"split": {"index": index}}),
        "InputDetails": {"Included": True},
        "Name": CHILD_NAME,
        "OutputDetails": {"Included": True},
        "RedriveCount": 0,
        "RedriveStatus": "REDRIVABLE_BY_MAP_RUN",
        "StartDate": "2026-11-25T08:00:00Z",
        "StateMachineArn": MACHINE.format("stateMachine"),
        "Status": status,
        "StopDate": f"2026-11-25T{stop}",
        **why,
    }


def key(run: int, number: int = 0, status: str = "FAILED") -> str:
    folder = f"work/{job()['file_id']}/{execution()['Name']}/map/{FAILED_STATE}"
    return f"{folder}/{RUNS[run]}/{status}_{number}.json"


def test_the_first_failed_split_in_file_order_gives_the_error() -> None:
    later = child(2, "FAILED", Error="SourceChanged", Cause="it is another object")
    earlier = child(1, "FAILED", Error="TransientError", Cause="again")
    for files in ([(key(0), [later, earlier])], [(key(0), [later]), (key(0, 1), [earlier])]):
        assert first_failure(files) == {"Error": "TransientError", "Cause": "again"}


def test_a_split_that_was_stopped_with_the_map_does_not_hide_the_error() -> None:
    stopped = child(0, "ABORTED")
    failed = child(1, "FAILED", Error="MisalignedSplits", Cause="at byte 7")
    expected = {"Error": "MisalignedSplits", "Cause": "at byte 7"}
    assert first_failure([(key(0), [stopped, failed])]) == expected


@pytest.mark.parametrize(
    ("old_end", "new_end"),
    [("12:00:00Z", "13:00:00Z"), ("12:00:00.9Z", "12:00:01Z"), ("12:00:00Z", "12:00:00.001Z")],
)
@pytest.mark.parametrize("newest", [0, 1])
def test_only_the_newest_map_run_counts(old_end: str, new_end: str, newest: int) -> None:
    old = child(0, "FAILED", stop=old_end, Error="TransientError", Cause="old")
    new = child(3, "FAILED", stop=new_end, Error="FileTooLarge", Cause="new")
    files = sorted([(key(1 - newest), [old]), (key(newest), [new])])
    assert first_failure(files) == {"Error": "FileTooLarge", "Cause": "new"}


@pytest.mark.parametrize("given", [None, "", "null", "[]", '{"split": {}}'])
def test_a_result_without_input_still_gives_its_error(given: str | None) -> None:
    blind = child(0, "FAILED", Error="SourceChanged", Cause="gone") | {"Input": given}
    if given is None:
        del blind["Input"]
        blind["InputDetails"] = {"Included": False}
    assert first_failure([(key(0), [blind])]) == {"Error": "SourceChanged", "Cause": "gone"}
    seen = child(7, "FAILED", Error="FileTooLarge", Cause="known split")
    files = [(key(0), [blind, seen])]
    assert first_failure(files) == {"Error": "FileTooLarge", "Cause": "known split"}


def test_without_children_there_is_no_error() -> None:
    assert first_failure([]) is None
    assert first_failure([(key(0), [])]) is None


def test_only_failed_files_are_read() -> None:
    assert is_failed_file(key(0))
    assert not is_failed_file(key(0, status="SUCCEEDED"))
    assert not is_failed_file(key(0).replace("FAILED_0", "manifest"))


def failed_map(error: str) -> dict[str, Any]:
    """The payload of the state after a Map that failed for the second time."""
    results = {"parse": {"version": DOCUMENT_VERSION, "splits": 4}, "measure": {}, "numbers": {}}
    caught = {"Error": error, "Cause": "The Map's own words"}
    return {"job": job() | results | {"failure": caught}, "execution": execution()}


@pytest.fixture
def earlier_run(buckets: S3Client, monkeypatch: pytest.MonkeyPatch) -> S3Client:
    """The results of a Map Run from before a redrive."""
    monkeypatch.setenv("OUTPUT_BUCKET", OUTPUT_BUCKET)
    old = [child(0, "FAILED", Error="MisalignedSplits", Cause="at byte 7")]
    buckets.put_object(Bucket=OUTPUT_BUCKET, Key=key(0), Body=json.dumps(old).encode())
    succeeded = key(0, status="SUCCEEDED")
    buckets.put_object(Bucket=OUTPUT_BUCKET, Key=succeeded, Body=b"not read")
    return buckets


def test_a_redrive_that_fails_again_is_reported_under_its_own_error(earlier_run: S3Client) -> None:
    new = [child(0, "FAILED", stop="13:00:00Z", Error="SourceChanged", Cause="another object")]
    earlier_run.put_object(Bucket=OUTPUT_BUCKET, Key=key(1), Body=json.dumps(new).encode())
    expected = {"Error": "SourceChanged", "Cause": "another object"}
    assert handler(failed_map(CHILD_FAILED), None) == expected


@pytest.mark.parametrize("error", ["States.ItemReaderFailed", "States.ResultWriterFailed"])
def test_a_map_that_failed_itself_is_not_reported_under_an_earlier_runs_error(
    earlier_run: S3Client, error: str
) -> None:
    expected = {"Error": error, "Cause": "The Map's own words"}
    assert handler(failed_map(error), None) == expected


def test_a_map_without_results_fails_under_its_own_error(
    buckets: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTPUT_BUCKET", OUTPUT_BUCKET)
    assert handler(failed_map(CHILD_FAILED), None)["Error"] == CHILD_FAILED
