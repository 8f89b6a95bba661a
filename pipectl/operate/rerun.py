"""Runs files again and follows what becomes of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from pipectl.client.aws_errors import error_code, explain
from pipectl.client.dead_letters import DeadLetters, settled
from pipectl.client.executions import Described, Executions
from pipectl.client.history import Failure
from pipectl.client.metadata import Item, Items, source_of
from pipectl.client.side_by_side import side_by_side
from pipectl.client.targets import Target
from pipectl.errors import PipectlError
from pipectl.operate.find_failures import running_files
from pipectl.operate.plan import How, Plan, Standing, attempts_in, message, plan
from shared.executions import attempt_name
from shared.job import Source, readable_cause
from shared.metadata import is_later, version_attributes

if TYPE_CHECKING:
    from pipectl.client.stack import Stack

# How often executions are looked at, in seconds; on AWS that is a call each time.
_AWS_TICK = 2.0
_EMBEDDED_TICK = 0.1

# A message that has started nothing for so long, while nothing else goes on, is looked into.
PATIENCE_SECONDS = 180

# So many are described each time. Of more, those that the list of running ones names are not.
_FEW = 4

UNSUCCESSFUL = ("failed", "timed_out", "aborted", "refused", "not_started", "not_run", "superseded")


@dataclass
class Rerun:
    """One file on its way once more; `source` is its `s3://` address.

    `status` is `planned`, `left` (only another upload helps), `started`, `running`, that of the
    ended execution, `refused` (AWS would not start it), `not_started` (the starter did not) or
    `not_run` (not reached). `from_redrive` is the number of redrives from which on the execution's
    status counts.
    """

    file_id: str
    source: str
    how: How
    because: str
    status: str = "planned"
    canary: bool = False
    execution_arn: str | None = None
    from_redrive: int = 0
    error: Failure | None = None
    duration_ms: int | None = None
    settled: int = 0
    item: Item | None = None

    @property
    def under_way(self) -> bool:
        """Whether its end is still to come."""
        return self.status in ("started", "running")

    def to_document(self) -> dict[str, Any]:
        """The entry in `pipectl rerun --json`."""
        item = self.item or {}
        return {
            "file_id": self.file_id,
            "source": self.source,
            "how": self.how,
            "because": self.because,
            "canary": self.canary,
            "status": self.status,
            "execution_arn": self.execution_arn,
            "duration_ms": self.duration_ms,
            "error": asdict(self.error) if self.error else None,
            "record_count": item.get("record_count"),
            "processed_count": item.get("processed_count"),
            "error_count": item.get("error_count"),
            "correction_of": item.get("correction_of"),
            "settled_messages": self.settled,
        }


def _error_of(item: Item | None) -> str | None:
    return str(item["error"]["code"]) if item is not None and "error" in item else None


def told(file_id: str, source: str, decided: Plan) -> Rerun:
    """A file with its plan; nothing is done yet."""
    left_alone = "superseded" if decided.superseded else "succeeded"
    status = {"none": left_alone, "upload": "left"}.get(decided.how, "planned")
    return Rerun(file_id, source, decided.how, decided.because, status)


class Rerunner:
    """Runs files of a stack again."""

    def __init__(
        self, stack: Stack, *, new: bool = False, force: bool = False, superseded: bool = False
    ) -> None:
        """`superseded` also runs files of whose key a later version has succeeded."""
        self._stack = stack
        self._new = new
        self._force = force
        self._superseded = superseded
        self._items = Items(stack)
        self._executions = Executions(stack)
        self._letters = DeadLetters(stack)
        self._standings: dict[str, Standing] = {}
        self._tick = _EMBEDDED_TICK if stack.emulated else _AWS_TICK

    def planned(self, targets: Sequence[Target]) -> list[Rerun]:
        """Decide for each file how it is run again; nothing is done yet.

        Raises `PipectlError` for a target of which nothing is known.
        """
        described = side_by_side(self._described, targets)
        file_ids = [
            (target.file_id or (one.file_id if one else None))
            for target, one in zip(targets, described, strict=True)
        ]
        items = self._items.get(file_id for file_id in file_ids if file_id)
        running = running_files(self._executions)
        found: dict[str, Rerun] = {}
        for target, execution, file_id in zip(targets, described, file_ids, strict=True):
            if file_id is None:
                raise PipectlError(f"The execution {target.text} is not of a file.")
            if file_id not in found:
                standing = self._standing(file_id, execution, items.get(file_id), running)
                self._standings[file_id] = standing
                found[file_id] = self._plan(standing)
        return list(found.values())

    def start(self, reruns: Iterable[Rerun]) -> None:
        """Do what is planned; what AWS refuses becomes the file's own outcome."""
        side_by_side(self._start, reruns)

    def wait(self, reruns: Sequence[Rerun], ended: Callable[[Rerun], None]) -> None:
        """Follow what is under way to its end; `ended` is called for each."""
        last_news = time.monotonic()
        while pending := [rerun for rerun in reruns if rerun.under_way]:
            self._look(pending)
            for rerun in pending:
                if not rerun.under_way:
                    last_news = time.monotonic()
                    ended(rerun)
            if any(rerun.status == "running" for rerun in pending):
                last_news = time.monotonic()
            if time.monotonic() - last_news > PATIENCE_SECONDS:
                self._give_up([rerun for rerun in pending if rerun.under_way])
            time.sleep(self._tick)

    def settle(self, reruns: Iterable[Rerun]) -> None:
        """Delete the dead-letter messages of those that have succeeded, and of no other file.

        Each file's item is read for it: the message must be older than the success.
        """
        succeeded = {rerun.file_id: rerun for rerun in reruns if rerun.status == "succeeded"}
        if not succeeded:
            return
        with self._letters.held() as letters:
            own = [one for one in letters if set(one.file_ids) <= succeeded.keys()]
            if not own:
                return
            done = settled(own, self._items.get(succeeded))
            self._letters.delete(done)
        for letter in done:
            for file_id in letter.file_ids:
                succeeded[file_id].settled += 1

    def collect(self, reruns: Iterable[Rerun]) -> None:
        """Read the metadata items of the files that have ended."""
        ended = [rerun for rerun in reruns if rerun.status == "succeeded"]
        items = self._items.get(rerun.file_id for rerun in ended)
        for rerun in ended:
            rerun.item = items.get(rerun.file_id)

    def _described(self, target: Target) -> Described | None:
        """The execution that a target names."""
        if target.execution is None:
            return None
        described = self._executions.describe(target.execution)
        if described is None:
            raise PipectlError(
                f"There is no execution {target.text} (any more). See those there are with:"
                " pipectl executions"
            )
        return described

    def _standing(
        self,
        file_id: str,
        execution: Described | None,
        item: Item | None,
        running: Mapping[str, str],
    ) -> Standing:
        attempts = attempts_in(item) if item else 0
        if execution is None and item is not None:
            execution = self._executions.describe(item["execution_arn"])
        if item is None:
            made = self._executions.attempts(file_id, 0)
            attempts = len(made)
            execution = execution or (made[-1] if made else None)
        source = self._source(file_id, execution, item)
        return Standing(
            source=source,
            attempts=attempts,
            execution=execution,
            # It may have been redriven since the running ones were listed.
            running=execution.name
            if execution is not None and execution.running
            else running.get(file_id),
            succeeded=(item is not None and item["status"] == "succeeded"),
            superseded=self._is_superseded(source),
            present_definition=execution is None
            or not execution.redrivable
            or self._executions.has_present_definition(execution.arn),
            error=execution.error if execution is not None else _error_of(item),
        )

    def _is_superseded(self, source: Source) -> bool:
        own = version_attributes(source)
        [versions] = self._items.of_sources([own["source"]]).values()
        return any(one["status"] == "succeeded" and is_later(one, own) for one in versions)

    def _source(self, file_id: str, execution: Described | None, item: Item | None) -> Source:
        if execution is not None:
            return Source.from_document(execution.document["source"])
        if item is not None:
            return source_of(item)
        for letter in self._letters.peek():
            for source in letter.sources:
                if source.file_id == file_id:
                    return source
        raise PipectlError(
            f"Nothing is known of the file {file_id}: no metadata, no execution, no message in the"
            " dead-letter queue. See those there are with: pipectl executions"
        )

    def _plan(self, standing: Standing) -> Rerun:
        decided = plan(
            standing,
            new=self._new,
            force=self._force,
            superseded=self._superseded,
            now=datetime.now(UTC),
        )
        rerun = told(standing.file_id, standing.source.uri, decided)
        if standing.execution is not None and decided.how in ("redrive", "none"):
            rerun.execution_arn = standing.execution.arn
        if decided.how == "follow":
            rerun.execution_arn = self._executions.arn(str(standing.running))
        return rerun

    def _start(self, rerun: Rerun) -> None:
        standing = self._standings[rerun.file_id]
        try:
            if rerun.how == "redrive":
                self._redrive(rerun, standing)
            if rerun.how == "new_attempt":
                self._send(rerun, standing)
        except (BotoCoreError, ClientError) as error:
            rerun.status = "refused"
            rerun.error = Failure("Refused", explain(error), None)
            return
        if rerun.how not in ("none", "upload"):
            rerun.status = "started"

    def _redrive(self, rerun: Rerun, standing: Standing) -> None:
        execution = standing.execution
        assert execution is not None  # noqa: S101  # it was planned for this execution
        try:
            self._executions.redrive(execution.arn)
        except ClientError as error:
            if error_code(error) != "ExecutionNotRedrivable":
                raise
            # It was when it was planned.
            present = self._executions.describe(execution.arn)
            if present is not None and present.redrive_count > execution.redrive_count:
                rerun.how = "follow"
                rerun.because = "somebody else has redriven it meanwhile"
                return
            rerun.how = "new_attempt"
            rerun.because = "Step Functions would not redrive it after all"
            self._send(rerun, standing)
        else:
            rerun.from_redrive = execution.redrive_count + 1

    def _send(self, rerun: Rerun, standing: Standing) -> None:
        """Ask the starter for the next attempt, which is linked to the one before it."""
        last = max(standing.attempts, 1)
        free = last
        while self._executions.describe(attempt_name(rerun.file_id, free)) is not None:
            free += 1
        if free == last and standing.attempts:
            # Its name is free again after 90 days; its number is not.
            last = free = last + 1
        # Named before it is there: the starter takes the same next name.
        rerun.execution_arn = self._executions.arn(attempt_name(rerun.file_id, free))
        self._stack.client("sqs").send_message(
            QueueUrl=self._stack.output("ProcessingQueueUrl"),
            MessageBody=json.dumps(
                message(standing, last, force=self._force, superseded=self._superseded)
            ),
        )

    def _look(self, pending: Sequence[Rerun]) -> None:
        asked = list(pending)
        if len(asked) > _FEW:
            running = {one.arn: one for one in self._executions.running()}
            asked = [one for one in asked if one.execution_arn not in running]
            for rerun in pending:
                if rerun.execution_arn in running:
                    rerun.status = "running"
        side_by_side(self._update, asked)

    def _update(self, rerun: Rerun) -> None:
        described = self._executions.describe(str(rerun.execution_arn))
        if described is None or described.redrive_count < rerun.from_redrive:
            # Not there yet, or not told yet that it was redriven.
            return
        if described.running:
            rerun.status = "running"
            return
        rerun.status = described.status
        rerun.duration_ms = described.duration_ms
        if described.status != "succeeded":
            code = described.error or described.status
            rerun.error = Failure(code, readable_cause(described.cause or ""), None)

    def _give_up(self, waiting: Sequence[Rerun]) -> None:
        items = self._items.get(rerun.file_id for rerun in waiting)
        for rerun in waiting:
            if items.get(rerun.file_id, {}).get("status") == "succeeded":
                # Somebody else has run it meanwhile, so the starter had nothing to do.
                rerun.status = "succeeded"
                continue
            rerun.status = "not_started"
            rerun.error = Failure(
                "NotStarted",
                f"No execution was started within {PATIENCE_SECONDS} s. The message is in the"
                " processing queue, or the starter's log says why it was refused.",
                None,
            )
