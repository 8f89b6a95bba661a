"""Start the execution that a request asks for, once."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from botocore.exceptions import ClientError

from shared.clients import stepfunctions
from shared.errors import aws_errors, error_code
from shared.job import Job
from shared.metadata import read_item
from starter.messages import Replay, Request

Launch = Literal["started", "duplicate"]

# Walking past this many failed attempts of one file is no way to run it: something else is wrong.
# Each takes two calls, all of them within the starter's timeout.
MAX_ATTEMPTS = 100

# How an execution ends without success; any other status but SUCCEEDED is on its way.
_FAILED = frozenset({"FAILED", "TIMED_OUT", "ABORTED"})


class TooManyAttempts(Exception):
    """A file has failed so often that no further attempt is started by itself."""


def launch(request: Request, state_machine_arn: str, metadata_table: str) -> tuple[Launch, Job]:
    """Start the request's execution; say whether it was started, and which attempt it is.

    Execution names are derived from the file's identity, so a duplicate finds its name taken:
    an S3 event is done then, whatever became of that execution (after a failure the failure
    lane's message stands). A replay is done while any attempt runs or after the file has
    succeeded, the latter unless it is forced; else it takes the next free attempt, linked to the
    one before it. Raises `TransientError` when Step Functions or DynamoDB is busy.
    """
    if isinstance(request, Replay):
        if not request.force and _has_succeeded(request.job.file_id, metadata_table):
            return "duplicate", request.job
        return _replay(request, state_machine_arn)
    started = _start(request.job, state_machine_arn)
    return "started" if started else "duplicate", request.job


def _replay(request: Replay, state_machine_arn: str) -> tuple[Launch, Job]:
    # An earlier attempt may have been redriven since: two runs of a file must not mix their parts.
    job = request.job
    for attempt in range(1, min(job.attempt, MAX_ATTEMPTS + 1)):
        earlier = replace(request.job, attempt=attempt)
        if _settles(request, _status(earlier, state_machine_arn)):
            return "duplicate", earlier
        job = replace(job, replay_of=earlier.execution_name)
    while job.attempt <= MAX_ATTEMPTS:
        if _start(job, state_machine_arn):
            return "started", job
        if _settles(request, _status(job, state_machine_arn)):
            return "duplicate", job
        job = replace(job, attempt=job.attempt + 1, replay_of=job.execution_name)
    raise TooManyAttempts(
        f"The file {job.file_id} would need an attempt beyond the {MAX_ATTEMPTS} allowed. "
        "Start it by hand in the Step Functions console, or upload it again."
    )


def _has_succeeded(file_id: str, metadata_table: str) -> bool:
    """Whether the metadata says so, whatever the execution was called and however long ago.

    Of an execution that was started by hand the name tells nothing, and names are free again 90
    days after the end.
    """
    item = read_item(metadata_table, file_id)
    return item is not None and item["status"] == "succeeded"


def _settles(request: Replay, status: str | None) -> bool:
    """Whether an attempt of this status leaves nothing to be done."""
    if status == "SUCCEEDED":
        return not request.force
    return status is not None and status not in _FAILED


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


def _status(job: Job, state_machine_arn: str) -> str | None:
    """The status of the attempt's execution; None where there is none (any more)."""
    arn = f"{state_machine_arn.replace(':stateMachine:', ':execution:')}:{job.execution_name}"
    with aws_errors("the state machine's execution"):
        try:
            return str(stepfunctions().describe_execution(executionArn=arn)["status"])
        except ClientError as error:
            if error_code(error) == "ExecutionDoesNotExist":
                return None
            raise
