"""`pipectl executions`: what ran, when, and how it ended."""

from __future__ import annotations

from datetime import datetime
from itertools import islice

import click

from pipectl.client.stack import StackChoice, stack_options
from pipectl.output import echo, echo_json
from pipectl.times import SINCE, lasted, shown

_STATUSES = ("running", "succeeded", "failed", "timed_out", "aborted")


@click.command(
    epilog="Example: pipectl executions --status failed --since 2d --source 'raw/orders/*'"
)
@click.option("--status", type=click.Choice(_STATUSES), help="Only executions of this status.")
@click.option(
    "--since",
    type=SINCE,
    metavar="TIME",
    help="Only executions that have run since then: 2026-03-01, 2026-03-01T08:00Z, 90m, 2h or 3d.",
)
@click.option(
    "--source",
    metavar="GLOB",
    help="Only those whose source's key matches: 'raw/orders/*', or '*.tsv' for any folder.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Show so many at most, the latest first.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@stack_options
def command(
    *,
    choice: StackChoice,
    status: str | None,
    since: datetime | None,
    source: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List executions with the files that they are of, the latest first.

    Exit status: 0 here they are, 1 the stack can't be read, 2 the command line is wrong.
    """
    from pipectl import tables
    from pipectl.operate.overview import rows

    stack = choice.open()
    wanted = status.upper() if status else None
    found = list(islice(rows(stack, status=wanted, since=since, source=source), limit + 1))
    truncated = len(found) > limit
    found = found[:limit]
    if as_json:
        document = {"executions": [row.to_document() for row in found], "truncated": truncated}
        echo_json(document)
        return
    tables.show(
        ("STARTED (UTC)", "STATUS", "TOOK", "ATTEMPT", "ERROR", "SOURCE", "EXECUTION"),
        (
            (
                shown(row.execution.started_at),
                row.execution.status,
                lasted(row.execution.duration_ms),
                _attempt(row.attempt, row.execution.redrive_count),
                row.error or "-",
                row.key or "-",
                row.execution.name,
            )
            for row in found
        ),
        status=1,
    )
    if truncated:
        echo(f"There are more than {limit}: ask for more with --limit.", err=True)


def _attempt(attempt: int | None, redrives: int) -> str:
    text = "-" if attempt is None else str(attempt)
    return text if redrives == 0 else f"{text}, redriven {redrives}x"
