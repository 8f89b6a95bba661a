"""Executions with the files that they are of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from pipectl.client.executions import Described, Executions, Listed
from pipectl.client.metadata import Item, Items
from pipectl.client.side_by_side import side_by_side
from pipectl.operate.failures import matches
from shared.executions import attempt_of
from shared.job import iso

if TYPE_CHECKING:
    from pipectl.client.stack import Stack

# As many as a page of Step Functions' list holds; their items are read together.
_AT_ONCE = 1000


@dataclass(frozen=True)
class Row:
    """One execution; what only its file's metadata or its input tells may be None."""

    execution: Listed
    file_id: str | None
    attempt: int | None
    source: str | None
    dataset: str | None
    error: str | None

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


def rows(
    stack: Stack, *, status: str | None, since: datetime | None, source: str | None
) -> Iterator[Row]:
    """The executions of one status (as AWS names it) since then, of a source, the latest first.

    The sources come from the metadata table, a hundred files a call. Only executions of files that
    are not there yet are asked for themselves.
    """
    executions, items = Executions(stack), Items(stack)
    listed = executions.listed(status=status, since=since)
    while page := list(islice(listed, _AT_ONCE)):
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
            row = row_of(execution, item, described.get(execution.arn))
            if matches(row.key, source):
                yield row


def row_of(execution: Listed, item: Item | None, described: Described | None) -> Row:
    """The row of an execution, from its file's item or else from its own description."""
    named = attempt_of(execution.name)
    document = described.document if described else {}
    return Row(
        execution=execution,
        file_id=named[0] if named else document.get("file_id"),
        attempt=named[1] if named else document.get("attempt"),
        source=f"s3://{item['source']}" if item else _source(document),
        dataset=item["dataset"] if item else (document.get("source") or {}).get("dataset"),
        error=_error(execution, item, described),
    )


def _error(execution: Listed, item: Item | None, described: Described | None) -> str | None:
    """The name of the error that the execution's last run ended with."""
    if item is None:
        return described.error if described else None
    own = [run for run in item["history"].values() if run["execution_arn"] == execution.arn]
    last: Mapping[str, Any] = max(own, key=lambda run: str(run["recorded_at"]), default={})
    return None if execution.running else last.get("error")


def _source(document: Mapping[str, Any]) -> str | None:
    source = document.get("source") or {}
    return f"s3://{source['bucket']}/{source['key']}" if {"bucket", "key"} <= set(source) else None


def _descriptions(executions: Executions, listed: Iterable[Listed]) -> dict[str, Described]:
    described = side_by_side(lambda one: executions.describe(one.arn), listed)
    return {one.arn: one for one in described if one is not None}
