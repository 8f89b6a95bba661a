"""Tables with one line per row, so that they can be filtered with `grep` and `cut`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click

from pipectl.output import printable
from pipectl.views.status import status_of, terminal_colour


def show(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, status: int | None = None
) -> None:
    """Print rows under a header; each column is as wide as its longest cell.

    `status` is the index of the column that is coloured in a terminal.
    """
    for line in lines(header, rows, status=status):
        click.echo(line)


def lines(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, status: int | None = None
) -> list[str]:
    """The lines that `show` prints, with the codes of colours."""
    table = [list(header), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    written = []
    for number, row in enumerate(table):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        # No trailing spaces after the last column.
        cells[-1] = row[-1]
        if number and status is not None:
            colour = terminal_colour(row[status])
            cells[status] = click.style(cells[status], fg=colour) if colour else cells[status]
        written.append("  ".join(cells))
    return written


def status_line(name: str, status: str, *more: str) -> str:
    """A state with its status as a shape and a coloured word, and what else is known of it."""
    shown = status_of(status)
    colour = terminal_colour(status)
    word = f"{shown.shape} {shown.word}"
    parts = [f"{printable(name):<22}", click.style(word, fg=colour) if colour else word]
    return "  ".join([*parts, *(printable(part) for part in more if part)])


def emit(made: str) -> None:
    """Print a line that `lines` or `status_line` made; its cells are printable already."""
    click.echo(made)


def line(name: str, text: str, *, status: str = "", after: str = "") -> None:
    """Print a named value, followed by a coloured status."""
    colour = terminal_colour(status)
    coloured = click.style(status, fg=colour) if colour else printable(status)
    parts = (printable(text), coloured, printable(after))
    click.echo(f"{name:<13} {'  '.join(part for part in parts if part)}")


def number(count: int | None) -> str:
    """A count in a table: `12,345`, or `-` for None."""
    return "-" if count is None else f"{count:,}"


def attempts(count: int | None, redrives: int) -> str:
    """Attempts and redrives in a table: `2`, or `1, redriven 3x`."""
    text = number(count)
    return text if redrives == 0 else f"{text}, redriven {redrives}x"
