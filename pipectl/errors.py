"""What the operator's command says when it can't do what was asked."""

from __future__ import annotations

import click

from shared.text import printable


class PipectlError(click.ClickException):
    """Something went wrong that a person can act on; the text says what and how. Exit status 1.

    Each of `lines` is made printable: a name in it can't end it.
    """

    exit_code = 1

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(map(printable, lines)))


class UsageError(click.UsageError):
    """The command line asks for something that can't be. Exit status 2."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))
