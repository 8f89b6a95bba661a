"""The work that remains for an execution that ended without the failure lane, or inside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.errors import InternalError, TransientError
from shared.steps import RETRIES
from tests.unit.functions.conftest import Logs, client_error
from uncaught import app
from uncaught.document import last_document, left_undone, with_failure

EXECUTION = {"Id": "arn:execution", "Name": "name", "StartTime": "then", "RedriveCount": 0}
DETAIL = {"status": "TIMED_OUT"}


def entered(number: int, document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": number,
        "type": "TaskStateEntered",
        "stateEnteredEventDetails": {"name": "State", "input": json.dumps(document)},
    }


def in_lane(redrives: int = 0, **results: Mapping[str, str]) -> dict[str, Any]:
    execution = {**EXECUTION, "RedriveCount": redrives}
    caught = {"Error": "SourceChanged", "Cause": ""}
    return {"failure": {"caught": caught, "execution": execution, **results}}


@pytest.mark.parametrize("order", [1, -1])
def test_the_last_entered_state_has_the_document_in_either_order(order: int) -> None:
    events = [entered(2, {"step": 1}), {"id": 3, "type": "TaskScheduled"}, entered(4, {"step": 2})]
    assert last_document(events[::order]) == {"step": 2}


def test_a_history_without_states_has_no_document() -> None:
    assert last_document([{"id": 1, "type": "ExecutionStarted"}]) is None


def test_nothing_was_done_for_an_execution_that_never_reached_the_lane() -> None:
    assert left_undone({"parse": {}}, EXECUTION) == ["dead_letter", "notification", "record"]


def test_what_the_lane_did_is_not_done_again() -> None:
    document = in_lane(dead_letter={"message_id": "1"}, notification={"message_id": "2"})
    assert left_undone(document, EXECUTION) == ["record"]


def test_a_part_of_the_lane_that_failed_has_yet_to_be_done() -> None:
    document = in_lane(
        dead_letter={"Error": "SQS.SdkClientException", "Cause": ""},
        notification={"message_id": "2"},
        record={"status": "failed"},
    )
    assert left_undone(document, EXECUTION) == ["dead_letter"]


def test_what_the_lane_did_before_a_redrive_does_not_count() -> None:
    document = in_lane(dead_letter={"message_id": "1"}, record={"status": "failed"})
    redriven = {**EXECUTION, "RedriveCount": 1}
    assert left_undone(document, redriven) == ["dead_letter", "notification", "record"]


def test_the_lanes_own_failure_stays_as_it_is() -> None:
    document = in_lane(dead_letter={"message_id": "1"})
    assert with_failure(document, EXECUTION, DETAIL) == document


@pytest.mark.parametrize(
    ("status", "error"),
    [("TIMED_OUT", "States.Timeout"), ("ABORTED", "Aborted"), ("FAILED", "States.Runtime")],
)
def test_a_status_becomes_an_error(status: str, error: str) -> None:
    document = with_failure({"file_id": "x"}, EXECUTION, {"status": status})
    assert document["failure"]["caught"]["Error"] == error
    assert document["failure"]["execution"] == EXECUTION


def test_the_executions_own_error_and_cause_are_kept() -> None:
    detail = {"status": "FAILED", "error": "States.DataLimitExceeded", "cause": "too much"}
    caught = with_failure({}, EXECUTION, detail)["failure"]["caught"]
    assert caught == {"Error": "States.DataLimitExceeded", "Cause": "too much"}


class Lane:
    """The services that the handler calls; Step Functions answers what a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, status: str, item: Any = None) -> None:
        self.sent: list[Mapping[str, Any]] = []
        self.invoked: list[str] = []
        self.payloads: list[Any] = []
        self.described: dict[str, Any] = {
            "executionArn": EXECUTION["Id"],
            "name": "name",
            "status": status,
            "startDate": datetime(2026, 3, 1, tzinfo=UTC),
        }
        self.document: dict[str, Any] = {"file_id": "0" * 32}
        self.later: list[Any] = [{"id": 9, "type": "ExecutionFailed"}]
        monkeypatch.setattr(app, "_history", lambda _arn: [*self.later, entered(1, self.document)])
        monkeypatch.setattr(app, "_describe", lambda _arn: self.described)
        monkeypatch.setattr(app, "read_item", lambda _table, _file: item)
        monkeypatch.setattr(app, "_send", lambda _url, sent: self.sent.append(sent))
        monkeypatch.setattr(app, "_invoke", self.invoke)
        for name in ("dead_letter_queue_url", "metadata_table"):
            monkeypatch.setenv(name.upper(), name)
        monkeypatch.setenv("NOTIFY_FUNCTION", "notify")
        monkeypatch.setenv("RECORD_METADATA_FUNCTION", "record")

    def invoke(self, name: str, payload: Any) -> None:
        self.invoked.append(name)
        self.payloads.append(payload)

    def redriven(self, times: int) -> None:
        """Let Step Functions show the run after this number of redrives, ended again."""
        self.described["redriveCount"] = times
        self.later = [{"id": 9, "type": "ExecutionFailed"}, redrive(8, times)]


def redrive(number: int, times: int) -> dict[str, Any]:
    details = {"redriveCount": times}
    return {
        "id": number,
        "type": "ExecutionRedriven",
        "executionRedrivenEventDetails": details,
    }


def event(status: str, redrives: int = 0) -> dict[str, Any]:
    return {
        "detail": {
            "executionArn": EXECUTION["Id"],
            "name": "name",
            "status": status,
            "input": "{}",
            "redriveCount": redrives,
        }
    }


def test_an_uncaught_failure_is_queued_notified_and_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lane = Lane(monkeypatch, "ABORTED")
    assert app.handler(event("ABORTED"), None)["done"] == ["dead_letter", "notification", "record"]
    assert [document["failure"]["caught"]["Error"] for document in lane.sent] == ["Aborted"]
    assert lane.invoked == ["notify", "record"]


def test_parts_of_the_lane_that_are_done_later_are_recorded_as_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lane = Lane(monkeypatch, "FAILED")
    results: dict[str, Any] = {"dead_letter": {"message_id": "1"}, "record": {"status": "failed"}}
    lane.document |= in_lane(**results, notification={"Error": "X", "Cause": ""})
    assert app.handler(event("FAILED"), None)["done"] == ["notification"]
    assert (lane.sent, lane.invoked) == ([], ["notify", "record"])
    assert lane.payloads[-1]["job"] == {**lane.document, **in_lane(**results)}


@pytest.mark.parametrize("now", ["RUNNING", "SUCCEEDED", "ABORTED"])
def test_an_event_that_comes_after_a_redrive_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, now: str
) -> None:
    lane = Lane(monkeypatch, now)
    lane.redriven(1)
    assert app.handler(event("ABORTED"), None) == {"done": []}
    assert (lane.sent, lane.invoked) == ([], [])


def test_a_redrive_that_only_the_history_shows_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lane = Lane(monkeypatch, "ABORTED")
    lane.later = [redrive(9, 1)]
    assert app.handler(event("ABORTED"), None) == {"done": []}
    assert (lane.sent, lane.invoked) == ([], [])


def test_a_run_after_a_redrive_is_handled_like_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lane = Lane(monkeypatch, "ABORTED")
    lane.redriven(2)
    app.handler(event("ABORTED", redrives=2), None)
    assert [document["failure"]["execution"]["RedriveCount"] for document in lane.sent] == [2]
    # Of a long run, the page that is read does not reach back to the redrive.
    lane.later = [{"id": 9, "type": "ExecutionAborted"}]
    app.handler(event("ABORTED", redrives=2), None)
    assert len(lane.sent) == 2


def stale_status(lane: Lane) -> None:
    lane.described["status"] = "RUNNING"


def stale_history(lane: Lane) -> None:
    lane.later = [{"id": 9, "type": "TaskStateExited"}]


def stale_count(lane: Lane) -> None:
    lane.described["redriveCount"] = 0


def stale_end(lane: Lane) -> None:
    lane.later = [{"id": 9, "type": "ExecutionFailed"}, redrive(2, 0)]


@pytest.mark.parametrize("make_stale", [stale_status, stale_history, stale_count, stale_end])
def test_a_response_older_than_the_event_is_requested_again(
    monkeypatch: pytest.MonkeyPatch, make_stale: Callable[[Lane], None]
) -> None:
    lane = Lane(monkeypatch, "ABORTED")
    lane.redriven(1)
    make_stale(lane)
    with pytest.raises(TransientError, match="Retry later"):
        app.handler(event("ABORTED", redrives=1), None)
    assert (lane.sent, lane.invoked) == ([], [])


def test_an_event_without_its_redrive_count_is_not_taken_for_the_first_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lane = Lane(monkeypatch, "ABORTED")
    lane.redriven(1)
    unknown = event("ABORTED")
    del unknown["detail"]["redriveCount"]
    # It ends in the dead-letter queue, so it isn't lost.
    with pytest.raises(InternalError, match="freshness"):
        app.handler(unknown, None)


def recorded(at: str) -> dict[str, Any]:
    """An item whose history has a failure of the execution's name, recorded at this time."""
    entry = {"status": "failed", "execution_arn": EXECUTION["Id"], "redrive_count": 0}
    return {"history": {"1.0": {**entry, "recorded_at": at}}}


def test_an_event_that_comes_again_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    lane = Lane(monkeypatch, "ABORTED", recorded("2026-03-01T00:00:09.000Z"))
    assert app.handler(event("ABORTED"), None) == {"done": []}
    assert (lane.sent, lane.invoked) == ([], [])


def test_a_failure_before_the_name_was_used_again_is_not_taken_for_this_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lane = Lane(monkeypatch, "ABORTED", recorded("2025-11-01T00:00:09.000Z"))
    assert app.handler(event("ABORTED"), None)["done"] == ["dead_letter", "notification", "record"]
    assert lane.invoked == ["notify", "record"]


class FakeLambda:
    """Answers invocations one after the other, and remembers their types."""

    def __init__(self, *answers: Any) -> None:
        self._answers = iter(answers)
        self.types: list[str] = []

    def invoke(self, *, InvocationType: str = "RequestResponse", **_: Any) -> Any:  # noqa: N803
        self.types.append(InvocationType)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


THROTTLED = client_error("TooManyRequestsException", "Invoke", status=429)


def test_a_throttled_call_becomes_an_asynchronous_invocation(
    monkeypatch: pytest.MonkeyPatch, logs: Logs
) -> None:
    fake = FakeLambda(THROTTLED, {"StatusCode": 202})
    monkeypatch.setattr(app, "awslambda", lambda: fake)
    app._invoke("notify", {})
    assert fake.types == ["RequestResponse", "Event"]
    assert logs[-1]["function"] == "notify"


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([client_error("ServiceException", "Invoke", status=500)], TransientError),
        ([client_error("AccessDeniedException", "Invoke", status=403)], InternalError),
        ([THROTTLED, client_error("ServiceException", "Invoke", status=500)], TransientError),
    ],
)
def test_any_other_error_fails_the_invocation(
    monkeypatch: pytest.MonkeyPatch, answers: list[Exception], error: type[Exception]
) -> None:
    fake = FakeLambda(*answers)
    monkeypatch.setattr(app, "awslambda", lambda: fake)
    with pytest.raises(error):
        app._invoke("notify", {})


@pytest.mark.parametrize("state", RETRIES)
def test_the_events_that_are_read_reach_back_before_a_states_retries(state: str) -> None:
    attempts = 1 + sum(retry.attempts for retry in RETRIES[state])
    # TaskScheduled, TaskStarted and TaskFailed of each, and the execution's own end.
    assert 3 * attempts + 1 < app.HISTORY_EVENTS
