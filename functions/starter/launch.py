"""Starts the execution that a request asks for, at most once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from shared.clients import stepfunctions
from shared.errors import TransientError, aws_errors, error_code
from shared.executions import execution_arn
from shared.job import Job, iso
from shared.metadata import Item, read_item
from shared.scans import INFECTED
from starter.messages import Correction, Replay, Upload
from starter.recorded_source import source_of_item

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import DescribeExecutionOutputTypeDef

Launch = Literal["started", "duplicate"]

# A file with this many failed attempts has another problem that a further one doesn't solve. Each
# attempt takes two calls, and all of them must fit in the starter's timeout.
MAX_ATTEMPTS = 100

# Duplicates of an event arrive within minutes: further back there is no attempt of the same upload,
# and none that is running.
_ATTEMPTS_LOOKED_BACK = 20

# The statuses of an execution that ended without success. Every other status except SUCCEEDED is
# of one that is still running.
_FAILED = frozenset({"FAILED", "TIMED_OUT", "ABORTED"})


class TooManyAttempts(Exception):
    """A file has failed so often that no further attempt is started automatically."""


class UnknownFile(Exception):
    """Corrected rows were uploaded for a file that the pipeline does not know."""


@dataclass(frozen=True)
class Launched:
    """The result of a request: its outcome, and the attempt."""

    outcome: Launch
    job: Job


def launch(
    request: Upload | Correction | Replay, state_machine_arn: str, metadata_table: str
) -> Launched:
    """Start the request's execution; returns whether it was started, and which attempt it is.

    An execution's name is derived from the file's identity, so the name of a duplicate is taken.
    A duplicate S3 event needs nothing more, whatever the execution's outcome: if it failed, the
    failure lane has sent a dead letter. Another result of a malware scan than that of the earlier
    attempts starts the next attempt, once none of them runs.

    A replay is a duplicate while any attempt of the file runs. It is also a duplicate after the
    file has succeeded, unless it is forced. Otherwise it starts the next free attempt, linked to
    the previous one. If a later version of the same key has succeeded, that attempt publishes
    nothing. Example: if `<file_id>` and `<file_id>-r2` have failed, a replay starts `<file_id>-r3`
    with `replay_of` set to `<file_id>-r2`.

    A correction starts the next attempt of its file, once no attempt of it runs. It is a duplicate
    if an attempt with the same corrections was started before. A replay of such an attempt starts
    another one, unless one of them has succeeded.

    Raises `UnknownFile` if the file of a correction is not recorded, and `TooManyAttempts` after
    `MAX_ATTEMPTS` attempts. Raises `TransientError` if Step Functions or DynamoDB is busy, if a
    correction has to wait for a running attempt, or if Step Functions still shows an execution as
    it was before it failed.
    """
    if isinstance(request, Correction):
        item = read_item(metadata_table, request.file_id)
        if item is None or item["dataset"] != request.dataset:
            raise UnknownFile(
                f"No file {request.file_id} of the dataset in the key is recorded, so its rows "
                "can't be corrected. The key is corrections/<dataset>/<file_id>.csv."
            )
        source = source_of_item(item)
        job = Job(request.file_id, 1, source, corrections=request.upload)
        return _correct(job, state_machine_arn, item, again=False)
    if not isinstance(request, Replay):
        started = _start(request.job, state_machine_arn)
        if not started and request.job.scan is not None:
            return _rescanned(request.job, state_machine_arn, metadata_table)
        return Launched("started" if started else "duplicate", request.job)
    item = read_item(metadata_table, request.job.file_id)
    if request.job.corrections is not None:
        return _correct(request.job, state_machine_arn, item, again=True)
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


def _rescanned(job: Job, state_machine_arn: str, metadata_table: str) -> Launched:
    """Start the next attempt with the job's scan result, unless it changes nothing.

    An attempt that was started with the same result makes it a duplicate. So does the file's
    success, unless the scan found malware: then the attempt fails, which records and reports it.
    """
    item = read_item(metadata_table, job.file_id)
    is_final = job.scan == INFECTED
    if item is not None and item["status"] == "succeeded" and not is_final:
        return Launched("duplicate", replace(job, attempt=int(item["attempt"])))

    def is_same(given: Mapping[str, Any], status: str) -> bool:
        return given.get("scan") == job.scan or (status == "SUCCEEDED" and not is_final)

    return _next_attempt(job, state_machine_arn, item, is_same, "The scan result waits")


def _correct(job: Job, state_machine_arn: str, item: Item | None, *, again: bool) -> Launched:
    """Start the next attempt with the job's corrections, unless there is one already.

    `again` is true if a failed attempt with the same corrections is to be repeated.
    """
    mine = json.loads(job.execution_input())["corrections"]

    def is_same(given: Mapping[str, Any], status: str) -> bool:
        return given.get("corrections") == mine and not (again and status in _FAILED)

    return _next_attempt(job, state_machine_arn, item, is_same, "The corrections wait")


def _next_attempt(
    job: Job,
    state_machine_arn: str,
    item: Item | None,
    is_same: Callable[[Mapping[str, Any], str], bool],
    waiting: str,
) -> Launched:
    """Start the file's next attempt, once no attempt of it runs.

    `is_same` says whether an earlier attempt, given by its input and status, makes this one a
    duplicate. The attempt is linked to the execution whose rejected rows people see: that of the
    item. Raises `TransientError`, with `waiting` as its first words, while an attempt runs.
    """
    recorded = int(item["attempt"]) if item else 0
    previous = str(item["execution_name"]) if item else None
    first = max(1, recorded - _ATTEMPTS_LOOKED_BACK)
    for attempt in range(first, first + MAX_ATTEMPTS):
        job = replace(job, attempt=attempt, replay_of=previous)
        described = _describe(job, state_machine_arn)
        if described is not None:
            given = json.loads(described.get("input", "null")) or {}
            if is_same(given, described["status"]):
                return Launched("duplicate", job)
            if described["status"] not in {*_FAILED, "SUCCEEDED"}:
                raise TransientError(
                    f"{waiting} until the execution {job.execution_name} has ended."
                )
        # An attempt that is recorded but not found was removed, 90 days after its end.
        elif attempt > recorded:
            if _start(job, state_machine_arn):
                return Launched("started", job)
            raise TransientError(
                f"The name of the execution {job.execution_name} is taken, but Step Functions does "
                "not show it yet. Retry later."
            )
    raise TooManyAttempts(
        f"The file {job.file_id} has had {MAX_ATTEMPTS} attempts that are not recorded. "
        "Upload it again."
    )


def _is_done(
    request: Replay, job: Job, described: DescribeExecutionOutputTypeDef, item: Item | None
) -> bool:
    """Whether the described attempt leaves nothing to be done.

    DescribeExecution is eventually consistent: just after a failure, which is when a replay comes,
    it may still show the attempt running. Raises `TransientError` if there is other evidence that
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
