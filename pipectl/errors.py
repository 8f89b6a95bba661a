"""Errors that end a command with a message for the user."""

from __future__ import annotations

import click

from shared.text import printable


class PipectlError(click.ClickException):
    """An error that the user can act on. Exit status 1.

    The message says what is wrong and what to do. Each of `lines` is made printable, so a line
    break in a name can't end it.
    """

    exit_code = 1

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(map(printable, lines)))


class UsageError(click.UsageError):
    """The command line is wrong. Exit status 2."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))
