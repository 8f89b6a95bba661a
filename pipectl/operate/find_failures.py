"""Finds all failed files of a stack, wherever their failure was recorded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pipectl.client.dead_letter_queue import DeadLetter, DeadLetterQueue
from pipectl.client.metadata_items import MetadataItem, MetadataItems
from pipectl.client.side_by_side import side_by_side
from pipectl.client.step_functions import (
    UNSUCCESSFUL,
    DescribedExecution,
    Executions,
    ListedExecution,
)
from pipectl.operate.failed_files import (
    REDRIVABLE_FOR,
    FailedFile,
    FailureFilter,
    merge_failures,
    running_by_file,
    with_later_version,
    with_redrivability,
)
from shared.executions import attempt_of
from shared.versions import version_attributes

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack

# A failure is recorded at most a day, the workflow's time limit, before its execution ends.
_LOOK_BACK = REDRIVABLE_FOR + timedelta(days=1)


@dataclass(frozen=True)
class FoundFailures:
    """The failed files, the longest failing first, and the dead letters that are about no file.

    Those are `invocations`, events that a function outside the workflow failed to handle, and
    `unknown` messages, which can't be read. `letters` are all dead letters.
    """

    failures: list[FailedFile]
    invocations: list[DeadLetter]
    unknown: list[DeadLetter]
    letters: Sequence[DeadLetter] = ()


def find_failures(stack: Stack, only: FailureFilter) -> FoundFailures:
    """Find the failed files that the filter selects.

    The number of calls is small: one pass over the index of failures, the unsuccessful executions
    of the last two weeks by a thousand, the items by a hundred, and one query for each failed
    source.
    """
    items, executions = MetadataItems(stack), Executions(stack)
    dead_letters = DeadLetterQueue(stack).peek()
    failed = items.failed(only.since)
    known = {item["file_id"]: item for item in failed}
    unsuccessful = _unsuccessful(executions)
    named = [name[0] for name in (attempt_of(one.name) for one in unsuccessful) if name]
    written = [file_id for one in dead_letters for file_id in one.file_ids]
    known |= items.get({*named, *written} - known.keys())
    unrecorded = _unrecorded(executions, unsuccessful, known)
    # An execution that was started by hand is not named after its file, which may have succeeded.
    known |= items.get({one.file_id for one in unrecorded if one.file_id} - known.keys())
    found = merge_failures(known.values(), unrecorded, dead_letters)
    chosen = [failure for failure in found if only.includes(failure)]
    names = [version_attributes(failure.source)["source"] for failure in chosen]
    versions = items.of_sources(names)
    chosen = [
        with_later_version(one, versions[name]) for one, name in zip(chosen, names, strict=True)
    ]
    chosen = with_redrivability(
        chosen,
        running=running_files(executions),
        now=datetime.now(UTC),
        has_present_definition=executions.has_present_definition,
    )
    return FoundFailures(
        chosen,
        invocations=[one for one in dead_letters if one.kind == "failed_invocation"],
        unknown=[one for one in dead_letters if one.kind == "unknown"],
        letters=dead_letters,
    )


def running_files(executions: Executions) -> dict[str, str]:
    """The name of the running execution of each file that has one."""
    by_file, unknown = running_by_file(executions.running())
    for described in _described(executions, unknown):
        if described.file_id is not None:
            by_file[described.file_id] = described.name
    return by_file


def _unsuccessful(executions: Executions) -> list[ListedExecution]:
    since = datetime.now(UTC) - _LOOK_BACK
    return [one for status in UNSUCCESSFUL for one in executions.listed(status=status, since=since)]


def _unrecorded(
    executions: Executions, unsuccessful: Iterable[ListedExecution], known: dict[str, MetadataItem]
) -> list[DescribedExecution]:
    """The executions of files without an item, which the failure lane could not record."""
    recorded = {run["execution_arn"] for item in known.values() for run in item["history"].values()}
    unknown = [one for one in unsuccessful if one.arn not in recorded]
    missing = [one for one in unknown if (attempt_of(one.name) or ("",))[0] not in known]
    return _described(executions, missing)


def _described(
    executions: Executions, listed: Iterable[ListedExecution]
) -> list[DescribedExecution]:
    found = side_by_side(lambda one: executions.describe(one.arn), listed)
    return [one for one in found if one is not None]
