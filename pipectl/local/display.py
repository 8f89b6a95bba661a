"""The terminal output of a run: live progress, and a table at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from pipectl.client.file_results import FileResult
from pipectl.client.uploads import Upload
from pipectl.output import printable, rich_text

# More lines may not fit into a terminal.
SHOWN_RUNNING = 12


def _word(result: FileResult) -> tuple[str, str]:
    """A result in words, and its colour."""
    if not result.succeeded:
        return "failed", "red"
    if result.all_rejected:
        return "succeeded, all records rejected", "red"
    return "succeeded", "green"


@dataclass
class Progress:
    """The progress of a run: its phase, and the state of each running file."""

    console: Console
    total: int
    phase: str = "Starting the embedded AWS"
    running: dict[Upload, str] = field(default_factory=dict)
    done: list[FileResult] = field(default_factory=list)
    _started: float = field(default_factory=time.monotonic)
    _spinner: Spinner = field(default_factory=lambda: Spinner("dots"))

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the progress live in a terminal; elsewhere, print each file that is done."""
        if not self.console.is_terminal:
            yield
            return
        with Live(
            console=self.console,
            get_renderable=self._render,
            refresh_per_second=8,
            transient=True,
        ):
            yield

    def finish(self, result: FileResult) -> None:
        """Mark a file as done."""
        self.running.pop(result.upload, None)
        self.done.append(result)
        if not self.console.is_terminal:
            word, _ = _word(result)
            self.console.print(
                printable(f"{len(self.done)}/{self.total} {result.upload.path} {word}"),
                markup=False,
                highlight=False,
                soft_wrap=True,
            )

    def _render(self) -> Group:
        failed = sum(not result.succeeded for result in self.done)
        headline = f"{self.phase}  {len(self.done)}/{self.total} files"
        if failed:
            headline += f", {failed} failed"
        headline += f"  {time.monotonic() - self._started:.0f} s"
        rows = Table.grid(padding=(0, 2))
        for upload, state in list(self.running.items())[:SHOWN_RUNNING]:
            rows.add_row("  ", _cut(rich_text(upload.path.name)), rich_text(state, "cyan"))
        if len(self.running) > SHOWN_RUNNING:
            rows.add_row("  ", Text(f"and {len(self.running) - SHOWN_RUNNING} more", "dim"))
        self._spinner.update(text=headline)
        return Group(self._spinner, rows)


@dataclass
class WatchedFolder(Progress):
    """Prints a line for each file of a watched folder, with its counts and outputs."""

    def finish(self, result: FileResult) -> None:
        """Print what became of a file."""
        self.running.pop(result.upload, None)
        self.done.append(result)
        word, colour = _word(result)
        line = Text.assemble(
            time.strftime("%H:%M:%S "), rich_text(result.upload.path), " ", (word, colour)
        )
        records = result.count("record_count")
        if records is not None:
            processed, rejected = result.count("processed_count"), result.count("error_count")
            line.append(f", {records} records, {processed} processed, {rejected} rejected")
        if result.failure is not None:
            line.append_text(rich_text(f": {result.failure.code}. {result.failure.message}"))
        self.console.print(line, highlight=False, soft_wrap=True)
        for name, path in result.outputs.items():
            if path is not None:
                self.console.print(
                    rich_text(f"  {name:<9} {path}"), highlight=False, soft_wrap=True
                )


def show_table(console: Console, results: Sequence[FileResult]) -> None:
    """Print a table of all files, then the errors and the paths of the outputs."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("File", overflow="fold")
    table.add_column("Status", no_wrap=True)
    for name in ("Records", "Processed", "Rejected", "Seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    for result in results:
        table.add_row(
            rich_text(result.upload.path),
            Text(*_word(result)),
            _number(result.count("record_count")),
            _number(result.count("processed_count")),
            _number(result.count("error_count")),
            _seconds(result.duration_ms()),
        )
    console.print(table)
    for result in results:
        _show_details(console, result)


def _show_details(console: Console, result: FileResult) -> None:
    """Print a file's error and outputs; paths are not wrapped, so that they can be copied."""
    console.print()
    console.print(rich_text(result.upload.path.name, "bold"), highlight=False, soft_wrap=True)
    failure = result.failure
    if failure is not None:
        where = f" in {failure.state}" if failure.state else ""
        console.print(
            Text.assemble(
                "  ", rich_text(failure.code, "red"), rich_text(f"{where}: {failure.message}")
            ),
            highlight=False,
            soft_wrap=True,
        )
    for name, path in result.outputs.items():
        if path is not None:
            console.print(rich_text(f"  {name:<9} {path}"), highlight=False, soft_wrap=True)


def _cut(text: Text) -> Text:
    """The text, shortened with an ellipsis if it doesn't fit."""
    text.overflow = "ellipsis"
    return text


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _seconds(milliseconds: int | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds / 1000:.1f}"
