"""Prints the results of `pipectl check` for people: the errors of each file, and a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipectl.output import rich_text, shortened

if TYPE_CHECKING:
    from rich.console import Console

    from pipectl.local.verdicts import Verdict

_SHOWN_CHARACTERS = 60


def show(verdicts: Sequence[Verdict], accepted: Sequence[bool]) -> None:
    """Print the errors of each file, then one row per file, then errors of whole files."""
    from rich.console import Console

    console = Console()
    for verdict in verdicts:
        if verdict.errors:
            _show_errors(console, verdict)
    _show_summary(console, verdicts, accepted)


def _show_errors(console: Console, verdict: Verdict) -> None:
    from rich.table import Table

    table = Table(title=rich_text(verdict.source), title_justify="left", title_style="bold")
    for name in ("row", "line", "byte"):
        table.add_column(name, justify="right")
    for name in ("field", "code", "message", "value"):
        table.add_column(name, overflow="fold")
    for error in verdict.errors:
        value = error["value"]
        shown = "" if value is None else shortened(repr(value), _SHOWN_CHARACTERS)
        table.add_row(
            str(error["row"]),
            str(error["line"]),
            str(error["byte_offset"]),
            rich_text(error["field"] or ""),
            rich_text(error["code"]),
            rich_text(error["message"]),
            rich_text(shown),
        )
    console.print(table)
    if verdict.errors_truncated:
        console.print(f"Only the first {len(verdict.errors)} errors are shown: see --limit.")
    console.print()


def _show_summary(console: Console, verdicts: Sequence[Verdict], accepted: Sequence[bool]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    table.add_column("file", overflow="fold")
    table.add_column("verdict")
    for name in ("records", "processed", "rejected"):
        table.add_column(name, justify="right")
    for verdict, is_accepted in zip(verdicts, accepted, strict=True):
        word = "[red]invalid[/]"
        if is_accepted:
            word = "[green]valid[/]" if verdict.valid else "[yellow]accepted[/]"
        table.add_row(
            rich_text(verdict.source),
            word,
            str(verdict.record_count),
            str(verdict.processed_count),
            str(verdict.error_count),
        )
    console.print(table)
    for verdict in verdicts:
        for note in verdict.notes:
            console.print(
                Text.assemble(rich_text(verdict.source, "bold"), ": ", rich_text(note)),
                soft_wrap=True,
            )
        if verdict.file_error:
            code, message = verdict.file_error["code"], verdict.file_error["message"]
            console.print()
            console.print(
                Text.assemble(
                    *(rich_text(verdict.source, "bold"), ": "),
                    *(rich_text(code, "red"), ". ", rich_text(message)),
                )
            )
