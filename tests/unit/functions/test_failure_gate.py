"""FailureGate: fails under the true error, and lets a redriven execution pass."""

from __future__ import annotations

from typing import Any

import pytest

from failure_gate.app import handler
from shared.errors import InternalError
from tests.unit.functions import documents, workflow
from tests.unit.functions.conftest import Logs

REACHED = documents.job(parse=documents.PARSE, transform=documents.TRANSFORM)


def enter(document: dict[str, Any], *, redrives: int | None = None) -> dict[str, Any]:
    return handler(documents.payload(document, redrives=redrives), None)


def raised(failure: dict[str, Any], **results: Any) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011  # its class is what is tested
        enter({**REACHED, **results, "failure": failure})
    return caught.value


def test_the_execution_fails_with_the_errors_name_message_and_step(logs: Logs) -> None:
    error = raised(documents.failure("TooManyRejects", "3 of 4 records were rejected."))
    assert type(error).__name__ == "TooManyRejects"
    assert str(error) == "3 of 4 records were rejected. (in WriteOutput)"
    assert logs[-1]["error"] == "TooManyRejects"
    assert logs[-1]["state"] == "WriteOutput"


@pytest.mark.parametrize(
    ("error", "name"),
    [
        ("States.Timeout", "Timeout"),
        ("States.TaskFailed", "TaskFailed"),
        ("Lambda.TooManyRequestsException", "TooManyRequestsException"),
        ("Lambda.Unknown", "Unknown"),
        ("Sandbox.Timedout", "Timedout"),
        ("Runtime.ExitError", "ExitError"),
    ],
)
def test_a_reserved_prefix_is_dropped_and_the_full_name_reported(
    logs: Logs, error: str, name: str
) -> None:
    raised_error = raised(documents.failure(error, "It ended."))
    assert type(raised_error).__name__ == name
    assert str(raised_error) == f"{error}: It ended. (in WriteOutput)"


def test_a_name_with_a_dot_that_is_not_reserved_stays(logs: Logs) -> None:
    assert type(raised(documents.failure("S3.SomeException"))).__name__ == "S3.SomeException"


def test_an_error_without_a_cause_is_reported_by_its_name_and_step(logs: Logs) -> None:
    failure = {"caught": {"Error": "States.Timeout"}, "execution": documents.execution()}
    assert str(raised(failure)) == "States.Timeout (in WriteOutput)"


@pytest.mark.parametrize("part", ["dead_letter", "notification", "record"])
def test_failed_parts_of_the_lane_are_shown(logs: Logs, part: str) -> None:
    failure = {**documents.failure(), part: {"Error": "States.Timeout", "Cause": ""}}
    assert str(raised(failure)).endswith(f" Parts of the failure lane that failed: {part}.")


def test_a_lane_that_did_everything_is_not_mentioned(logs: Logs) -> None:
    done = {"dead_letter": {"message_id": "m1"}, "notification": {"message_id": "m2"}}
    assert str(raised({**documents.failure(), **done})).endswith("(in WriteOutput)")


def test_a_redrive_passes_with_the_results_so_far(logs: Logs) -> None:
    failed = {**REACHED, "failure": documents.failure("InternalError")}
    assert enter(failed, redrives=1) == {
        **REACHED,
        "resumed": {"error": "InternalError", "state": "WriteOutput"},
    }


def test_a_failure_after_a_redrive_fails_again_until_the_next_one(logs: Logs) -> None:
    failed = {
        **REACHED,
        "resumed": {"error": "InternalError", "state": "Transform"},
        "failure": documents.failure("InternalError", redrives=1),
    }
    with pytest.raises(Exception, match="in WriteOutput"):
        enter(failed, redrives=1)
    assert enter(failed, redrives=2)["resumed"]["state"] == "WriteOutput"


@pytest.mark.parametrize("reached", [(), ("record",), ("record", "notification")])
def test_after_a_late_failure_recording_and_notification_run_again(
    logs: Logs, reached: tuple[str, ...]
) -> None:
    results = {name: {"status": "succeeded"} for name in reached}
    failed = {**documents.finished(), **results, "failure": documents.failure("InternalError")}
    resumed = enter(failed, redrives=1)
    assert resumed.keys() == {*documents.finished(), "resumed"}
    assert workflow.next_task("ResumeAt", resumed) == "RecordMetadata"


def test_too_many_rejects_start_over_when_redriven(logs: Logs) -> None:
    failed = {**REACHED, "failure": documents.failure("TooManyRejects")}
    assert workflow.next_task("ResumeAt", enter(failed, redrives=1)) == "StartOver"


def test_a_document_without_a_failure_is_refused(logs: Logs) -> None:
    with pytest.raises(InternalError, match="has no failure"):
        enter(REACHED)


def test_a_failure_that_the_lane_could_not_handle_at_all_is_raised(logs: Logs) -> None:
    assert type(raised(documents.failure("EmptyFile"))).__name__ == "EmptyFile"
