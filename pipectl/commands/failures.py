"""`pipectl failures`: which files have failed, why, and what has become of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from pipectl.client.stack import StackChoice, stack_options
from pipectl.output import echo, echo_json
from pipectl.times import SINCE, ago

if TYPE_CHECKING:
    from pipectl.client.dead_letters import Letter
    from pipectl.operate.failures import FailedFile


@click.command(epilog="Example: pipectl failures --error TooManyRejects --since 7d")
@click.option("--error", metavar="NAME", help="Only failures of this name, such as EmptyFile.")
@click.option("--since", type=SINCE, metavar="TIME", help="Only those that failed since then.")
@click.option("--source", metavar="GLOB", help="Only those whose source's key matches.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@stack_options
def command(
    *,
    choice: StackChoice,
    error: str | None,
    since: datetime | None,
    source: str | None,
    as_json: bool,
) -> None:
    """List failed files, one a line: why, where, since when, and how to run them again.

    They are gathered from the metadata table, from executions that could not be recorded there, and
    from the dead-letter queue, whose messages stay in it.

    Exit status: 0 here they are, also where there are none, 1 the stack can't be read, 2 the
    command line is wrong.
    """
    from pipectl.operate.failures import Selection
    from pipectl.operate.find_failures import survey

    found = survey(choice.open(), Selection(error, since, source))
    if as_json:
        document = {
            "failures": [failure.to_document() for failure in found.failures],
            "failed_invocations": [_invocation(letter) for letter in found.invocations],
            "unknown_messages": [_message(letter) for letter in found.unknown],
        }
        echo_json(document)
        return
    _show(found.failures)
    for letter in found.invocations:
        if letter.invocation is not None:
            failed = letter.invocation
            echo(
                f"In the dead-letter queue, not handled by {failed.function}: {letter.message_id} "
                f"{failed.code}: {failed.message} ({failed.about})"
            )
    for letter in found.unknown:
        echo(f"In the dead-letter queue, of no file: {letter.message_id} {letter.body[:80]}")


def _show(failures: list[FailedFile]) -> None:
    from pipectl import tables

    if not failures:
        echo("No failed files.", err=True)
        return
    now = datetime.now(UTC)
    tables.show(
        ("FILE", "SINCE", "TRIED", "AGAIN BY", "SOURCE", "ERROR", "WHY"),
        (
            (
                failure.file_id,
                ago(failure.failing_since, now),
                f"{failure.attempts + failure.redrives}x",
                _again_by(failure),
                failure.source_key,
                f"{failure.code} in {failure.state}" if failure.state else failure.code,
                failure.message,
            )
            for failure in failures
        ),
    )


def _again_by(failure: FailedFile) -> str:
    if failure.running is not None:
        return "running"
    if failure.resolved_by is not None:
        return f"(a later {failure.resolved_by.how} succeeded)"
    if failure.remedy == "upload":
        return "upload again"
    return "redrive" if failure.redrivable else "new attempt"


def _invocation(letter: Letter) -> dict[str, object]:
    failed = letter.invocation
    return {
        "message_id": letter.message_id,
        "sent_at": letter.sent_at.isoformat(),
        "function": failed and failed.function,
        "error": failed and {"code": failed.code, "message": failed.message},
        "about": failed and failed.about,
    }


def _message(letter: Letter) -> dict[str, object]:
    return {
        "message_id": letter.message_id,
        "sent_at": letter.sent_at.isoformat(),
        "body": letter.body,
    }
