"""The files of a stack with their last executions, kept in memory and brought up to date.

An execution is read again when its status or its number of redrives has changed. So a page that
lists ten thousand files takes a call or two.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from pipectl.client.metadata_items import MetadataItems
from pipectl.client.side_by_side import side_by_side
from pipectl.client.step_functions import Executions, ListedExecution
from pipectl.operate.list_executions import ExecutionRow, read_rows

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack

MOST = 20_000
"""Executions kept, the newest; they take about 20 MB."""
_PAGE = 1000
# A quick refresh ends after this number of known executions in a row: as many as one call reads.
_ENOUGH_KNOWN = 100
# Redrives that began and ended between two quick refreshes are found by a complete one.
_COMPLETE_EVERY_SECONDS = 60.0
_FRESH_SECONDS = 1.0


class ExecutionIndex:
    """The newest executions of a stack. Safe to use from many threads."""

    def __init__(self, stack: Stack, *, most: int = MOST, patience: float = 0.2) -> None:
        """A request waits for at most `patience` seconds for the refresh that it needs."""
        self._executions = Executions(stack)
        self._items = MetadataItems(stack)
        self._most = most
        self._patience = patience
        self._rows: dict[str, ExecutionRow] = {}
        self._sorted: Sequence[ExecutionRow] = ()
        self._files: Sequence[ExecutionRow] = ()
        self._version = 0
        self._looking = threading.Lock()
        self._changing = threading.Lock()
        self._seen_running: set[str] = set()
        self._looked_at = float("-inf")
        self._complete_at = float("-inf")
        self.truncated = False
        self.problem: Exception | None = None

    @property
    def complete(self) -> bool:
        """Whether all executions have been read once."""
        return self._complete_at > float("-inf")

    @property
    def version(self) -> int:
        """A number that grows with every change."""
        return self._version

    def files(self) -> Sequence[ExecutionRow]:
        """The last execution of each file, newest first. Reads the stack if that is due.

        Raises the error of reading it if nothing could be read yet.
        """
        if time.monotonic() - self._looked_at > _FRESH_SECONDS:
            thread = threading.Thread(target=self._look_quietly, daemon=True)
            thread.start()
            thread.join(self._patience)
        if self.problem is not None and not self._rows:
            raise self.problem
        return self._files

    def known_files(self) -> Sequence[ExecutionRow]:
        """The same from memory, without reading the stack."""
        return self._files

    def executions(self) -> Sequence[ExecutionRow]:
        """All executions that `files` has read, newest first."""
        return self._sorted

    def outdate(self) -> None:
        """Make the next reader read the stack again, after a change."""
        self._looked_at = float("-inf")

    def look(self) -> set[str]:
        """Bring the index up to date; returns the names of the executions that have changed."""
        with self._looking:
            complete = time.monotonic() - self._complete_at > _COMPLETE_EVERY_SECONDS
            changed: set[str] = set()
            for page in self._pages(complete=complete):
                new = [one for one in page if self._differs(one)]
                changed |= self._read(new)
            gone = self._running_before() - self._seen_running
            listed = side_by_side(self._executions.describe, gone)
            changed |= self._read([one for one in listed if one and self._differs(one)])
            if complete:
                self._complete_at = time.monotonic()
            self._looked_at = time.monotonic()
            return changed

    def _look_quietly(self) -> None:
        if not self._looking.acquire(blocking=False):
            # Another thread is reading. Its result is used.
            with self._looking:
                return
        self._looking.release()
        try:
            self.look()
            self.problem = None
        except Exception as error:  # noqa: BLE001  # shown in the page
            self.problem = error

    def _pages(self, *, complete: bool) -> Iterator[list[ListedExecution]]:
        """The executions to compare: the running ones and the newest, or all."""
        running = list(self._executions.listed(status="RUNNING", at_once=_PAGE))
        self._seen_running = {one.arn for one in running}
        yield running
        size = _PAGE if complete else _ENOUGH_KNOWN
        listed = islice(self._executions.listed(at_once=size), self._most + 1)
        count = 0
        while page := list(islice(listed, size)):
            count += len(page)
            known = not any(map(self._differs, page))
            yield page
            if known and not complete:
                return
        self.truncated = count > self._most

    def _running_before(self) -> set[str]:
        return {row.execution.arn for row in self._sorted if row.execution.running}

    def _differs(self, listed: ListedExecution) -> bool:
        row = self._rows.get(listed.arn)
        return row is None or (row.execution.status, row.execution.redrive_count) != (
            listed.status,
            listed.redrive_count,
        )

    def _read(self, listed: Sequence[ListedExecution]) -> set[str]:
        if not listed:
            return set()
        rows = list(read_rows(self._executions, self._items, listed))
        with self._changing:
            self._rows |= {row.execution.arn: row for row in rows}
            newest = sorted(self._rows.values(), key=_started, reverse=True)[: self._most]
            self._rows = {row.execution.arn: row for row in newest}
            self._sorted = newest
            self._files = _last_of_each(newest)
            self._version += 1
        return {row.execution.name for row in rows}


def _started(row: ExecutionRow) -> float:
    execution = row.execution
    return (execution.redriven_at or execution.started_at).timestamp()


def _last_of_each(rows: Iterable[ExecutionRow]) -> list[ExecutionRow]:
    """The first row of each file; an execution without a file has its own row."""
    found: dict[str, ExecutionRow] = {}
    for row in rows:
        found.setdefault(row.file_id or row.execution.arn, row)
    return list(found.values())


def group_of(row: ExecutionRow) -> str:
    """The count that a file belongs to."""
    if row.superseded:
        return "superseded"
    if row.execution.status == "succeeded":
        return "rejects" if row.error_count else "clean"
    return "running" if row.execution.running else "failed"
