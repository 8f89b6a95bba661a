"""Lists executions with their files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from pipectl.client.metadata_items import MetadataItem, MetadataItems
from pipectl.client.side_by_side import side_by_side
from pipectl.client.step_functions import DescribedExecution, Executions, ListedExecution
from pipectl.operate.failed_files import matches
from shared.executions import attempt_of
from shared.job import iso

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack

# The size of a page of Step Functions' list. The items of one page are read together.
_AT_ONCE = 1000


@dataclass(frozen=True)
class ExecutionRow:
    """One execution; a field is None if neither the file's metadata nor the input has it."""

    execution: ListedExecution
    file_id: str | None
    attempt: int | None
    source: str | None
    dataset: str | None
    error: str | None
    record_count: int | None = None
    error_count: int | None = None
    superseded: bool = False

    @property
    def status(self) -> str:
        """The execution's status, or `superseded` if a later version's output stays."""
        return "superseded" if self.superseded else self.execution.status

    @property
    def key(self) -> str:
        """The source's key within its bucket."""
        return (self.source or "").removeprefix("s3://").partition("/")[2]

    def to_document(self) -> dict[str, Any]:
        """The entry in `pipectl executions --json`."""
        execution = self.execution
        return {
            "name": execution.name,
            "arn": execution.arn,
            "status": execution.status,
            "started_at": iso(execution.started_at),
            "ended_at": iso(execution.ended_at) if execution.ended_at else None,
            "duration_ms": execution.duration_ms,
            "file_id": self.file_id,
            "attempt": self.attempt,
            "redrives": execution.redrive_count,
            "source": self.source,
            "dataset": self.dataset,
            "error": self.error,
        }


def list_executions(
    stack: Stack, *, status: str | None, since: datetime | None, source: str | None
) -> Iterator[ExecutionRow]:
    """The executions that match, newest first; `status` as AWS names it, `source` is a glob.

    The sources are read from the metadata table, a hundred files per call. Only executions whose
    file has no item yet are described one by one.
    """
    executions, items = Executions(stack), MetadataItems(stack)
    listed = executions.listed(status=status, since=since)
    while page := list(islice(listed, _AT_ONCE)):
        for row in read_rows(executions, items, page):
            if matches(row.key, source):
                yield row


def read_rows(
    executions: Executions, items: MetadataItems, page: Sequence[ListedExecution]
) -> Iterator[ExecutionRow]:
    """The rows of listed executions, in their order."""
    named = [attempt_of(execution.name) for execution in page]
    found = items.get(name[0] for name in named if name)
    missing = [
        execution
        for execution, name in zip(page, named, strict=True)
        if name is None or name[0] not in found
    ]
    described = _descriptions(executions, missing)
    for execution, name in zip(page, named, strict=True):
        item = found.get(name[0]) if name else None
        yield row_of(execution, item, described.get(execution.arn))


def row_of(
    execution: ListedExecution, item: MetadataItem | None, described: DescribedExecution | None
) -> ExecutionRow:
    """The row of an execution, from its file's item or, without one, from its description."""
    named = attempt_of(execution.name)
    document = described.document if described else {}
    # The item has the counts of the execution whose output stays.
    own: Mapping[str, Any] = (
        item if item is not None and item["execution_arn"] == execution.arn else {}
    )
    return ExecutionRow(
        execution=execution,
        file_id=named[0] if named else document.get("file_id"),
        attempt=named[1] if named else document.get("attempt"),
        source=f"s3://{item['source']}" if item else _source(document),
        dataset=item["dataset"] if item else (document.get("source") or {}).get("dataset"),
        error=_error(execution, item, described),
        record_count=own.get("record_count"),
        error_count=own.get("error_count"),
        superseded=execution.status == "succeeded" and own.get("status") == "superseded",
    )


def _error(
    execution: ListedExecution, item: MetadataItem | None, described: DescribedExecution | None
) -> str | None:
    """The name of the error that the execution's last run ended with."""
    if item is None:
        return described.error if described else None
    own = [run for run in item["history"].values() if run["execution_arn"] == execution.arn]
    last: Mapping[str, Any] = max(own, key=lambda run: str(run["recorded_at"]), default={})
    return None if execution.running else last.get("error")


def _source(document: Mapping[str, Any]) -> str | None:
    source = document.get("source") or {}
    return f"s3://{source['bucket']}/{source['key']}" if {"bucket", "key"} <= set(source) else None


def _descriptions(
    executions: Executions, listed: Iterable[ListedExecution]
) -> dict[str, DescribedExecution]:
    described = side_by_side(lambda one: executions.describe(one.arn), listed)
    return {one.arn: one for one in described if one is not None}
