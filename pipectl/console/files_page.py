"""Files: all uploads, newest first, with the state of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from pipectl.console.figures import share_text
from pipectl.console.index import group_of
from pipectl.console.pages import PER_PAGE, page, page_number
from pipectl.operate.list_executions import ExecutionRow
from pipectl.times import parse_since

if TYPE_CHECKING:
    from pipectl.console.state import Console

GROUPS = {
    "running": "Running",
    "failed": "Failed",
    "rejects": "With rejects",
    "clean": "Clean",
    "superseded": "Superseded",
}


@dataclass(frozen=True)
class FileFilter:
    """The filter in the page's address."""

    group: str = ""
    dataset: str = ""
    text: str = ""
    since: str = ""

    @classmethod
    def read(cls, request: Request) -> FileFilter:
        """The filter in the address; an unknown status selects everything."""
        given = request.query_params
        group = given.get("status", "")
        return cls(
            group if group in GROUPS else "",
            given.get("dataset", "")[:200],
            given.get("q", "")[:200],
            given.get("since", "")[:40],
        )

    def since_time(self) -> datetime | None:
        """The time that `since` means; None without it. Raises ValueError if it can't be read."""
        return parse_since(self.since, datetime.now(UTC)) if self.since else None

    def select(self, rows: Iterable[ExecutionRow], since: datetime | None) -> list[ExecutionRow]:
        """The rows that match, in any group, of those that have run since a time."""
        text = self.text.casefold()
        return [
            row
            for row in rows
            if (not self.dataset or row.dataset == self.dataset)
            and (since is None or row.execution.started_at >= since)
            and (text in row.key.casefold() or text in row.execution.name)
        ]

    def query(self) -> dict[str, str]:
        """The filter as it is written in an address."""
        return {
            "status": self.group,
            "dataset": self.dataset,
            "q": self.text,
            "since": self.since,
        }


@dataclass(frozen=True)
class Shown:
    """A row of the list."""

    row: ExecutionRow
    step: str | None

    @property
    def id(self) -> str:
        """The id in the address of the file's page."""
        return self.row.file_id or self.row.execution.name

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.row.key.rpartition("/")[2] or self.row.key or self.row.execution.name

    @property
    def folder(self) -> str:
        """The key without the last part."""
        return self.row.key.rpartition("/")[0]

    @property
    def share(self) -> str | None:
        """The share of records that were rejected."""
        if self.row.record_count is None:
            return None
        return share_text(self.row.error_count or 0, self.row.record_count)

    @property
    def percent(self) -> float:
        """The same as a number."""
        return (self.row.error_count or 0) / (self.row.record_count or 1) * 100


def show(request: Request) -> Response:
    """The page, or its changed parts; both have the same address."""
    console: Console = request.app.state.console
    chosen = FileFilter.read(request)
    files = console.index.files()
    since, problem = None, None
    try:
        since = chosen.since_time()
    except ValueError as error:
        problem = str(error)
    selected = chosen.select(files, since)
    counts = Counter(map(group_of, selected))
    rows = [row for row in selected if not chosen.group or group_of(row) == chosen.group]
    number, pages = page_number(request, len(rows))
    part = rows[(number - 1) * PER_PAGE : number * PER_PAGE]
    steps = console.steps.read(part)
    return page(
        request,
        "files.html",
        screen="files",
        chosen=chosen,
        problem=problem,
        query=chosen.query(),
        counts=counts,
        total=len(selected),
        groups=GROUPS,
        rows=[Shown(row, steps.get(row.execution.arn)) for row in part],
        found=len(rows),
        number=number,
        pages=pages,
        datasets=sorted({row.dataset for row in files if row.dataset}),
        any_files=bool(files),
    )
