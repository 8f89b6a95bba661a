"""What is left to do for an execution that ended without the failure lane, or in its middle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

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
def test_the_last_entered_state_tells_the_document_in_either_order(order: int) -> None:
    events = [entered(2, {"step": 1}), {"id": 3, "type": "TaskScheduled"}, entered(4, {"step": 2})]
    assert last_document(events[::order]) == {"step": 2}


def test_a_history_without_states_has_no_document() -> None:
    assert last_document([{"id": 1, "type": "ExecutionStarted"}]) is None


def test_nothing_was_done_for_an_execution_that_never_came_to_the_lane() -> None:
    assert left_undone({"parse": {}}, EXECUTION) == ["dead_letter", "notification", "record"]


def test_what_the_lane_did_is_not_done_again() -> None:
    document = in_lane(dead_letter={"message_id": "1"}, notification={"message_id": "2"})
    assert left_undone(document, EXECUTION) == ["record"]


def test_a_part_of_the_lane_that_failed_is_left_to_do() -> None:
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
def test_a_status_is_made_an_error(status: str, error: str) -> None:
    document = with_failure({"file_id": "x"}, EXECUTION, {"status": status})
    assert document["failure"]["caught"]["Error"] == error
    assert document["failure"]["execution"] == EXECUTION


def test_the_executions_own_error_and_cause_are_kept() -> None:
    detail = {"status": "FAILED", "error": "States.DataLimitExceeded", "cause": "too much"}
    caught = with_failure({}, EXECUTION, detail)["failure"]["caught"]
    assert caught == {"Error": "States.DataLimitExceeded", "Cause": "too much"}
