"""`pipectl smoke`: whether a deployed stack processes a file."""

from __future__ import annotations

import time

import click

from pipectl.client.stack_choice import StackChoice, changing_stack_options
from pipectl.errors import PipectlError
from pipectl.options import json_option
from pipectl.output import echo, echo_json


@click.command(epilog="Example: pipectl smoke --stack-name data-pipeline --yes")
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=180,
    show_default=True,
    metavar="SECONDS",
    help="Time to wait for the file's outcome.",
)
@click.option("--keep", is_flag=True, help="Keep the file and its outputs.")
@json_option
@changing_stack_options
def command(*, choice: StackChoice, timeout: float, keep: bool, as_json: bool) -> None:
    """Send a tiny file through the stack, check its outcome, and remove it.

    The file is in a separate dataset with a new name (smoke-...). It has one good and one bad
    record, so it tests contract, output, quarantine, summary and metadata. Subscribers are
    notified, as they are of every file.

    Exit status: 0 if the outcome is right, 1 if not, 2 on usage errors.
    """
    from pipectl.operate.smoke_test import problems_of, remove, send, wait_for

    stack = choice.open_to_change("Send a test file through the pipeline")
    started = time.monotonic()
    smoke = send(stack)
    try:
        problems = problems_of(stack, wait_for(stack, smoke, timeout))
    except PipectlError as error:
        problems = [error.message]
    seconds = time.monotonic() - started
    if not keep:
        remove(stack, smoke)
    if as_json:
        echo_json(
            {
                "succeeded": not problems,
                "file_id": smoke.file_id,
                "key": smoke.key,
                "seconds": round(seconds, 1),
                "problems": problems,
                "removed": not keep,
            }
        )
    else:
        for problem in problems:
            echo(f"Problem: {problem}")
        state = "failed" if problems else "succeeded"
        left = "kept" if keep else "removed"
        echo(f"Smoke test {state} after {seconds:.0f} seconds; {smoke.key} was {left}.")
    if problems:
        raise SystemExit(1)
