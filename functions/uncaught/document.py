"""The state document of an execution that ended outside the failure lane, or inside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from shared.steps import LANE_RESULTS

# The lane's parts, in order; each puts its result into the document's `failure`.
LANE = LANE_RESULTS


def last_document(events: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The input of the last entered state, or None; `events` is a history in any order."""
    entered = [event for event in events if "input" in event.get("stateEnteredEventDetails", {})]
    if not entered:
        return None
    last = max(entered, key=lambda event: int(event["id"]))
    document: dict[str, Any] = json.loads(last["stateEnteredEventDetails"]["input"])
    return document


def left_undone(document: Mapping[str, Any], execution: Mapping[str, Any]) -> list[str]:
    """The parts of the failure lane that have yet to be done for the execution's current run."""
    failure = _present_failure(document, execution)
    return [part for part in LANE if part not in failure or "Error" in failure[part]]


def with_failure(
    document: Mapping[str, Any], execution: Mapping[str, Any], detail: Mapping[str, Any]
) -> dict[str, Any]:
    """The document with a `failure` like DescribeFailure's, made from the execution's status."""
    if _present_failure(document, execution):
        return dict(document)
    error = detail.get("error") or _ERRORS[detail["status"]]
    cause = detail.get("cause") or f"The execution ended as {detail['status']}."
    return {
        **document,
        "failure": {"caught": {"Error": error, "Cause": cause}, "execution": dict(execution)},
    }


_ERRORS = {"TIMED_OUT": "States.Timeout", "ABORTED": "Aborted", "FAILED": "States.Runtime"}


def _present_failure(
    document: Mapping[str, Any], execution: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The failure that the lane was handling; empty if it is of a run before a redrive."""
    failure: Mapping[str, Any] = document.get("failure", {})
    described: Mapping[str, Any] = failure.get("execution", {})
    same_run = int(described.get("RedriveCount") or 0) == execution["RedriveCount"]
    return failure if described and same_run else {}
