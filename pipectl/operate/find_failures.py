"""All failed files of a stack, gathered from everywhere a failure leaves a trace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pipectl.client.dead_letters import DeadLetters, Letter
from pipectl.client.executions import UNSUCCESSFUL, Described, Executions, Listed
from pipectl.client.metadata import Item, Items
from pipectl.client.side_by_side import side_by_side
from pipectl.operate.failures import (
    REDRIVABLE_FOR,
    FailedFile,
    Selection,
    merged,
    running_by_file,
    with_later_version,
    with_redrivability,
)
from shared.executions import attempt_of

if TYPE_CHECKING:
    from pipectl.client.stack import Stack

# A failure is recorded within the workflow's own time limit of a day before its execution ends.
_LOOK_BACK = REDRIVABLE_FOR + timedelta(days=1)


@dataclass(frozen=True)
class Survey:
    """The failed files, the longest failing first, and the dead letters that are of no file.

    Those are events that a function beside the workflow failed on, and what can't be read.
    """

    failures: list[FailedFile]
    invocations: list[Letter]
    unknown: list[Letter]


def survey(stack: Stack, selection: Selection) -> Survey:
    """Gather the failed files that the selection includes.

    It takes a handful of calls whatever their number: one pass over the failures' index, the
    unsuccessful executions of the last two weeks a thousand a call, the items of a hundred files
    a call, and one query for each source that failed.
    """
    items, executions = Items(stack), Executions(stack)
    letters = DeadLetters(stack).peek()
    failed = items.failed(selection.since)
    known = {item["file_id"]: item for item in failed}
    unsuccessful = _unsuccessful(executions)
    named = [name[0] for name in (attempt_of(one.name) for one in unsuccessful) if name]
    written = [file_id for letter in letters for file_id in letter.file_ids]
    known |= items.get({*named, *written} - known.keys())
    unrecorded = _unrecorded(executions, unsuccessful, known)
    # The name of one that was started by hand does not tell its file, which may have succeeded.
    known |= items.get({one.file_id for one in unrecorded if one.file_id} - known.keys())
    found = merged(known.values(), unrecorded, letters)
    chosen = [failure for failure in found if selection.includes(failure)]
    versions = items.of_sources(failure.source for failure in chosen)
    chosen = [with_later_version(one, versions[one.source]) for one in chosen]
    chosen = with_redrivability(
        chosen,
        running=running_files(executions),
        now=datetime.now(UTC),
        has_present_definition=executions.has_present_definition,
    )
    return Survey(
        chosen,
        invocations=[letter for letter in letters if letter.kind == "failed_invocation"],
        unknown=[letter for letter in letters if letter.kind == "unknown"],
    )


def running_files(executions: Executions) -> dict[str, str]:
    """The name of the running execution of each file that has one."""
    by_file, unknown = running_by_file(executions.running())
    for described in _described(executions, unknown):
        if described.file_id is not None:
            by_file[described.file_id] = described.name
    return by_file


def _unsuccessful(executions: Executions) -> list[Listed]:
    since = datetime.now(UTC) - _LOOK_BACK
    return [one for status in UNSUCCESSFUL for one in executions.listed(status=status, since=since)]


def _unrecorded(
    executions: Executions, unsuccessful: Iterable[Listed], known: dict[str, Item]
) -> list[Described]:
    """The executions of files without an item: the failure lane could not record them."""
    recorded = {run["execution_arn"] for item in known.values() for run in item["history"].values()}
    doubtful = [one for one in unsuccessful if one.arn not in recorded]
    missing = [one for one in doubtful if (attempt_of(one.name) or ("",))[0] not in known]
    return _described(executions, missing)


def _described(executions: Executions, listed: Iterable[Listed]) -> list[Described]:
    found = side_by_side(lambda one: executions.describe(one.arn), listed)
    return [one for one in found if one is not None]
