"""Reads what the page of an execution shows: its definition, events, Map runs and log lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipectl.client.history import Visit
from pipectl.client.side_by_side import side_by_side
from pipectl.client.step_functions import Executions

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack
    from pipectl.operate.details import ExecutionDetails

LOG_LINES = 50
"""Log lines shown for one visit of a state, the last ones."""
_VISITS_WITH_LOGS = 8
_MARGIN = timedelta(seconds=30)


@dataclass(frozen=True)
class MapCounts:
    """The progress of a Map's items, and the item that failed first, if that is known."""

    done: int
    running: int
    failed: int
    first_failed: str | None = None


@dataclass(frozen=True)
class ExecutionView:
    """An execution with everything that its page shows.

    `maps` and `logs` are by the number of the visit in `found.run.visits`.
    """

    found: ExecutionDetails
    definition: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]]
    maps: Mapping[int, MapCounts]
    logs: Mapping[int, Sequence[str]]


def read_execution_view(stack: Stack, found: ExecutionDetails) -> ExecutionView:
    """Read the rest of an execution whose details are known."""
    executions = Executions(stack)
    visits = found.run.visits
    return ExecutionView(
        found,
        executions.definition_of(found.execution.arn),
        list(executions.history(found.execution.arn)),
        {
            number: _map_progress(stack, visit.map_run_arn)
            for number, visit in enumerate(visits)
            if visit.map_run_arn
        },
        dict(_logs(stack, found)),
    )


def _map_progress(stack: Stack, arn: str) -> MapCounts:
    client = stack.client("stepfunctions")
    counts = client.describe_map_run(mapRunArn=arn)["itemCounts"]
    failed = counts["failed"] + counts["timedOut"] + counts["aborted"]
    first = _first_failed(client, arn) if failed and not stack.emulated else None
    running = counts["running"] + counts["pending"]
    return MapCounts(counts["succeeded"], running, failed, first)


def _first_failed(client: Any, arn: str) -> str | None:
    """The item of the Map whose execution failed first, among the newest thousand."""
    answer = client.list_executions(mapRunArn=arn, statusFilter="FAILED", maxResults=1000)
    if not answer["executions"]:
        return None
    first = min(answer["executions"], key=lambda one: one["stopDate"])
    described = client.describe_execution(executionArn=first["executionArn"])
    given = json.loads(described.get("input", "{}"))
    split = given.get("split", {}) if isinstance(given, dict) else {}
    return f"split {split['index']}" if "index" in split else str(first["name"])


def _logs(stack: Stack, found: ExecutionDetails) -> Iterator[tuple[int, list[str]]]:
    """The log lines of the visits that failed, or of the last one of a function."""
    called = [n for n, visit in enumerate(found.run.visits) if visit.name in found.functions]
    failed = [n for n in called if found.run.visits[n].failure]
    wanted = failed[-_VISITS_WITH_LOGS:] or called[-1:]

    def read(number: int) -> list[str]:
        visit = found.run.visits[number]
        function = found.functions[visit.name]
        return _lines(stack, function, found.execution.name, visit)

    yield from zip(wanted, side_by_side(read, wanted), strict=True)


def _lines(stack: Stack, function: str, execution: str, visit: Visit) -> list[str]:
    """The lines in CloudWatch Logs; none if they can't be read, as the page has a link to them."""
    left = visit.exited_at or datetime.now(UTC)
    try:
        answer = stack.client("logs").filter_log_events(
            logGroupName=f"/aws/lambda/{function.split(':')[6]}",
            filterPattern=f'"{execution}"',
            startTime=round((visit.entered_at - _MARGIN).timestamp() * 1000),
            endTime=round((left + _MARGIN).timestamp() * 1000),
            limit=LOG_LINES,
        )
    except ClientError:
        return []
    return [event["message"].rstrip("\n") for event in answer["events"]]
