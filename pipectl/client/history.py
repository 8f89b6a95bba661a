"""Executions as people see them: which states they went through and what went wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared.errors import bare_name
from shared.job import readable_cause

if TYPE_CHECKING:
    from pipectl.client.deployment import Deployment

# Execution statuses as Step Functions names them, in the words used here.
STATUS = {
    "RUNNING": "running",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "TIMED_OUT": "timed_out",
    "ABORTED": "aborted",
    "PENDING_REDRIVE": "running",
}

# The first state of the workflow's failure lane: what failed last before it is what went wrong.
FAILURE_LANE = "DescribeFailure"


@dataclass(frozen=True)
class Failure:
    """Why an execution ended otherwise than well.

    `code` is the error's name, `message` a sentence for people, `state` where it happened.
    """

    code: str
    message: str
    state: str | None


@dataclass
class Visit:
    """One pass through a state; attempts of the same pass are one visit."""

    name: str
    entered_at: datetime
    exited_at: datetime | None = None
    attempts: int = 0
    failure: Failure | None = None
    """The error of the last attempt, where that one failed."""

    def status(self, execution_status: str) -> str:
        """`succeeded`, `failed`, or what became of the execution while it was here."""
        if self.failure is not None:
            return "failed"
        return execution_status if self.exited_at is None else "succeeded"

    def duration_ms(self, now: datetime) -> int:
        """How long it took, or takes so far, retries and their waits included."""
        return round(((self.exited_at or now) - self.entered_at).total_seconds() * 1000)


@dataclass
class Run:
    """An execution's history, read."""

    status: str
    visits: list[Visit] = field(default_factory=list)
    ended_at: datetime | None = None
    failure: Failure | None = None

    def states(self) -> list[dict[str, Any]]:
        """Name, status and duration of each visit, as `--json` has them."""
        now = self.ended_at or datetime.now().astimezone()
        return [
            {
                "name": visit.name,
                "status": visit.status(self.status),
                "duration_ms": visit.duration_ms(now),
            }
            for visit in self.visits
        ]


@dataclass(frozen=True)
class Execution:
    """One execution as it is listed; `document` is the state document that it was started with."""

    arn: str
    name: str
    status: str
    document: Mapping[str, Any]
    redrive_count: int = 0

    @property
    def source(self) -> Mapping[str, Any]:
        """The object it processes: bucket, key, version_id and more; empty for a foreign input."""
        source = self.document.get("source")
        return source if isinstance(source, Mapping) else {}


class Executions:
    """The executions of a deployment, each described once and listed as often as asked."""

    def __init__(self, deployment: Deployment) -> None:
        self._client = deployment.client("stepfunctions")
        self._state_machine = deployment.outputs["StateMachineArn"]
        self._documents: dict[str, Mapping[str, Any]] = {}

    def all(self) -> Iterator[Execution]:
        """All executions, the newest first."""
        pages = self._client.get_paginator("list_executions").paginate(
            stateMachineArn=self._state_machine
        )
        for page in pages:
            for item in page["executions"]:
                yield Execution(
                    arn=item["executionArn"],
                    name=item["name"],
                    status=STATUS[item["status"]],
                    document=self._document(item["executionArn"]),
                    redrive_count=item.get("redriveCount", 0),
                )

    def run(self, execution: Execution) -> Run:
        """Read an execution's history."""
        pages = self._client.get_paginator("get_execution_history").paginate(
            executionArn=execution.arn
        )
        events = (event for page in pages for event in page["events"])
        return read_history(events, execution.status)

    def _document(self, arn: str) -> Mapping[str, Any]:
        if arn not in self._documents:
            text = self._client.describe_execution(executionArn=arn).get("input", "{}")
            try:
                document = json.loads(text)
            except (ValueError, RecursionError):
                document = {}
            self._documents[arn] = document if isinstance(document, dict) else {}
        return self._documents[arn]


def read_history(events: Iterable[Mapping[str, Any]], status: str) -> Run:
    """Make a run of history events, given in order."""
    run = Run(status)
    open_visits: dict[str, Visit] = {}
    for event in events:
        kind = event["type"]
        if kind.endswith("StateEntered"):
            name = event["stateEnteredEventDetails"]["name"]
            open_visits[name] = Visit(name, event["timestamp"])
            run.visits.append(open_visits[name])
        elif kind.endswith("StateExited"):
            visit = open_visits.pop(event["stateExitedEventDetails"]["name"], None)
            if visit is not None:
                visit.exited_at = event["timestamp"]
        elif kind.startswith("Execution"):
            _read_execution_event(run, kind, event)
        elif open_visits:
            _read_attempt_event(next(reversed(open_visits.values())), kind, event)
    return run


def _read_execution_event(run: Run, kind: str, event: Mapping[str, Any]) -> None:
    if kind in ("ExecutionStarted", "ExecutionRedriven"):
        run.failure = None
        run.ended_at = None
        return
    run.ended_at = event["timestamp"]
    if kind == "ExecutionSucceeded":
        return
    details = _details(event)
    code = details.get("error") or {"ExecutionTimedOut": "States.Timeout"}.get(kind, "Aborted")
    message = readable_cause(details.get("cause") or "") or _WITHOUT_CAUSE.get(kind, "")
    origin = _origin(run.visits)
    run.failure = Failure(code, message, origin.name if origin else None)
    if origin and origin.failure and bare_name(origin.failure.code) == bare_name(code):
        # Its own words are plainer than those of the state that raised it again.
        run.failure = origin.failure


_WITHOUT_CAUSE = {
    "ExecutionTimedOut": "The execution ran longer than the workflow allows.",
    "ExecutionAborted": "The execution was stopped.",
}


def _read_attempt_event(visit: Visit, kind: str, event: Mapping[str, Any]) -> None:
    if kind.endswith("Scheduled"):
        visit.attempts += 1
    elif kind.endswith(("Succeeded", "Started")):
        visit.failure = None
    elif kind.endswith(("Failed", "TimedOut", "Aborted")):
        details = _details(event)
        code = details.get("error") or "States.Timeout"
        visit.failure = Failure(code, readable_cause(details.get("cause") or ""), visit.name)


def _origin(visits: list[Visit]) -> Visit | None:
    """The visit whose error ended the execution, not the one that raised it again at the end."""
    lane = [number for number, visit in enumerate(visits) if visit.name == FAILURE_LANE]
    before = visits[: lane[-1]] if lane else visits
    failed = [visit for visit in before if visit.failure is not None]
    return next(iter([*failed[-1:], *visits[-1:]]), None)


def _details(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """An event's details, whose key is the event type in camel case."""
    return next((value for key, value in event.items() if key.endswith("EventDetails")), {})
