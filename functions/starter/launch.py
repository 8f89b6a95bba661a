"""Start the execution that a request asks for, once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from shared.clients import stepfunctions
from shared.errors import TransientError, aws_errors, error_code
from shared.executions import execution_arn
from shared.job import Job, iso
from shared.metadata import Item, later_success, read_item
from starter.messages import Replay, Request

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import DescribeExecutionOutputTypeDef

Launch = Literal["started", "duplicate", "superseded"]

# Walking past this many failed attempts of one file is no way to run it: something else is wrong.
# Each takes two calls, all of them within the starter's timeout.
MAX_ATTEMPTS = 100

# How an execution ends without success; any other status but SUCCEEDED is on its way.
_FAILED = frozenset({"FAILED", "TIMED_OUT", "ABORTED"})


class TooManyAttempts(Exception):
    """A file has failed so often that no further attempt is started by itself."""


@dataclass(frozen=True)
class Launched:
    """What became of a request: of which attempt, and for `superseded` by which file."""

    outcome: Launch
    job: Job
    superseded_by: str | None = None


def launch(request: Request, state_machine_arn: str, metadata_table: str) -> Launched:
    """Start the request's execution; say whether it was started, and which attempt it is.

    Execution names are derived from the file's identity, so a duplicate finds its name taken:
    an S3 event is done then, whatever became of that execution (after a failure the failure
    lane's message stands). A replay is done while any attempt runs or after the file has
    succeeded, the latter unless it is forced. It is superseded where a later version of the same
    key has succeeded, unless that is allowed: its records would stand beside that version's.
    Otherwise it takes the next free attempt, linked to the one before it. Raises `TransientError`
    when Step Functions or DynamoDB is busy, or shows an execution as it was before it failed.
    """
    if not isinstance(request, Replay):
        started = _start(request.job, state_machine_arn)
        return Launched("started" if started else "duplicate", request.job)
    item = read_item(metadata_table, request.job.file_id)
    # Of an execution that was started by hand the name says nothing, and names are free again 90
    # days after the end; the item knows of both.
    if item is not None and item["status"] == "succeeded" and not request.force:
        return Launched("duplicate", request.job)
    if not (request.force or request.though_superseded):
        later = later_success(metadata_table, request.job.source)
        if later is not None:
            return Launched("superseded", request.job, superseded_by=later["file_id"])
    return _replay(request, state_machine_arn, item)


def _replay(request: Replay, state_machine_arn: str, item: Item | None) -> Launched:
    # An earlier attempt may have been redriven since: two runs of a file must not mix their parts.
    job = replace(request.job, attempt=1, replay_of=None)
    while job.attempt <= MAX_ATTEMPTS:
        # The request's own attempt has run as well, unless nothing was ever started for the file.
        has_run = job.attempt < request.job.attempt
        if not has_run and _start(job, state_machine_arn):
            return Launched("started", job)
        described = _describe(job, state_machine_arn)
        if described is None and not has_run:
            raise TransientError(
                f"The name of the execution {job.execution_name} is taken, but Step Functions does "
                "not show it yet; it is tried again."
            )
        # What has run and is not there any more was forgotten, 90 days after its end.
        if described is not None and _is_done(request, job, described, item):
            return Launched("duplicate", job)
        if described is not None and has_run and _start(job, state_machine_arn):
            # Shown as failed, but the name with the same input is accepted: it was redriven.
            return Launched("duplicate", job)
        job = replace(job, attempt=job.attempt + 1, replay_of=job.execution_name)
    raise TooManyAttempts(
        f"The file {request.job.file_id} would need an attempt beyond the {MAX_ATTEMPTS} allowed. "
        "Start it by hand in the Step Functions console, or upload it again."
    )


def _is_done(
    request: Replay, job: Job, described: DescribeExecutionOutputTypeDef, item: Item | None
) -> bool:
    """Whether an attempt as it is described leaves nothing to be done.

    DescribeExecution is eventually consistent: just after a failure, which is when a replay comes,
    it may still show the attempt running. Raises `TransientError` where something else says that
    this run of it has failed: the request itself, the metadata item, or StartExecution, which
    refuses the name of a running execution only where the input is another one.
    """
    status = described["status"]
    if status == "SUCCEEDED":
        return not request.force
    if status in _FAILED:
        return False
    run = (described["executionArn"], int(described.get("redriveCount", 0)))
    start = iso(described["startDate"])
    has_failed = any(
        run == (arn, redrives) and start <= known_at
        for arn, redrives, known_at in _failed_runs(request, item)
    )
    refused = job.attempt >= request.job.attempt
    same_input = json.loads(described.get("input", "null")) == json.loads(job.execution_input())
    if has_failed or (refused and same_input):
        raise TransientError(
            f"The execution {job.execution_name} has ended, but Step Functions shows it as "
            f"{status}; it is tried again."
        )
    return True


def _failed_runs(request: Replay, item: Item | None) -> list[tuple[str, int, str]]:
    """The runs that failed: execution, number of redrives, and a time not before its start.

    An execution's name is free again 90 days after its end, hence the time.
    """
    history: Mapping[str, Any] = (item or {}).get("history", {})
    runs = [
        (entry["execution_arn"], int(entry["redrive_count"]), entry["recorded_at"])
        for entry in history.values()
        if entry["status"] == "failed"
    ]
    if request.failed is not None:
        failed = request.failed
        runs.append((failed.arn, failed.redrive_count, failed.start_time))
    return runs


def _start(job: Job, state_machine_arn: str) -> bool:
    """Start the attempt's execution; False where its name is taken."""
    with aws_errors("the state machine"):
        try:
            stepfunctions().start_execution(
                stateMachineArn=state_machine_arn,
                name=job.execution_name,
                input=job.execution_input(),
            )
        except ClientError as error:
            if error_code(error) == "ExecutionAlreadyExists":
                return False
            raise
    return True


def _describe(job: Job, state_machine_arn: str) -> DescribeExecutionOutputTypeDef | None:
    """The attempt's execution; None where there is none (any more)."""
    arn = execution_arn(state_machine_arn, job.execution_name)
    with aws_errors("the state machine's execution"):
        try:
            return stepfunctions().describe_execution(executionArn=arn)
        except ClientError as error:
            if error_code(error) == "ExecutionDoesNotExist":
                return None
            raise
