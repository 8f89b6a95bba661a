"""Histories of executions, made event by event, and the views of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

from pipectl.client.history import read_history
from pipectl.client.links import functions_of
from pipectl.client.step_functions import DescribedExecution
from pipectl.operate.details import ExecutionDetails, runs_of_visits
from pipectl.operate.execution_view import ExecutionView, MapCounts
from shared.job import Source
from tests.infrastructure.deployed import ROOT

DEFINITION: dict[str, Any] = json.loads(
    (ROOT / "statemachine" / "pipeline.asl.json").read_text(encoding="utf-8")
)
FILE_ID = "6754e446650c58f8a606361bc914cb64"
ARN = f"arn:aws:states:us-east-1:123456789012:execution:data-pipeline-dev:{FILE_ID}"
START = datetime(2026, 3, 1, 8, 0, 5, tzinfo=UTC)


class History:
    """Writes the events of an execution; its clock moves with every call."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._now = START
        self._document: dict[str, Any] = {"file_id": FILE_ID, "attempt": 1}
        self._event("ExecutionStarted")

    def wait(self, seconds: float) -> History:
        self._now += timedelta(seconds=seconds)
        return self

    def call(self, name: str, *errors: tuple[str, str], seconds: float = 1.0) -> History:
        """A Task that fails with each error in turn, and then succeeds; it stays open if asked."""
        return self.enter(name).tries(name, *errors, seconds=seconds).leave(name)

    def enter(self, name: str, kind: str = "Task") -> History:
        details = {"name": name, "input": json.dumps(self._document)}
        self._event(f"{kind}StateEntered", stateEnteredEventDetails=details)
        return self.wait(0.05)

    def tries(
        self, name: str, *errors: tuple[str, str], seconds: float = 1.0, last: bool = True
    ) -> History:
        function = f"arn:aws:lambda:us-east-1:123456789012:function:data-pipeline-{name.lower()}"
        scheduled = {"parameters": json.dumps({"FunctionName": function})}
        for error, cause in errors:
            self._event("TaskScheduled", taskScheduledEventDetails=scheduled).wait(seconds)
            self._event("TaskFailed", taskFailedEventDetails={"error": error, "cause": cause})
            self.wait(2)
        if last:
            self._event("TaskScheduled", taskScheduledEventDetails=scheduled).wait(seconds)
            self._event("TaskSucceeded")
        return self

    def leave(self, name: str, kind: str = "Task") -> History:
        self._document = {**self._document, name.lower(): {"done": True}}
        details = {"name": name, "output": json.dumps(self._document)}
        return self._event(f"{kind}StateExited", stateExitedEventDetails=details)

    def choose(self, name: str) -> History:
        return self.enter(name, "Choice").leave(name, "Choice")

    def end(self, status: str = "Succeeded", **details: str) -> History:
        key = f"execution{status}EventDetails"
        return self._event(f"Execution{status}", **({key: details} if details else {}))

    def redrive(self, after: float = 12_000) -> History:
        return self.wait(after)._event("ExecutionRedriven")

    def _event(self, kind: str, **details: Any) -> History:
        event = {"id": len(self.events) + 1, "type": kind, "timestamp": self._now, **details}
        self.events.append(event)
        return self


def lane(history: History, error: str, cause: str) -> History:
    """The failure lane, up to the gate that raises the error again."""
    history.enter("DescribeFailure", "Pass").leave("DescribeFailure", "Pass")
    for name in ("SendToDeadLetterQueue", "NotifyFailure", "RecordFailure"):
        history.call(name, seconds=0.2)
    history.enter("FailureGate").tries("FailureGate", (error, cause), last=False)
    return history.end("Failed", error=error, cause=cause)


def succeeded() -> History:
    history = History().call("ParseCsv", seconds=1.2).choose("IsSuperseded")
    history.choose("HowManySplits").call("Transform", seconds=6)
    history.call("WriteOutput").choose("IsOutputSuperseded").call("Summarize")
    history.choose("HasCatalogue").call("RecordMetadata", seconds=0.3).call("Notify", seconds=0.4)
    return history.choose("ShouldArchive").enter("Done", "Succeed").leave("Done", "Succeed").end()


def failed() -> History:
    """WriteOutput fails after a retry of Transform."""
    cause = "16 of 360 records (4.44%) were rejected; the limit is 1%."
    history = History().call("ParseCsv", seconds=1.2).choose("IsSuperseded").choose("HowManySplits")
    history.call("Transform", ("Lambda.Unknown", "The function crashed."), seconds=4)
    history.enter("WriteOutput").tries("WriteOutput", ("TooManyRejects", cause), last=False)
    return lane(history.leave("WriteOutput"), "TooManyRejects", cause)


def redriven() -> History:
    """The same, redriven three hours later with success."""
    history = failed().redrive()
    history.enter("FailureGate").tries("FailureGate").leave("FailureGate").choose("ResumeAt")
    history.enter("StartOver", "Pass").leave("StartOver", "Pass").call("ParseCsv")
    history.choose("IsSuperseded").choose("HowManySplits").call("Transform", seconds=5)
    history.call("WriteOutput").choose("IsOutputSuperseded").call("Summarize")
    history.choose("HasCatalogue").call("RecordMetadata", seconds=0.3).call("Notify", seconds=0.4)
    return history.choose("ShouldArchive").enter("Done", "Succeed").leave("Done", "Succeed").end()


def view_of(
    history: History,
    status: str,
    *,
    key: str = "raw/orders/orders-2026-03.csv",
    maps: dict[int, MapCounts] | None = None,
    logs: dict[int, list[str]] | None = None,
    definition: dict[str, Any] = DEFINITION,
) -> ExecutionView:
    """What the page of this execution is made of, on a stack in AWS."""
    events = history.events
    run = read_history(events, status)
    redrives = sum(event["type"] == "ExecutionRedriven" for event in events)
    execution = DescribedExecution(
        ARN,
        FILE_ID,
        status,
        START,
        ended_at=None if status == "running" else events[-1]["timestamp"],
        redrive_count=redrives,
        document={"file_id": FILE_ID},
    )
    source = Source("in", key, "v1", "e", 9, "1", "2026-03-01T08:00:00.000Z", "orders")
    found = ExecutionDetails(
        source=source,
        execution=execution,
        run=run,
        visited_in=runs_of_visits(events),
        functions=functions_of(events),
        attempts=[execution],
        item=None,
        versions=[],
        rerun_plan=None,
        stack=cast("Any", SimpleNamespace(emulated=False, log_folder=None)),
    )
    return ExecutionView(found, definition, events, maps or {}, logs or {})
