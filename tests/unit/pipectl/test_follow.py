"""Histories of executions, as they are shown to people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pipectl.client.history import ExecutionFailure, read_history

Event = tuple[str, dict[str, Any]]

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def events(*described: Event) -> list[dict[str, Any]]:
    """History events, one second after another."""
    return [
        {"type": kind, "timestamp": START + timedelta(seconds=second), **details}
        for second, (kind, details) in enumerate(described)
    ]


def entered(name: str, kind: str = "Task") -> Event:
    return f"{kind}StateEntered", {"stateEnteredEventDetails": {"name": name}}


def exited(name: str, kind: str = "Task") -> Event:
    return f"{kind}StateExited", {"stateExitedEventDetails": {"name": name}}


def failed(error: str, cause: str = "{}") -> Event:
    return "TaskFailed", {"taskFailedEventDetails": {"error": error, "cause": cause}}


def execution_failed(error: str, cause: str) -> Event:
    details = {"error": error, "cause": cause}
    return "ExecutionFailed", {"executionFailedEventDetails": details}


STARTED: Event = ("ExecutionStarted", {})
SCHEDULED: Event = ("TaskScheduled", {})
SUCCEEDED: Event = ("TaskSucceeded", {})
LANE = (
    entered("DescribeFailure", "Pass"),
    exited("DescribeFailure", "Pass"),
    entered("FailureGate"),
    SCHEDULED,
)


def test_each_visit_has_its_duration() -> None:
    run = read_history(
        events(
            STARTED,
            entered("ParseCsv"),
            SCHEDULED,
            SUCCEEDED,
            exited("ParseCsv"),
            entered("Done", "Succeed"),
            exited("Done", "Succeed"),
            ("ExecutionSucceeded", {}),
        ),
        "succeeded",
    )
    assert run.states() == [
        {"name": "ParseCsv", "status": "succeeded", "duration_ms": 3000},
        {"name": "Done", "status": "succeeded", "duration_ms": 1000},
    ]
    assert run.failure is None


def test_attempts_of_a_state_are_one_visit_and_a_success_clears_earlier_failures() -> None:
    run = read_history(
        events(
            STARTED,
            entered("Transform"),
            SCHEDULED,
            failed("TransientError"),
            SCHEDULED,
            SUCCEEDED,
            exited("Transform"),
            ("ExecutionSucceeded", {}),
        ),
        "succeeded",
    )
    (visit,) = run.visits
    assert (visit.attempts, visit.failure, visit.status("succeeded")) == (2, None, "succeeded")


def test_the_failure_is_that_of_the_state_before_the_failure_lane() -> None:
    run = read_history(
        events(
            STARTED,
            entered("ParseCsv"),
            SCHEDULED,
            failed("EmptyFile", '{"errorMessage": "The file is empty."}'),
            exited("ParseCsv"),
            *LANE,
            failed("EmptyFile", '{"errorMessage": "The file is empty. (in ParseCsv)"}'),
            execution_failed("EmptyFile", '{"errorMessage": "The file is empty. (in ParseCsv)"}'),
        ),
        "failed",
    )
    assert run.failure == ExecutionFailure("EmptyFile", "The file is empty.", "ParseCsv")


def test_an_error_whose_reserved_prefix_was_dropped_keeps_its_full_name() -> None:
    run = read_history(
        events(
            STARTED,
            entered("Transform"),
            SCHEDULED,
            ("TaskTimedOut", {"taskTimedOutEventDetails": {"error": "States.Timeout"}}),
            exited("Transform"),
            *LANE,
            failed("Timeout"),
            execution_failed("Timeout", '{"errorMessage": "States.Timeout: "}'),
        ),
        "failed",
    )
    assert run.failure == ExecutionFailure("States.Timeout", "", "Transform")


def test_a_failed_map_shows_the_error_of_its_split() -> None:
    run = read_history(
        events(
            STARTED,
            entered("TransformSplits", "Map"),
            ("MapRunFailed", {"mapRunFailedEventDetails": {"error": "States.Exceed", "cause": ""}}),
            exited("TransformSplits", "Map"),
            entered("SplitFailure"),
            SCHEDULED,
            SUCCEEDED,
            exited("SplitFailure"),
            *LANE,
            failed("SourceChanged", '{"errorMessage": "It changed."}'),
            execution_failed("SourceChanged", '{"errorMessage": "It changed."}'),
        ),
        "failed",
    )
    assert run.failure == ExecutionFailure("SourceChanged", "It changed.", "TransformSplits")


def test_a_redriven_execution_is_judged_by_its_last_run() -> None:
    first = (
        STARTED,
        entered("Summarize"),
        SCHEDULED,
        failed("Broken"),
        exited("Summarize"),
        *LANE,
        failed("Broken"),
        execution_failed("Broken", ""),
    )
    again: tuple[Event, ...] = (
        ("ExecutionRedriven", {}),
        SCHEDULED,
        SUCCEEDED,
        exited("FailureGate"),
        ("ExecutionSucceeded", {}),
    )
    assert read_history(events(*first, *again), "succeeded").failure is None


def test_an_uncaught_error_is_reported_for_the_state_in_which_it_happened() -> None:
    run = read_history(
        events(STARTED, entered("Transform"), SCHEDULED, ("ExecutionTimedOut", {})),
        "timed_out",
    )
    expected = "The execution ran longer than the workflow allows."
    assert run.failure == ExecutionFailure("States.Timeout", expected, "Transform")
    assert run.states()[0]["status"] == "timed_out"
