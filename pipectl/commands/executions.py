"""`pipectl executions`: list executions and their files."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

import click

from pipectl.client.stack_choice import StackChoice, stack_options
from pipectl.errors import UsageError
from pipectl.options import json_option
from pipectl.output import echo, echo_json
from pipectl.times import SINCE, format_duration, format_time

if TYPE_CHECKING:
    from pipectl.operate.list_executions import ExecutionRow

_STATUSES = ("running", "succeeded", "failed", "timed_out", "aborted")


@click.command(
    epilog="Example: pipectl executions --status failed --since 2d --source 'raw/orders/*'"
)
@click.option("--status", type=click.Choice(_STATUSES), help="Only executions with this status.")
@click.option(
    "--since",
    type=SINCE,
    metavar="TIME",
    help="Only executions that ran since then: 2026-03-01, 2026-03-01T08:00Z, 90m, 2h or 3d.",
)
@click.option(
    "--source",
    metavar="GLOB",
    help="Only files whose source key matches: 'raw/orders/*', or '*.tsv' in any folder.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Maximum number of executions, newest first.",
)
@click.option(
    "--watch",
    is_flag=True,
    help="Keep the list up to date until Ctrl-C. Without a terminal, print what changes.",
)
@json_option
@stack_options
def command(
    *,
    choice: StackChoice,
    status: str | None,
    since: datetime | None,
    source: str | None,
    limit: int,
    watch: bool,
    as_json: bool,
) -> None:
    """List executions and their files, newest first.

    Exit status: 0 on success, 1 if the stack can't be read, 2 on usage errors.
    """
    from pipectl import tables
    from pipectl.commands.following import until_interrupted, watch_table
    from pipectl.operate.list_executions import list_executions

    if watch and as_json:
        raise UsageError("--watch can't be used together with --json.")
    stack = choice.open()
    wanted = status.upper() if status else None
    if watch:
        with until_interrupted() as ended:
            watch_table(
                _HEADER,
                lambda: [
                    _cells(row)
                    for row in islice(
                        list_executions(stack, status=wanted, since=since, source=source), limit
                    )
                ],
                ended,
                status=1,
                key=-1,
            )
        return
    rows = list_executions(stack, status=wanted, since=since, source=source)
    found = list(islice(rows, limit + 1))
    truncated = len(found) > limit
    found = found[:limit]
    if as_json:
        document = {"executions": [row.to_document() for row in found], "truncated": truncated}
        echo_json(document)
        return
    tables.show(_HEADER, map(_cells, found), status=1)
    if truncated:
        echo(f"There are more than {limit} executions. Raise --limit to see them.", err=True)


_HEADER = ("STARTED (UTC)", "STATUS", "TOOK", "ATTEMPT", "ERROR", "SOURCE", "EXECUTION")


def _cells(row: ExecutionRow) -> tuple[str, ...]:
    from pipectl import tables

    return (
        format_time(row.execution.started_at),
        row.execution.status,
        format_duration(row.execution.duration_ms),
        tables.attempts(row.attempt, row.execution.redrive_count),
        row.error or "-",
        row.key or "-",
        row.execution.name,
    )
