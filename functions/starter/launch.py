"""Start the execution that a request asks for, once."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from botocore.exceptions import ClientError

from shared.clients import stepfunctions
from shared.errors import aws_errors, error_code
from shared.job import Job
from starter.messages import Replay, Request

Launch = Literal["started", "duplicate"]

# Walking past this many failed attempts of one file is no way to run it: something else is wrong.
MAX_ATTEMPTS = 1000


class TooManyAttempts(Exception):
    """A file has failed so often that no further attempt is started by itself."""


def launch(request: Request, state_machine_arn: str) -> tuple[Launch, Job]:
    """Start the request's execution; say whether it was started, and which attempt it is.

    Execution names are derived from the file's identity, so a duplicate finds its name taken:
    while that execution runs or after it has succeeded the request is done. After a failure an
    S3 event is done too (the failure lane's message stands), a replay takes the next free
    attempt, linked to the one before it. Raises `TransientError` when Step Functions is busy.
    """
    job = request.job
    force = isinstance(request, Replay) and request.force
    while job.attempt <= MAX_ATTEMPTS:
        if _start(job, state_machine_arn):
            return "started", job
        status = _status(job, state_machine_arn)
        again = status != "RUNNING" and (status != "SUCCEEDED" or force)
        if not (isinstance(request, Replay) and again):
            return "duplicate", job
        job = replace(job, attempt=job.attempt + 1, replay_of=job.execution_name)
    raise TooManyAttempts(f"The file {job.file_id} has failed {MAX_ATTEMPTS} times.")


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


def _status(job: Job, state_machine_arn: str) -> str:
    arn = f"{state_machine_arn.replace(':stateMachine:', ':execution:')}:{job.execution_name}"
    with aws_errors("the state machine's execution"):
        return str(stepfunctions().describe_execution(executionArn=arn)["status"])
