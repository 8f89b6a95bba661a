"""CloudWatch Logs: the functions' log files and the executions' histories, as moto's log groups.

The files and histories are read when a client asks for logs, so nobody pays for logs that nobody
reads. Each group keeps its newest events.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moto.logs import models
from moto.logs.exceptions import InvalidParameterException
from moto.stepfunctions.parser.api import LogLevel
from moto.stepfunctions.parser.asl.eval.event.logging import is_logging_enabled_for
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from pipectl.embedded import log_patterns
from pipectl.embedded.lambda_service import Answer
from pipectl.embedded.log_files import LogFile, log_files
from pipectl.embedded.moto_patches.table import PatchSettings, replaces
from pipectl.embedded.template import ACCOUNT, REGION

if TYPE_CHECKING:
    from pipectl.embedded.gateway import Gateway

# What a log group keeps of its newest messages. On AWS that is a matter of days.
_MOST_BYTES = 8 * 1024 * 1024

_READ_BEFORE = ("DescribeLogStreams", "GetLogEvents", "FilterLogEvents", "DescribeLogGroups")

# An event of Step Functions has one of these next to its common properties.
_COMMON = ("id", "previousEventId", "type", "timestamp")
_DATA = ("input", "inputDetails", "output", "outputDetails")


@dataclass(frozen=True)
class MachineLogging:
    """The logging configuration of a state machine; `group` is the name of its log group."""

    machine: str
    group: str
    level: str
    with_data: bool


class LogGroups:
    """Brings moto's log groups up to date. Safe to use from many threads."""

    def __init__(self, folder: Path) -> None:
        """Older log files in the folder are left out."""
        self._folder = folder
        self._groups: dict[str, str] = {}
        self._machines: list[MachineLogging] = []
        self._started = time.time()
        self._lock = threading.Lock()
        # How far each file was read, in bytes, and each execution's history, in events.
        self._read = {one.path: one.path.stat().st_size for one in log_files(folder)}
        self._seen: dict[str, int] = {}

    def extend(self, gateway: Gateway) -> None:
        """Let requests for logs find all that was logged until then."""
        for operation in _READ_BEFORE:
            gateway.preparations[f"Logs_20140328.{operation}"] = self._prepare
        for operation in ("StartQuery", "StartLiveTail"):
            gateway.operations[f"Logs_20140328.{operation}"] = _refuse

    def add(self, groups: Mapping[str, str], machines: Iterable[MachineLogging]) -> None:
        """Fill the log groups of functions, by the functions' names, and of state machines."""
        with self._lock:
            self._groups |= groups
            self._machines += machines

    def remove(self, functions: Iterable[str], machines: Iterable[MachineLogging]) -> None:
        """Fill the log groups of functions and of state machines no longer."""
        self.update()
        with self._lock:
            for function in functions:
                del self._groups[function]
            for machine in machines:
                self._machines.remove(machine)

    def update(self) -> None:
        """Add what was logged since the last time."""
        with self._lock:
            for file in log_files(self._folder):
                if file.function in self._groups:
                    self._add(self._groups[file.function], file.stream, self._new_lines(file))
            for machine in self._machines:
                for stream, events in self._new_events(machine):
                    self._add(machine.group, stream, events)
            for group in _groups().values():
                _forget_oldest(group)

    def _prepare(self, request: dict[str, Any]) -> dict[str, Any] | Answer:
        self.update()
        return request

    def _add(self, group_name: str, stream: str, events: list[dict[str, Any]]) -> None:
        if not events:
            return
        groups = _groups()
        if group_name not in groups:
            # One that the template doesn't name: Lambda makes it at the first line.
            _backend().create_log_group(group_name, {})
        group = groups[group_name]
        if stream not in group.streams:
            group.create_log_stream(stream)
        group.streams[stream].put_log_events(events)

    def _new_lines(self, file: LogFile) -> list[dict[str, Any]]:
        start = self._read.get(file.path, 0)
        with file.path.open("rb") as content:
            end = content.seek(0, 2)
            content.seek(max(start, end - _MOST_BYTES))
            text = content.read(end - content.tell())
        whole = text.rfind(b"\n") + 1
        self._read[file.path] = end - len(text) + whole
        lines = text[:whole].decode(errors="replace").splitlines()
        return list(_dated([line for line in lines if line]))

    def _new_events(self, machine: MachineLogging) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        level = LogLevel(machine.level)
        size = 0
        for execution in reversed(_executions(machine.machine)):
            environment = execution.exec_worker.env
            history = environment.event_manager.get_event_history() if environment else []
            seen, self._seen[execution.exec_arn] = (
                self._seen.get(execution.exec_arn, 0),
                len(history),
            )
            if len(history) == seen or size > _MOST_BYTES:
                continue
            events = [
                _logged(event, execution, machine)
                for event in history[seen:]
                if is_logging_enabled_for(level, event["type"])
            ]
            size += sum(len(event["message"]) for event in events)
            date = f"{execution.start_date.astimezone(UTC):%Y-%m-%d-%H-%M}"
            yield f"states/{execution.state_machine.name}/{date}/embedded", events


def logging_of(machine: str, properties: Mapping[str, Any]) -> MachineLogging | None:
    """The logging of an AWS::StepFunctions::StateMachine, by its ARN; None if it logs nothing."""
    settings = properties.get("LoggingConfiguration", {})
    for destination in settings.get("Destinations", []):
        # arn:aws:logs:<region>:<account>:log-group:<name>:*
        group = destination["CloudWatchLogsLogGroup"]["LogGroupArn"].split(":")[6]
        with_data = str(settings.get("IncludeExecutionData", False)).lower() == "true"
        return MachineLogging(machine, group, settings.get("Level", "OFF"), with_data)
    return None


@replaces(models, "EventMessageFilter", "f489cad7002a")
def _whole_pattern_language(_original: Any, _settings: PatchSettings) -> Any:
    """Let FilterLogEvents understand patterns for JSON, of which moto lets everything pass."""
    return _Filter


class _Filter:
    def __init__(self, pattern: str | None) -> None:
        try:
            self._matches = log_patterns.compiled(pattern or "")
        except log_patterns.PatternError as error:
            raise InvalidParameterException(msg=str(error)) from None

    def matches(self, message: str) -> bool:
        return self._matches(message)


@replaces(models.LogsBackend, "filter_log_events", "daf0ebe7dcf9")
def _pattern_first(original: Any, _settings: PatchSettings) -> Any:
    """Refuse a pattern that is not understood, also where there is no event yet to compare."""

    # The position is that of moto's function.
    def filter_log_events(backend: Any, *given: Any) -> Any:
        _Filter(given[6])
        return original(backend, *given)

    return filter_log_events


def _refuse(_request: dict[str, Any]) -> Answer:
    message = (
        "The embedded AWS has no Logs Insights and no live tail. Use `aws logs filter-log-events`,"
        " or the log files."
    )
    body = json.dumps({"__type": "InvalidOperationException", "message": message})
    return Answer(HTTPStatus.BAD_REQUEST, body.encode())


def _backend() -> Any:
    return models.logs_backends[ACCOUNT][REGION]


def _groups() -> dict[str, Any]:
    groups: dict[str, Any] = _backend().groups
    return groups


def _executions(machine: str) -> list[Any]:
    backend: Any = stepfunctions_parser_backends[ACCOUNT][REGION]
    return [
        execution
        for one in list(backend.state_machines)
        if one.arn == machine
        for execution in list(one.executions)
        if execution.exec_worker is not None
    ]


def _dated(lines: list[str]) -> Iterator[dict[str, Any]]:
    """The lines as events. A line without a time has that of the line before.

    START has that of the next: it is the first line of an invocation.
    """
    times = [_time_of(line) for line in lines]
    following = int(time.time() * 1000)
    after = []
    for moment in reversed(times):
        following = following if moment is None else moment
        after.append(following)
    after.reverse()
    before: int | None = None
    for line, own, later in zip(lines, times, after, strict=True):
        before = own if own is not None else before
        starts = line.startswith("START ")
        timestamp = later if own is None and (starts or before is None) else own or before
        yield {"timestamp": timestamp, "message": line}


def _time_of(line: str) -> int | None:
    """When a line was logged, in milliseconds since 1970, if it says so."""
    if not line.startswith("{"):
        return None
    try:
        document = json.loads(line)
        written = datetime.fromisoformat(str(document.get("timestamp") or document["time"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if written.tzinfo is None:
        written = written.replace(tzinfo=UTC)
    return round(written.timestamp() * 1000)


def _logged(event: Mapping[str, Any], execution: Any, machine: MachineLogging) -> dict[str, Any]:
    """An event of a history as Step Functions logs it.

    https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
    """
    details: Mapping[str, Any] = next(
        (value for name, value in event.items() if name not in _COMMON), {}
    )
    if not machine.with_data:
        details = {name: value for name, value in details.items() if name not in _DATA}
    milliseconds = round(datetime.fromisoformat(event["timestamp"]).timestamp() * 1000)
    message = {
        "id": str(event["id"]),
        "type": event["type"],
        "details": details,
        "previous_event_id": str(event["previousEventId"]),
        "event_timestamp": str(milliseconds),
        "execution_arn": execution.exec_arn,
        "redrive_count": str(getattr(execution, "redrive_count", 0)),
    }
    return {"timestamp": milliseconds, "message": json.dumps(message)}


def _forget_oldest(group: Any) -> None:
    """Keep only the newest events of a group, and the streams that have some."""
    events = [(one.timestamp, one) for stream in group.streams.values() for one in stream.events]
    size = sum(len(one.message) for _, one in events)
    if size <= _MOST_BYTES:
        return
    forgotten = set()
    for _, one in sorted(events, key=_first):
        size -= len(one.message)
        forgotten.add(id(one))
        if size <= _MOST_BYTES:
            break
    for name, stream in list(group.streams.items()):
        stream.events = [one for one in stream.events if id(one) not in forgotten]
        if not stream.events:
            del group.streams[name]


def _first(pair: tuple[int, Any]) -> int:
    return pair[0]
