"""What the operator's command says when it can't do what was asked."""

from __future__ import annotations

import click


class PipectlError(click.ClickException):
    """Something went wrong that a person can act on; the text says what and how. Exit status 1."""

    exit_code = 1


class UsageError(click.UsageError):
    """The command line asks for something that can't be. Exit status 2."""
