"""Starts the execution that a request asks for, at most once."""

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
from shared.metadata import Item, read_item
from starter.messages import Replay, Upload

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import DescribeExecutionOutputTypeDef

Launch = Literal["started", "duplicate"]

# A file with this many failed attempts has another problem that a further one doesn't solve. Each
# attempt takes two calls, and all of them must fit in the starter's timeout.
MAX_ATTEMPTS = 100

# The statuses of an execution that ended without success. Every other status except SUCCEEDED is
# of one that is still running.
_FAILED = frozenset({"FAILED", "TIMED_OUT", "ABORTED"})


class TooManyAttempts(Exception):
    """A file has failed so often that no further attempt is started automatically."""


@dataclass(frozen=True)
class Launched:
    """What a request led to: the outcome, and the attempt."""

    outcome: Launch
    job: Job


def launch(request: Upload | Replay, state_machine_arn: str, metadata_table: str) -> Launched:
    """Start the request's execution; returns whether it was started, and which attempt it is.

    An execution's name is derived from the file's identity, so the name of a duplicate is taken.
    A duplicate S3 event needs nothing more, whatever the execution's outcome: if it failed, the
    failure lane has sent a dead letter.

    A replay is a duplicate while any attempt of the file runs. It is also a duplicate after the
    file has succeeded, unless it is forced. Otherwise it starts the next free attempt, linked to
    the previous one. If a later version of the same key has succeeded, that attempt publishes
    nothing. Example: if `<file_id>` and `<file_id>-r2` have failed, a replay starts `<file_id>-r3`
    with `replay_of` set to `<file_id>-r2`.

    Raises `TransientError` if Step Functions or DynamoDB is busy, or if Step Functions still shows
    an execution as it was before it failed, and `TooManyAttempts` after `MAX_ATTEMPTS` attempts.
    """
    if not isinstance(request, Replay):
        started = _start(request.job, state_machine_arn)
        return Launched("started" if started else "duplicate", request.job)
    item = read_item(metadata_table, request.job.file_id)
    # The name is no proof of success: an execution that was started by hand has any name, and names
    # can be used again 90 days after the end. The item covers both.
    if item is not None and item["status"] == "succeeded" and not request.force:
        return Launched("duplicate", request.job)
    return _replay(request, state_machine_arn, item)


def _replay(request: Replay, state_machine_arn: str, item: Item | None) -> Launched:
    # An earlier attempt could have been redriven in the meantime, so all attempts are checked: two
    # runs of a file must not mix their parts.
    job = replace(request.job, attempt=1, replay_of=None)
    while job.attempt <= MAX_ATTEMPTS:
        # The request's own attempt has run too, unless nothing was ever started for the file.
        has_run = job.attempt < request.job.attempt
        if not has_run and _start(job, state_machine_arn):
            return Launched("started", job)
        described = _describe(job, state_machine_arn)
        if described is None and not has_run:
            raise TransientError(
                f"The name of the execution {job.execution_name} is taken, but Step Functions does "
                "not show it yet. Retry later."
            )
        # An attempt that has run but is not found was removed, 90 days after its end.
        if described is not None and _is_done(request, job, described, item):
            return Launched("duplicate", job)
        if described is not None and has_run and _start(job, state_machine_arn):
            # It is shown as failed, but its name was accepted with the same input, which Step
            # Functions does only for a running execution: it was redriven.
            return Launched("duplicate", job)
        job = replace(job, attempt=job.attempt + 1, replay_of=job.execution_name)
    raise TooManyAttempts(
        f"The file {request.job.file_id} has failed {MAX_ATTEMPTS} times, which is the limit. "
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
            f"{status}. Retry later."
        )
    return True


def _failed_runs(request: Replay, item: Item | None) -> list[tuple[str, int, str]]:
    """The runs that are known to have failed: ARN, redrive count, and a time after the start.

    The time is needed because an execution's name can be used again 90 days after its end.
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
    """Start the attempt's execution; returns False if its name is taken."""
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
    """The attempt's execution, or None if there is none, or no longer."""
    arn = execution_arn(state_machine_arn, job.execution_name)
    with aws_errors("the state machine's execution"):
        try:
            return stepfunctions().describe_execution(executionArn=arn)
        except ClientError as error:
            if error_code(error) == "ExecutionDoesNotExist":
                return None
            raise
