"""The files to rerun, with everything that decides how each is rerun."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipectl.client.dead_letter_queue import DeadLetterQueue
from pipectl.client.metadata_items import MetadataItem, MetadataItems, source_of
from pipectl.client.side_by_side import side_by_side
from pipectl.client.step_functions import DescribedExecution, Executions
from pipectl.client.targets import Target
from pipectl.errors import PipectlError
from pipectl.operate.failed_files import (
    DEFINITION_CHANGED,
    REDRIVABLE_FOR,
    FailedFile,
    last_attempt_in,
)
from pipectl.operate.find_failures import find_failures, running_files
from pipectl.operate.rerun_options import RerunOptions
from shared.job import Source
from shared.versions import is_later, version_attributes

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack


@dataclass(frozen=True)
class RerunCandidate:
    """What is known of a file that may be rerun.

    `attempts` is the number of its last known attempt, 0 if none was started. `execution_arn` is
    the execution that a redrive would continue, and `redrive_obstacle` the reason why it can't.
    `running` names an execution of the file that is running now. `error` is the name of the error
    that the file failed with. `superseded` means that a later version of its key has succeeded.
    """

    source: Source
    attempts: int = 0
    execution_arn: str | None = None
    redrive_obstacle: str | None = None
    running: str | None = None
    succeeded: bool = False
    superseded: bool = False
    error: str | None = None

    @property
    def file_id(self) -> str:
        """The file's id."""
        return self.source.file_id


def find_candidates(stack: Stack, options: RerunOptions) -> list[RerunCandidate]:
    """Find the named files, or all failed ones that the options include, oldest failure first.

    Raises `PipectlError` for a target that nothing is known of.
    """
    if options.all_failed:
        found = find_failures(stack, options.only).failures
        candidates = [candidate_from_failure(failure) for failure in found]
        return [one for one in candidates if not one.superseded]
    return _Finder(stack).named(options.targets)


def candidate_from_failure(failure: FailedFile) -> RerunCandidate:
    """The candidate that a list of failed files describes; it takes no further call."""
    resolved_by = failure.resolved_by.how if failure.resolved_by else None
    return RerunCandidate(
        source=failure.source,
        attempts=failure.last_attempt,
        execution_arn=failure.execution_arn,
        redrive_obstacle=failure.not_redrivable_reason,
        running=failure.running,
        succeeded=resolved_by == "attempt",
        superseded=resolved_by == "version",
        error=failure.code,
    )


def candidate_from_execution(
    source: Source,
    execution: DescribedExecution | None,
    item: MetadataItem | None,
    *,
    attempts: int,
    running: str | None,
    versions: Iterable[MetadataItem],
    has_present_definition: Callable[[str], bool],
) -> RerunCandidate:
    """The candidate for one file, from its last or named execution and its metadata item.

    `versions` are the items of all versions of the source's key.
    """
    own = version_attributes(source)
    error = item["error"]["code"] if item is not None and "error" in item else None
    return RerunCandidate(
        source=source,
        attempts=attempts,
        execution_arn=execution.arn if execution else None,
        redrive_obstacle=_redrive_obstacle(execution, attempts, has_present_definition),
        # It may have been redriven since the running executions were listed.
        running=execution.name if execution is not None and execution.running else running,
        succeeded=item is not None and item["status"] == "succeeded",
        superseded=any(one["status"] == "succeeded" and is_later(one, own) for one in versions),
        error=execution.error if execution is not None else error,
    )


def _redrive_obstacle(
    execution: DescribedExecution | None,
    attempts: int,
    has_present_definition: Callable[[str], bool],
) -> str | None:
    if execution is None:
        return "its execution no longer exists" if attempts else "no execution of it was started"
    if not execution.redrivable:
        return execution.redrive_reason or f"its execution is {execution.status}"
    if execution.ended_at and datetime.now(UTC) - execution.ended_at > REDRIVABLE_FOR:
        return f"it ended more than {REDRIVABLE_FOR.days} days ago"
    return None if has_present_definition(execution.arn) else DEFINITION_CHANGED


class _Finder:
    """Reads the candidates for files and executions that are named one by one."""

    def __init__(self, stack: Stack) -> None:
        self._items = MetadataItems(stack)
        self._executions = Executions(stack)
        self._dead_letters = DeadLetterQueue(stack)

    def named(self, targets: Sequence[Target]) -> list[RerunCandidate]:
        """One candidate for each file; the first execution named of a file counts."""
        executions: dict[str, DescribedExecution | None] = {}
        for target, execution in zip(targets, side_by_side(self._describe, targets), strict=True):
            file_id = target.file_id or (execution.file_id if execution else None)
            if file_id is None:
                raise PipectlError(f"The execution {target.text} does not belong to a file.")
            executions.setdefault(file_id, execution)
        items = self._items.get(executions)
        running = running_files(self._executions)
        return [
            self._candidate(file_id, execution, items.get(file_id), running)
            for file_id, execution in executions.items()
        ]

    def _describe(self, target: Target) -> DescribedExecution | None:
        return self._executions.named(target) if target.execution is not None else None

    def _candidate(
        self,
        file_id: str,
        execution: DescribedExecution | None,
        item: MetadataItem | None,
        running: Mapping[str, str],
    ) -> RerunCandidate:
        if item is not None:
            attempts = last_attempt_in(item)
            execution = execution or self._executions.describe(item["execution_arn"])
        else:
            made = self._executions.attempts(file_id, 0)
            attempts = len(made)
            execution = execution or (made[-1] if made else None)
        source = self._source(file_id, execution, item)
        return candidate_from_execution(
            source,
            execution,
            item,
            attempts=attempts,
            running=running.get(file_id),
            versions=self._items.of_source(source),
            has_present_definition=self._executions.has_present_definition,
        )

    def _source(
        self, file_id: str, execution: DescribedExecution | None, item: MetadataItem | None
    ) -> Source:
        if execution is not None:
            return Source.from_document(execution.document["source"])
        if item is not None:
            return source_of(item)
        for dead_letter in self._dead_letters.peek():
            for source in dead_letter.sources:
                if source.file_id == file_id:
                    return source
        raise PipectlError(
            f"Nothing is known of the file {file_id}: it has no metadata, no execution and no"
            " message in the dead-letter queue. List the known files with: pipectl executions"
        )
