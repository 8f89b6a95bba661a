"""Estimates one file: states, invocations, requests, bytes logged and stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipectl.scale.durations import Invocations, seconds_of
from pipectl.scale.requests import FileProfile, Requests, requests_of
from pipectl.scale.route import Route, route
from tabular.reading.splits import MAX_SPLITS
from tabular.writing.output_formats import FORMATS

if TYPE_CHECKING:
    from pipectl.scale.assumptions import Assumptions
    from pipectl.scale.deployed import Deployed, DeployedFunction

_GB = 1e9
# Days after which the output bucket's lifecycle rule removes parts and plans; days of a month.
_WORK_DAYS, _MONTH_DAYS = 15, 30
# Events in a child's history: start, end, and the five events of its Task.
_CHILD_EVENTS = 7
# Bytes of the file's header, with which the CSV of rejects starts.
_HEAD_BYTES = 100


@dataclass(frozen=True)
class Estimate:
    """The estimate for one file; the names contain the units."""

    file: FileProfile
    route: Route
    transitions: int
    history_events: int
    invocations: tuple[Invocations, ...]
    requests: Requests
    write_units: int
    """DynamoDB's write request units, including those of the indexes."""
    read_units: int
    log_bytes: int
    stored_gb_months: float
    """Storage in the first month: input, output and parts."""
    wall_seconds: float
    """From the start of the execution to its end."""

    @property
    def lambda_invocations(self) -> int:
        """All invocations of functions."""
        return sum(one.count for one in self.invocations)

    @property
    def lambda_seconds(self) -> float:
        """The total time of all invocations."""
        return sum(one.count * one.seconds for one in self.invocations)

    @property
    def lambda_gb_seconds(self) -> float:
        """Memory times time of all invocations."""
        return sum(one.gb_seconds for one in self.invocations)


def file_of(
    deployed: Deployed,
    assumptions: Assumptions,
    *,
    size: int,
    rows: int | None = None,
    rejected: float = 0.0,
) -> FileProfile:
    """A file of `size` bytes, split as by the deployed stack, with evenly distributed rejects.

    Without `rows`, its records are as long as those of the benchmark. `rejected` is a share.
    """
    step = max(deployed.split_bytes, -(-size // MAX_SPLITS))
    count = -(-size // step)
    splits = (*(step for _ in range(count - 1)), size - step * (count - 1))
    rows_a_byte = (rows / size) if rows is not None else 1 / assumptions.record_bytes
    good, bad = rows_a_byte * (1 - rejected), rows_a_byte * rejected
    length = 1 / rows_a_byte
    processed = good * (length + assumptions.envelope_bytes)
    output_format = FORMATS[deployed.output_format]
    if output_format.columnar:
        processed = (1 - rejected) * assumptions.parquet_share
    return FileProfile(
        splits=splits,
        output=tuple(int(one * processed) for one in splits),
        rejected=tuple(-int(-one * bad * assumptions.reject_bytes // 1) for one in splits),
        corrections=tuple(
            int(one * bad * length) + (_HEAD_BYTES if index == 0 else 0)
            for index, one in enumerate(splits)
        ),
        tail=count * assumptions.footer_bytes if count > 1 and output_format.load_assembler else 0,
    )


def estimate(
    deployed: Deployed, file: FileProfile, assumptions: Assumptions, *, fails_at: str | None = None
) -> Estimate:
    """Estimate a file's path through the workflow, or up to the state in which it fails."""
    splits = len(file.splits)
    way = route(deployed.definition, splits=splits, fails_at=fails_at)
    requests: Requests = Counter(_AROUND)
    if fails_at is not None:
        requests += Counter(_AROUND_FAILURE)
    for state in way.states:
        requests += requests_of(state, file, fails=state == fails_at)
    invocations = tuple(_invocations(deployed, way, file, assumptions))
    if deployed.webhook:
        count = requests["sns:Publish"]
        one = Invocations(deployed.functions["WebhookFunction"], count, assumptions.step_seconds)
        invocations = (*invocations, one)
    events = way.events(deployed.definition)
    children = 0 if fails_at else splits * len(way.children)
    return Estimate(
        file=file,
        route=way,
        transitions=way.transitions(splits),
        history_events=events,
        invocations=invocations,
        requests=requests,
        write_units=_write_units(requests, assumptions, failed=fails_at is not None),
        read_units=requests["dynamodb:GetItem"] * -(-assumptions.item_bytes // 4096),
        log_bytes=(events + children * _CHILD_EVENTS) * assumptions.history_bytes
        + sum(one.count for one in invocations) * _logged_bytes(deployed, assumptions),
        stored_gb_months=_stored(file, published=fails_at is None),
        wall_seconds=_wall(deployed, way, file, assumptions),
    )


# Before the execution: S3 notifies the queue, Lambda receives and deletes the message, the only one
# in its batch, and the starter starts the execution.
_AROUND = {
    "s3:Notification": 1,
    "sqs:ReceiveMessage": 1,
    "sqs:DeleteMessageBatch": 1,
    "states:StartExecution": 1,
}
# After a failed one: EventBridge invokes the function that checks the failure lane's work.
_AROUND_FAILURE = {"states:DescribeExecution": 1, "states:GetExecutionHistory": 1}


def _invocations(
    deployed: Deployed, way: Route, file: FileProfile, assumptions: Assumptions
) -> Iterator[Invocations]:
    small = assumptions.step_seconds + assumptions.request_seconds
    yield Invocations(deployed.functions["StarterFunction"], 1, small)
    for name in way.states:
        state = deployed.definition["States"][name]
        count = 1
        if state["Type"] == "Map":
            # A Map stops when its first child fails. Children that run in parallel are not counted.
            count = 1 if name == way.fails_at else len(file.splits)
            (state,) = state["ItemProcessor"]["States"].values()
        if state["Type"] != "Task":
            continue
        function = deployed.function(state)
        if function is not None:
            yield Invocations(function, count, seconds_of(name, function, file, assumptions))
    if way.fails_at is not None:
        yield Invocations(deployed.functions["UncaughtFunction"], 1, small * 2)


def _write_units(requests: Requests, assumptions: Assumptions, *, failed: bool) -> int:
    """Units of all writes: each writes to the table and to every index with the item."""
    writes = requests["dynamodb:PutItem"] + requests["dynamodb:UpdateItem"]
    # processed-at-index and source-index contain every item, failures-index those of failed files.
    indexes = 3 if failed else 2
    return writes * (1 + indexes) * -(-assumptions.item_bytes // 1024)


def _logged_bytes(deployed: Deployed, assumptions: Assumptions) -> int:
    """Bytes that an invocation logs: from WARN on, a function that succeeds adds no line."""
    if deployed.log_level in {"WARN", "ERROR"}:
        return assumptions.lambda_log_bytes
    return assumptions.function_log_bytes


def _stored(file: FileProfile, *, published: bool) -> float:
    outputs = sum(file.output) + sum(file.rejected) + sum(file.corrections)
    if not published:
        return file.size / _GB
    return (file.size + outputs + outputs * _WORK_DAYS / _MONTH_DAYS) / _GB


def splits_at_once(
    deployed: Deployed, function: DeployedFunction | None, assumptions: Assumptions
) -> int:
    """How many splits of a file run at once, if nothing else uses Lambda.

    The Map starts `MaxConcurrency` of them. Those beyond Lambda's limit wait.
    """
    limits = [deployed.max_concurrency, assumptions.concurrent_executions]
    if function is not None and function.reserved is not None:
        limits.append(function.reserved)
    return min(limits)


def _wall(deployed: Deployed, way: Route, file: FileProfile, assumptions: Assumptions) -> float:
    """Seconds of all states in sequence, and of a Map's children in rounds."""
    seconds = len(way.states) * assumptions.state_seconds
    for name in way.states:
        state = deployed.definition["States"][name]
        rounds = 1
        if state["Type"] == "Map":
            (state,) = state["ItemProcessor"]["States"].values()
            at_once = splits_at_once(deployed, deployed.function(state), assumptions)
            rounds = -(-len(file.splits) // at_once)
        function = deployed.function(state) if state["Type"] == "Task" else None
        if function is not None:
            seconds += rounds * seconds_of(name, function, file, assumptions)
    return seconds
