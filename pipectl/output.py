"""Prints to the terminal, with every invisible character made visible.

Everything that `pipectl` writes to a terminal goes through this module or `pipectl.tables`. A value
is made printable before it becomes part of a line, so a line break in it can't end the line.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from shared.text import exact_json, printable, visible_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.style import StyleType
    from rich.text import Text

__all__ = [
    "accept_any_text",
    "counted",
    "echo",
    "echo_json",
    "echo_json_text",
    "is_live",
    "printable",
    "rich_text",
    "shortened",
]


def accept_any_text() -> None:
    """Print characters that the terminal's encoding lacks as escapes, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def echo(line: str, *, err: bool = False) -> None:
    """Print one line to standard output, or to standard error."""
    click.echo(printable(line), err=err)


def echo_json(document: Any) -> None:
    """Print one indented JSON document that is valid in any encoding."""
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    click.echo(exact_json(document, indent=2, ascii_only=not encoding.startswith("utf")))


def echo_json_text(text: str) -> None:
    """Print a JSON text unchanged, except for line ends and invisible characters."""
    for line in visible_json(text).rstrip("\n").split("\n"):
        click.echo(line)


def counted(number: int, one: str, several: str) -> str:
    """A number with what it counts: `1 file`, `2 files`."""
    return f"{number:,} {one if number == 1 else several}"


def shortened(text: str, most: int) -> str:
    """At most `most` characters of a text; one that is cut ends with an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def is_live(console: Console) -> bool:
    """Whether a display can be redrawn: in a terminal, but not in the log of a CI job."""
    return console.is_terminal and not os.environ.get("CI")


def rich_text(value: object, style: StyleType = "") -> Text:
    """A value for a table or a line of rich, as text and never as markup."""
    from rich.text import Text

    return Text(printable(value), style)
