"""Shows executions while they run: the list, kept up to date, or the states of one as they end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipectl.output import echo, is_live
from pipectl.times import format_duration

if TYPE_CHECKING:
    from pipectl.client.history import Run, Visit

SECONDS = 2.0
"""Seconds between two polls: an execution takes a few, and Step Functions limits the calls."""

Row = Sequence[str]


@contextmanager
def until_interrupted() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets, instead of interrupting what is being done."""
    ended = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: ended.set())
    try:
        yield ended
    finally:
        signal.signal(signal.SIGINT, before)


def watch_table(
    header: Row,
    read: Callable[[], list[Row]],
    ended: threading.Event,
    *,
    status: int,
    key: int,
    seconds: float = SECONDS,
) -> None:
    """Show a table until `ended` is set, and read its rows again every few seconds.

    In a terminal the table is drawn in place. Elsewhere a row is printed when it is new or its
    status has changed; `status` and `key` are the numbers of these columns.
    """
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from pipectl import tables

    console = Console()
    if not is_live(console):
        seen: dict[str, str] = {}
        while True:
            for row in reversed(read()):
                if seen.get(row[key]) != row[status]:
                    seen[row[key]] = row[status]
                    tables.emit(tables.lines(header, [row], status=status)[1])
            if ended.wait(seconds):
                return
    with Live(console=console, auto_refresh=False) as live:
        while True:
            room = max(1, console.height - 2)
            lines = tables.lines(header, read(), status=status)[:room]
            texts = [Text.from_ansi(line) for line in lines]
            for text in texts:
                text.truncate(console.width, overflow="ellipsis")
            live.update(Text("\n").join(texts), refresh=True)
            if ended.wait(seconds):
                return


def follow_states(
    read: Callable[[], Run], ended: threading.Event, *, seconds: float = SECONDS
) -> None:
    """Print each state of an execution when it ends, until the execution or `ended` does."""
    from pipectl import tables

    printed = 0
    current = ""
    while True:
        run = read()
        finished = run.status != "running"
        for visit in run.visits[printed:]:
            if visit.exited_at is None and not finished:
                break
            tables.emit(_line(visit, run))
            printed += 1
        if finished:
            return
        waiting = run.visits[-1].name if run.visits else ""
        if waiting != current and len(run.visits) > printed:
            echo(f"  \u2026 in {waiting}")
            current = waiting
        if ended.wait(seconds):
            return


def _line(visit: Visit, run: Run) -> str:
    from pipectl import tables

    end = visit.exited_at or run.ended_at or visit.entered_at
    return tables.status_line(
        visit.name,
        visit.status(run.status),
        format_duration(visit.duration_ms(end)),
        f"{visit.attempts} tries" if visit.attempts > 1 else "",
        visit.failure.code if visit.failure else "",
    )
