"""`pipectl backfill`: run objects in the bucket that have no successful run."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from pipectl.client.stack_choice import StackChoice, changing_stack_options
from pipectl.options import json_option
from pipectl.output import echo, echo_json
from pipectl.times import SINCE, format_time
from shared.keys import RAW_PREFIX

if TYPE_CHECKING:
    from pipectl.operate.backfill_objects import RawObject


@click.command(epilog="Example: pipectl backfill --prefix raw/orders/ --since 30d --dry-run")
@click.option(
    "--prefix",
    default=RAW_PREFIX,
    show_default=True,
    help="Only objects whose key starts with this.",
)
@click.option("--since", type=SINCE, metavar="TIME", help="Only objects uploaded since then.")
@click.option(
    "--all-versions",
    is_flag=True,
    help="Include versions that have since been replaced or deleted.",
)
@click.option("--skip-failed", is_flag=True, help="Leave out objects that failed.")
@click.option("--dry-run", is_flag=True, help="List what would be run without sending anything.")
@json_option
@changing_stack_options
def command(
    *,
    choice: StackChoice,
    prefix: str,
    since: datetime | None,
    all_versions: bool,
    skip_failed: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Run the objects in raw/ that have no successful run, through the processing queue.

    These are files that were uploaded before the stack existed, files whose event was lost, and
    failed files. Files that have succeeded, are running or are superseded are left alone, so the
    command can be repeated. Objects whose names the pipeline ignores are only listed.

    On AWS the command asks for confirmation before it sends anything, unless --yes is given.

    Exit status: 0 if everything was sent, 1 if not, 2 on usage errors.
    """
    from pipectl.operate.backfill_objects import checked_prefix, find_objects, send

    stack = choice.open() if dry_run else choice.open_to_change("Run objects of the input bucket")
    found = find_objects(
        stack, prefix=checked_prefix(prefix), since=since, all_versions=all_versions
    )
    states = ["never_run"]
    if not skip_failed:
        states.append("failed")
    waiting = [one for one in found if one.state in states]
    chosen = [one for one in waiting if one.ignored is None]
    left = [one for one in waiting if one.ignored is not None]
    if not dry_run:
        send(stack, chosen)
    if as_json:
        document = {
            "dry_run": dry_run,
            "objects": [one.to_document() for one in chosen],
            "ignored": [one.to_document() for one in left],
            "succeeded": sum(one.state == "succeeded" for one in found),
            "running": sum(one.state == "running" for one in found),
            "superseded": sum(one.state == "superseded" for one in found),
        }
        echo_json(document)
    else:
        _show(chosen, left, dry_run=dry_run)
    if not dry_run and not all(one.sent for one in chosen):
        raise SystemExit(1)


def _show(chosen: list[RawObject], left: list[RawObject], *, dry_run: bool) -> None:
    from pipectl import tables

    if chosen:
        tables.show(
            ("UPLOADED (UTC)", "STATE", "BYTES", "SENT", "KEY", "FILE"),
            (
                (
                    format_time(one.source.event_time),
                    one.state.replace("_", " "),
                    tables.number(one.source.size),
                    "yes" if one.sent else "no",
                    one.source.key,
                    one.source.file_id,
                )
                for one in chosen
            ),
        )
    if left:
        echo("")
        echo("The pipeline ignores these objects because of their names:")
        tables.show(
            ("UPLOADED (UTC)", "BYTES", "KEY", "WHY"),
            (
                (
                    format_time(one.source.event_time),
                    tables.number(one.source.size),
                    one.source.key,
                    one.ignored or "",
                )
                for one in left
            ),
        )
    sent = sum(one.sent for one in chosen)
    what = f"{len(chosen)} would be sent" if dry_run else f"{sent} of {len(chosen)} sent"
    echo(f"{what}. Follow them with: pipectl executions", err=True)
