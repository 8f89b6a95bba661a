"""Carries out planned reruns: starts them, follows them, and deletes their dead letters."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from pipectl.client.aws_errors import explain
from pipectl.client.dead_letter_queue import DeadLetterQueue, resolved
from pipectl.client.history import ExecutionFailure
from pipectl.client.metadata_items import MetadataItems
from pipectl.client.side_by_side import side_by_side
from pipectl.client.starter_messages import starter_message
from pipectl.client.step_functions import DescribedExecution, Executions
from pipectl.operate.rerun_options import RerunOptions
from pipectl.operate.rerun_plan import FileRerun
from shared.errors import error_code
from shared.executions import attempt_name

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack
    from pipectl.operate.rerun_candidates import RerunCandidate

# Seconds between two polls of the executions. On AWS each poll is a call.
_AWS_INTERVAL = 2.0
_EMBEDDED_INTERVAL = 0.1

# Seconds without any progress after which a message that has started nothing is given up.
PATIENCE_SECONDS = 180

# Up to this many executions are described at each poll. Of more, those that the list of running
# executions contains are not described.
_FEW = 4


class RerunActions:
    """Starts and follows the reruns of one stack."""

    def __init__(self, stack: Stack, options: RerunOptions) -> None:
        self._stack = stack
        self._options = options
        self._items = MetadataItems(stack)
        self._executions = Executions(stack)
        self._dead_letters = DeadLetterQueue(stack)
        self._interval = _EMBEDDED_INTERVAL if stack.emulated else _AWS_INTERVAL

    def start(self, reruns: Iterable[FileRerun]) -> None:
        """Start the planned reruns. A refusal by AWS becomes the outcome of that file."""
        side_by_side(self._start, [one for one in reruns if one.status == "planned"])

    def follow(self, reruns: Sequence[FileRerun], ended: Callable[[FileRerun], None]) -> None:
        """Wait until every pending rerun has ended; `ended` is called for each as it ends."""
        last_change = time.monotonic()
        while pending := [rerun for rerun in reruns if rerun.pending]:
            self._look(pending)
            for rerun in pending:
                if not rerun.pending:
                    last_change = time.monotonic()
                    ended(rerun)
            if any(rerun.status == "running" for rerun in pending):
                last_change = time.monotonic()
            if time.monotonic() - last_change > PATIENCE_SECONDS:
                self._give_up([rerun for rerun in pending if rerun.pending])
            time.sleep(self._interval)
        succeeded = [rerun for rerun in reruns if rerun.status == "succeeded"]
        items = self._items.get(rerun.file_id for rerun in succeeded)
        for rerun in succeeded:
            rerun.item = items.get(rerun.file_id)

    def delete_dead_letters(self, reruns: Iterable[FileRerun]) -> None:
        """Delete the dead letters of the files that have succeeded, and of no other file.

        Each file's item is read for it: the dead letter must be older than the success.
        """
        succeeded = {rerun.file_id: rerun for rerun in reruns if rerun.status == "succeeded"}
        if not succeeded:
            return
        with self._dead_letters.held() as held:
            own = [one for one in held if set(one.file_ids) <= succeeded.keys()]
            done = resolved(own, self._items.get(succeeded)) if own else []
            self._dead_letters.delete(done)
        for dead_letter in done:
            for file_id in dead_letter.file_ids:
                succeeded[file_id].deleted_dead_letters += 1

    def _start(self, rerun: FileRerun) -> None:
        candidate = rerun.candidate
        assert candidate is not None  # noqa: S101  # what is planned was planned for a candidate
        rerun.status = "started"
        try:
            if rerun.how == "follow":
                rerun.execution_arn = self._executions.arn(str(candidate.running))
            elif rerun.how == "redrive":
                self._redrive(rerun, candidate)
            else:
                self._send(rerun, candidate)
        except (BotoCoreError, ClientError) as error:
            rerun.status = "refused"
            rerun.error = ExecutionFailure("Refused", explain(error), None)

    def _redrive(self, rerun: FileRerun, candidate: RerunCandidate) -> None:
        """Redrive; if the execution has changed since the plan, follow it or start another one."""
        arn = str(candidate.execution_arn)
        execution = self._executions.describe(arn)
        if execution is not None and not _has_moved_on(execution):
            rerun.from_redrive = execution.redrive_count + 1
            if self._is_redriven(arn):
                return
            execution = self._executions.describe(arn)
        if execution is not None and _has_moved_on(execution):
            self._follow_instead(rerun, execution)
            return
        rerun.how, rerun.from_redrive = "new_attempt", 0
        rerun.reason = "Step Functions refused to redrive its execution"
        self._send(rerun, candidate)

    def _is_redriven(self, arn: str) -> bool:
        try:
            self._executions.redrive(arn)
        except ClientError as error:
            if error_code(error) != "ExecutionNotRedrivable":
                raise
            return False
        return True

    def _send(self, rerun: FileRerun, candidate: RerunCandidate) -> None:
        """Ask the starter for the next attempt, which it links to the one before.

        The attempt's execution is named here before it exists: the starter takes the same next free
        name. For a file whose attempts 1 and 2 have failed that is `<file_id>-r3`.
        """
        last = free = max(candidate.attempts, 1)
        while execution := self._executions.describe(attempt_name(rerun.file_id, free)):
            if _has_moved_on(execution) and not self._options.force:
                self._follow_instead(rerun, execution)
                return
            free += 1
        if free == last and candidate.attempts:
            # Its name is free again 90 days after its end, but its number is not.
            last = free = last + 1
        rerun.execution_arn = self._executions.arn(attempt_name(rerun.file_id, free))
        self._stack.client("sqs").send_message(
            QueueUrl=self._stack.output("ProcessingQueueUrl"),
            MessageBody=json.dumps(
                starter_message(candidate.source, last, force=self._options.force)
            ),
        )

    def _follow_instead(self, rerun: FileRerun, execution: DescribedExecution) -> None:
        """Follow an execution that someone else started or redrove since the plan was made."""
        rerun.how = "follow"
        rerun.reason = "someone else has rerun it in the meantime"
        rerun.execution_arn = execution.arn
        rerun.from_redrive = execution.redrive_count

    def _look(self, pending: Sequence[FileRerun]) -> None:
        asked = list(pending)
        if len(asked) > _FEW:
            running = {one.arn for one in self._executions.running()}
            asked = [one for one in asked if one.execution_arn not in running]
            for rerun in pending:
                if rerun.execution_arn in running:
                    rerun.status = "running"
        side_by_side(self._update, asked)

    def _update(self, rerun: FileRerun) -> None:
        execution = self._executions.describe(str(rerun.execution_arn))
        if execution is None or execution.redrive_count < rerun.from_redrive:
            # It does not exist yet, or Step Functions does not show the redrive yet.
            return
        rerun.status = execution.status
        if execution.running:
            return
        rerun.duration_ms = execution.duration_ms
        if execution.status != "succeeded":
            code = execution.error or execution.status
            rerun.error = ExecutionFailure(code, execution.cause or "", None)

    def _give_up(self, waiting: Sequence[FileRerun]) -> None:
        items = self._items.get(rerun.file_id for rerun in waiting)
        for rerun in waiting:
            if items.get(rerun.file_id, {}).get("status") == "succeeded":
                # Someone else has rerun it in the meantime, so the starter had nothing to start.
                rerun.status = "succeeded"
                continue
            rerun.status = "not_started"
            rerun.error = ExecutionFailure(
                "NotStarted",
                f"No execution was started within {PATIENCE_SECONDS} s. Either the message is still"
                " in the processing queue, or the starter refused it and logged the reason.",
                None,
            )


def _has_moved_on(execution: DescribedExecution) -> bool:
    """Whether there is nothing to rerun: it is running, or has succeeded."""
    return execution.status in ("running", "succeeded")
