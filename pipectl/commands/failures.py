"""`pipectl failures`: list the files that failed, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from pipectl.client.stack_choice import StackChoice, stack_options
from pipectl.options import json_option
from pipectl.output import echo, echo_json
from pipectl.times import SINCE, format_age

if TYPE_CHECKING:
    from pipectl.client.dead_letter_queue import DeadLetter
    from pipectl.operate.failed_files import FailedFile


@click.command(epilog="Example: pipectl failures --error TooManyRejects --since 7d")
@click.option(
    "--error", metavar="NAME", help="Only files that failed with this error, such as EmptyFile."
)
@click.option("--since", type=SINCE, metavar="TIME", help="Only failures since then.")
@click.option("--source", metavar="GLOB", help="Only files whose source key matches.")
@click.option("--dataset", help="Only files of this dataset.")
@json_option
@stack_options
def command(
    *,
    choice: StackChoice,
    error: str | None,
    since: datetime | None,
    source: str | None,
    dataset: str | None,
    as_json: bool,
) -> None:
    """List failed files, one per line: error, state, since when, and how to rerun them.

    Sources are the metadata table, executions that could not be recorded there, and the dead-letter
    queue. Reading the queue leaves its messages in place.

    Exit status: 0 on success, even if no file has failed, 1 if the stack can't be read, 2 on usage
    errors.
    """
    from pipectl.operate.failed_files import FailureFilter
    from pipectl.operate.find_failures import find_failures

    found = find_failures(choice.open(), FailureFilter(error, since, source, dataset))
    if as_json:
        document = {
            "failures": [failure.to_document() for failure in found.failures],
            "failed_invocations": [_invocation(one) for one in found.invocations],
            "unknown_messages": [_message(one) for one in found.unknown],
        }
        echo_json(document)
        return
    _show(found.failures)
    for dead_letter in found.invocations:
        if dead_letter.invocation is not None:
            failed = dead_letter.invocation
            echo(
                f"Dead letter {dead_letter.message_id}: {failed.function} failed with"
                f" {failed.code}: {failed.message} ({failed.about})"
            )
    for dead_letter in found.unknown:
        echo(f"Dead letter {dead_letter.message_id} about no known file: {dead_letter.body[:80]}")


def _show(failures: list[FailedFile]) -> None:
    from pipectl import tables

    if not failures:
        echo("No failed files.", err=True)
        return
    now = datetime.now(UTC)
    tables.show(
        ("FILE", "SINCE", "ATTEMPTS", "RERUN WITH", "SOURCE", "ERROR", "MESSAGE"),
        (
            (
                failure.file_id,
                format_age(failure.failing_since, now),
                tables.attempts(failure.attempts, failure.redrives),
                _rerun_with(failure),
                failure.source.key,
                f"{failure.code} in {failure.state}" if failure.state else failure.code,
                failure.message,
            )
            for failure in failures
        ),
    )


def _rerun_with(failure: FailedFile) -> str:
    if failure.running is not None:
        return "running"
    if failure.resolved_by is not None:
        return f"(a later {failure.resolved_by.how} succeeded)"
    if failure.remedy == "upload":
        return "upload again"
    return "redrive" if failure.redrivable else "new attempt"


def _invocation(dead_letter: DeadLetter) -> dict[str, object]:
    failed = dead_letter.invocation
    return {
        "message_id": dead_letter.message_id,
        "sent_at": dead_letter.sent_at.isoformat(),
        "function": failed and failed.function,
        "error": failed and {"code": failed.code, "message": failed.message},
        "about": failed and failed.about,
    }


def _message(dead_letter: DeadLetter) -> dict[str, object]:
    return {
        "message_id": dead_letter.message_id,
        "sent_at": dead_letter.sent_at.isoformat(),
        "body": dead_letter.body,
    }
