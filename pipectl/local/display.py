"""The terminal output of a run: live progress, and a table at the end."""

from __future__ import annotations

import threading
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
from pipectl.client.uploads import PlannedUpload
from pipectl.local.broken_rules import BrokenRule, broken_rules
from pipectl.local.file_progress import SECONDS_OF_SILENCE
from pipectl.output import is_live, printable, rich_text

# More lines may not fit into a terminal.
SHOWN_RUNNING = 12
# A line of a log names fewer.
NAMED_RUNNING = 3
SHOWN_FILES = 15
SHOWN_DETAILS = 3
SHOWN_OUTPUTS = ("processed", "rejected", "report")
_VALUE_CHARACTERS = 60
_FIELD_WIDTH = 26


def _word(result: FileResult) -> tuple[str, str]:
    """A result in words, and its colour."""
    if not result.succeeded:
        return "failed", "red"
    if result.all_rejected:
        return "succeeded, all records rejected", "red"
    return "succeeded", "green"


@dataclass
class RunProgress:
    """The progress of a run: its phase, and the state of each running file."""

    console: Console
    total: int
    phase: str = "Starting the embedded AWS"
    running: dict[PlannedUpload, str] = field(default_factory=dict)
    done: list[FileResult] = field(default_factory=list)
    _started: float = field(default_factory=time.monotonic)
    _printed: float = field(default_factory=time.monotonic)
    _spinner: Spinner = field(default_factory=lambda: Spinner("dots"))

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the progress live in a terminal; elsewhere and in CI, print lines.

        These are a line for each file that is done, and one whenever nothing was printed for a
        while.
        """
        if is_live(self.console):
            with Live(
                console=self.console,
                get_renderable=self._render,
                refresh_per_second=8,
                transient=True,
            ):
                yield
        else:
            with self.as_lines():
                yield

    @contextmanager
    def as_lines(self) -> Iterator[None]:
        """Print how far the run is whenever nothing was printed for a while."""
        ended = threading.Event()
        speaker = threading.Thread(target=self._speak, args=(ended,), daemon=True)
        speaker.start()
        try:
            yield
        finally:
            ended.set()
            speaker.join()

    def finish(self, result: FileResult) -> None:
        """Mark a file as done."""
        self.running.pop(result.upload, None)
        self.done.append(result)
        if not is_live(self.console):
            word, _ = _word(result)
            self._print(f"{len(self.done)}/{self.total} {result.upload.path} {word}")

    def how_far(self) -> str | None:
        """The progress as a line: the phase and some of the running files with their states."""
        phase = f"{self.phase}, {time.monotonic() - self._started:.0f} s"
        if self.done:
            phase += f", {len(self.done)}/{self.total} files done"
            failed = sum(not result.succeeded for result in self.done)
            if failed:
                phase += f", {failed} failed"
        return "; ".join([phase, *self._states()])

    def _states(self) -> list[str]:
        first = list(self.running.items())[:NAMED_RUNNING]
        states = [f"{upload.path.name}: {state}" for upload, state in first]
        if len(self.running) > NAMED_RUNNING:
            states.append(f"and {len(self.running) - NAMED_RUNNING} more")
        return states

    def _speak(self, ended: threading.Event) -> None:
        while not ended.wait(max(0.0, self._silent_until() - time.monotonic())):
            if time.monotonic() < self._silent_until():
                continue  # a file has been printed meanwhile
            self._printed = time.monotonic()
            line = self.how_far()
            if line is not None:
                self._print(line)

    def _silent_until(self) -> float:
        return self._printed + SECONDS_OF_SILENCE

    def _print(self, line: str) -> None:
        self._printed = time.monotonic()
        self.console.print(printable(line), markup=False, highlight=False, soft_wrap=True)

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
class WatchedFolder(RunProgress):
    """Prints a line for each file of a watched folder, with its counts and outputs."""

    def how_far(self) -> str | None:
        """The progress as a line; None between files, when nobody waits."""
        return "; ".join([self.phase, *self._states()]) if self.running else None

    def finish(self, result: FileResult) -> None:
        """Print the outcome of a file. It is not kept: the folder may be watched for months."""
        self.running.pop(result.upload, None)
        self._printed = time.monotonic()
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
    """Print a table of the files with totals, then what was wrong and where the outputs are.

    Of many files, those without a problem are only counted, so that the end fits into a screen.
    """
    noted = [one for one in results if not one.succeeded or one.count("error_count")]
    many = len(results) > SHOWN_FILES
    shown = noted[:SHOWN_FILES] if many else results
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("File", overflow="fold")
    table.add_column("Status", no_wrap=True)
    for name in ("Records", "Processed", "Rejected", "Seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    for result in shown:
        _add_row(table, rich_text(result.upload.path), Text(*_word(result)), [result])
    if len(results) > len(shown):
        others = [one for one in results if one not in shown]
        _add_row(table, Text(f"{len(others)} more files", "dim"), _words(others), others)
    if len(results) > 1:
        table.add_section()
        _add_row(table, Text(f"{len(results)} files", "bold"), _words(results), results)
    console.print(table)
    detailed = noted[:SHOWN_DETAILS] if many else results
    for result in detailed:
        _show_details(console, result, rules=len(noted) <= SHOWN_DETAILS)
    if many:
        _show_folders(console, results)


def _add_row(table: Table, name: Text, status: Text, results: Sequence[FileResult]) -> None:
    """Add a file, or several together."""
    counts = []
    for count in ("record_count", "processed_count", "error_count"):
        known = [value for one in results if (value := one.count(count)) is not None]
        counts.append(_number(sum(known) if known else None))
    took = results[0].duration_ms() if len(results) == 1 else None
    table.add_row(name, status, *counts, _seconds(took) if len(results) == 1 else "")


def _words(results: Sequence[FileResult]) -> Text:
    """The outcome of several files together."""
    failed = sum(not one.succeeded for one in results)
    return Text(f"{failed} failed", "red") if failed else Text("succeeded", "green")


def _show_folders(console: Console, results: Sequence[FileResult]) -> None:
    """Print the folders of the outputs, instead of the paths of every file."""
    folders = {
        name: sorted({str(path.parent) for one in results if (path := one.outputs.get(name))})
        for name in SHOWN_OUTPUTS
    }
    console.print()
    for name, found in folders.items():
        for folder in found[:SHOWN_DETAILS]:
            console.print(rich_text(f"  {name:<9} {folder}"), highlight=False, soft_wrap=True)


def _show_details(console: Console, result: FileResult, *, rules: bool = True) -> None:
    """Print a file's error, what was wrong, and its outputs.

    Paths are not wrapped, so that they can be copied.
    """
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
    if rules:
        _show_rules(console, result)
    for name in SHOWN_OUTPUTS:
        path = result.outputs.get(name)
        if path is not None:
            console.print(rich_text(f"  {name:<9} {path}"), highlight=False, soft_wrap=True)


def _show_rules(console: Console, result: FileResult) -> None:
    """Print the rules that records break, one a line: how many do, and one example of each."""
    rules, more = broken_rules(result.outputs)
    rows = [(Text("FIELD"), Text("RULE"), Text("RECORDS"), Text("FOR EXAMPLE"))]
    rows += [
        (rich_text(rule.fields), rich_text(rule.rule), Text(_number(rule.failed)), _example(rule))
        for rule in rules
    ]
    widths = [max(text.cell_len for text in column) for column in zip(*rows, strict=True)]
    widths[0] = min(widths[0], _FIELD_WIDTH)
    for number, (field_name, rule_name, count, example) in enumerate(rows if rules else []):
        field_name.truncate(widths[0], overflow="ellipsis", pad=True)
        rule_name.truncate(widths[1], pad=True)
        count.align("right", widths[2])
        line = Text("  ").join([Text(), field_name, rule_name, count, example])
        line.truncate(console.width, overflow="ellipsis")
        console.print(Text(line.plain, "dim") if not number else line, highlight=False)
    if more:
        console.print(Text(f"  and {more} more rules: see the report", "dim"), highlight=False)


def _example(rule: BrokenRule) -> Text:
    """The first record that breaks the rule: its row, and the cell or what is wrong with it."""
    if rule.row is None:
        return Text("-")
    what = rich_text(rule.expected or "")
    if rule.value is not None:
        what = rich_text(repr(rule.value[:_VALUE_CHARACTERS]), "yellow")
    return Text.assemble(f"row {rule.row}: ", what)


def _cut(text: Text) -> Text:
    """The text, shortened with an ellipsis if it doesn't fit."""
    text.overflow = "ellipsis"
    return text


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _seconds(milliseconds: int | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds / 1000:.1f}"
