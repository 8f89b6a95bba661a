"""Reads an execution's history: the states it went through, and what went wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.errors import bare_name
from shared.job import readable_cause

# The statuses of Step Functions, and the words that pipectl uses for them.
STATUS = {
    "RUNNING": "running",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "TIMED_OUT": "timed_out",
    "ABORTED": "aborted",
    "PENDING_REDRIVE": "running",
}

# The first state of the workflow's failure lane. The last state that failed before it is the origin
# of the failure.
FAILURE_LANE = "DescribeFailure"


@dataclass(frozen=True)
class ExecutionFailure:
    """Why an execution failed, timed out or was aborted.

    `code` is the error's name, `message` a sentence for people, `state` where it happened.
    """

    code: str
    message: str
    state: str | None


@dataclass
class Try:
    """One call that a state made, such as of its function; `failure` is its error."""

    started_at: datetime
    ended_at: datetime | None = None
    failure: ExecutionFailure | None = None


@dataclass
class Visit:
    """One pass through a state, its retries included; `failure` is the last call's error.

    `run` is 0 for the execution's first run, 1 for the one after the first redrive. `given` and
    `returned` are the state's input and output, JSON texts.
    """

    name: str
    entered_at: datetime
    exited_at: datetime | None = None
    attempts: int = 0
    failure: ExecutionFailure | None = None
    run: int = 0
    tries: list[Try] = field(default_factory=list)
    given: str | None = None
    returned: str | None = None
    map_run_arn: str | None = None

    def status(self, execution_status: str) -> str:
        """`succeeded` or `failed`; for a state that was not left, the execution's status."""
        if self.failure is not None:
            return "failed"
        return execution_status if self.exited_at is None else "succeeded"

    def duration_ms(self, now: datetime) -> int:
        """How long it took, or has taken until `now`, retries and their waits included."""
        return round(((self.exited_at or now) - self.entered_at).total_seconds() * 1000)


@dataclass
class Run:
    """An execution's history: its visits of states, its end, and why it failed."""

    status: str
    visits: list[Visit] = field(default_factory=list)
    ended_at: datetime | None = None
    failure: ExecutionFailure | None = None

    def states(self) -> list[dict[str, Any]]:
        """Name, status and duration of each visit, for `--json`."""
        now = self.ended_at or datetime.now().astimezone()
        return [
            {
                "name": visit.name,
                "status": visit.status(self.status),
                "duration_ms": visit.duration_ms(now),
            }
            for visit in self.visits
        ]


def read_history(events: Iterable[Mapping[str, Any]], status: str) -> Run:
    """Read history events, given in order.

    For example, a file that fails in WriteOutput visits `ParseCsv`, `HowManySplits`, `Transform`,
    `WriteOutput`, and the failure lane up to `FailureGate`. FailureGate raises the error of
    WriteOutput again, which fails the execution. The run's failure is that of WriteOutput.
    """
    run = Run(status)
    open_visits: dict[str, Visit] = {}
    redrives = 0
    for event in events:
        kind = event["type"]
        redrives += kind == "ExecutionRedriven"
        if kind.endswith("StateEntered"):
            details = event["stateEnteredEventDetails"]
            name = details["name"]
            open_visits[name] = Visit(name, event["timestamp"], run=redrives)
            open_visits[name].given = details.get("input")
            run.visits.append(open_visits[name])
        elif kind.endswith("StateExited"):
            details = event["stateExitedEventDetails"]
            visit = open_visits.pop(details["name"], None)
            if visit is not None:
                visit.exited_at = event["timestamp"]
                visit.returned = details.get("output")
        elif kind.startswith("Execution"):
            _read_execution_event(run, kind, event)
        elif open_visits:
            visit = next(reversed(open_visits.values()))
            _read_attempt_event(visit, kind, event)
            _read_try(visit, kind, event)
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
    run.failure = ExecutionFailure(code, message, origin.name if origin else None)
    if origin and origin.failure and bare_name(origin.failure.code) == bare_name(code):
        # The state's own message is plainer than that of FailureGate, which raised it again.
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
        visit.failure = ExecutionFailure(
            code, readable_cause(details.get("cause") or ""), visit.name
        )


def _read_try(visit: Visit, kind: str, event: Mapping[str, Any]) -> None:
    """Add the event to the state's tries, of which each is scheduled, and succeeds or fails."""
    if kind == "MapRunStarted":
        visit.map_run_arn = _details(event).get("mapRunArn")
    elif kind.endswith("Scheduled"):
        visit.tries.append(Try(event["timestamp"]))
    elif visit.tries and kind.endswith(("Succeeded", "Failed", "TimedOut", "Aborted")):
        visit.tries[-1].ended_at = event["timestamp"]
        visit.tries[-1].failure = visit.failure


def _origin(visits: list[Visit]) -> Visit | None:
    """The visit whose error ended the execution, not FailureGate, which raised it again."""
    lane = [number for number, visit in enumerate(visits) if visit.name == FAILURE_LANE]
    before = visits[: lane[-1]] if lane else visits
    failed = [visit for visit in before if visit.failure is not None]
    return next(iter([*failed[-1:], *visits[-1:]]), None)


def _details(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """An event's details. Their key is the event's type in camel case plus `EventDetails`."""
    return next((value for key, value in event.items() if key.endswith("EventDetails")), {})
