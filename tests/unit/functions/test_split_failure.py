"""SplitFailure: the error of the split that failed a Map, among what the ResultWriter reports."""

from __future__ import annotations

import json
from typing import Any

from split_failure.results import first_failure

MACHINE = "arn:aws:states:eu-west-1:123456789012:execution:data-pipeline-dev/TransformSplits"


def child(index: int, status: str, *, run: str = "run-1", stop: str = "12:00", **why: str) -> Any:
    return {
        "ExecutionArn": f"{MACHINE}:{run}:{index}",
        "Input": json.dumps({"split": {"index": index}}),
        "Status": status,
        "StopDate": f"2026-11-25T{stop}:00Z",
        **why,
    }


def test_the_first_split_in_the_files_order_tells_why() -> None:
    later = child(2, "FAILED", Error="SourceChanged", Cause="it is another object")
    earlier = child(1, "FAILED", Error="TransientError", Cause="again")
    assert first_failure([later, earlier]) == {"Error": "TransientError", "Cause": "again"}


def test_a_split_that_was_stopped_with_the_map_hides_no_error() -> None:
    stopped = child(0, "ABORTED")
    failed = child(1, "FAILED", Error="MisalignedSplits", Cause="at byte 7")
    assert first_failure([stopped, failed]) == {"Error": "MisalignedSplits", "Cause": "at byte 7"}


def test_only_the_newest_map_run_counts() -> None:
    old = child(0, "FAILED", run="run-1", stop="12:00", Error="TransientError", Cause="old")
    new = child(3, "FAILED", run="run-2", stop="13:00", Error="FileTooLarge", Cause="new")
    assert first_failure([old, new]) == {"Error": "FileTooLarge", "Cause": "new"}


def test_without_children_there_is_no_error() -> None:
    assert first_failure([]) is None
