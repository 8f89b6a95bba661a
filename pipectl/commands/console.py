"""`pipectl console`: show a stack in the browser."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from pipectl.client.stack_choice import (
    DEFAULT_STACK_NAME,
    OUTPUTS_READ,
    StackChoice,
    stack_options,
)
from pipectl.console.server import DEFAULT_PORT, serve_console
from pipectl.options import port_option
from pipectl.output import echo
from pipectl.signals import ending_signals

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack
    from pipectl.console.state import Console


@click.command(epilog="Example: pipectl console --stack-name data-pipeline --open")
@port_option("--port", DEFAULT_PORT, "console")
@click.option(
    "--allow-writes",
    is_flag=True,
    help="Allow uploads, reruns, replays and new contracts on AWS. The stack of `pipectl up` always"
    " allows them.",
)
@click.option("--open", "open_page", is_flag=True, help="Open the console in a browser.")
@stack_options
def command(*, choice: StackChoice, port: int, allow_writes: bool, open_page: bool) -> None:
    """Show a stack in the browser until Ctrl-C: files, failures, datasets and notifications.

    Only this machine can open the console, with the address that is printed. On AWS it is read-only
    unless you pass --allow-writes. Nothing is read while no page is open.

    Exit status: 0 after Ctrl-C, 1 if the stack can't be read or the port is taken, 2 on usage
    errors.
    """
    stack = choice.open()
    # So a stack that can't be read ends the command instead of every page.
    for name in OUTPUTS_READ:
        stack.output(name)
    allowed = allow_writes or stack.emulated
    ending = ending_signals()
    problems: list[Exception] = []

    def failed(error: Exception) -> None:
        problems.append(error)
        ending.set()

    make = partial(_console, stack, choice, allow_writes=allowed)
    with serve_console(make, port, failed=failed) as address:
        echo(f"Console  {address}")
        if not allowed:
            echo("It is read-only. Pass --allow-writes to change the stack.", err=True)
        if open_page:
            click.launch(address)
        ending.wait()
    if problems:
        raise problems[0]
    echo("Stopped.", err=True)


def _console(stack: Stack, choice: StackChoice, *, allow_writes: bool) -> Console:
    """The console of a chosen stack."""
    from pipectl.console.commands import Commands
    from pipectl.console.state import Console

    return Console(
        stack,
        allow_writes=allow_writes,
        commands=Commands(_options(stack, choice)),
        changes=stack.controls,
        messages=stack.controls.notifications if stack.controls else None,
    )


def _options(stack: Stack, choice: StackChoice) -> tuple[str, ...]:
    """The options with which other commands find the same stack."""
    if stack.emulated:
        # The default after `pipectl up`.
        return ("--state-file", str(choice.state_file)) if choice.state_file else ()
    options: tuple[str, ...] = ("--aws",)
    if stack.deployment.stack_name != DEFAULT_STACK_NAME:
        options = ("--stack-name", stack.deployment.stack_name)
    options += ("--profile", choice.profile) if choice.profile else ()
    return options + (("--region", choice.region) if choice.region else ())
