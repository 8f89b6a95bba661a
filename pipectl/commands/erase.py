"""`pipectl erase`: erase a file and everything that was made of it."""

from __future__ import annotations

import re

import click

from pipectl.client.stack_choice import StackChoice, changing_stack_options
from pipectl.errors import UsageError
from pipectl.options import json_option
from pipectl.output import echo, echo_json


@click.command(epilog="Example: pipectl erase 5f0c2b7e9d1a4c3e8b6f7a9d0c1e2f3a --dry-run")
@click.argument("file_id")
@click.option("--dry-run", is_flag=True, help="List what would be erased without erasing it.")
@json_option
@changing_stack_options
def command(*, choice: StackChoice, file_id: str, dry_run: bool, as_json: bool) -> None:
    """Erase a file for good, for example because a person asked for it.

    This deletes all versions of the uploaded object and their archived copies, processed and
    rejected records, corrections, summaries, reports, intermediate results and dead letters. The
    metadata items stay as a record, with the time and the caller. What remains elsewhere and for
    how long is in docs/erasure.md.

    The file can't be restored. On AWS the command asks for confirmation, unless --yes is given.

    Exit status: 0 if everything was erased, 1 if not, 2 on usage errors.
    """
    from pipectl.operate.erase_file import erase, plan_erasure

    if not re.fullmatch(r"[0-9a-f]{32}", file_id):
        raise UsageError(f"'{file_id}' is not a file id (32 hex digits).")
    change = f"Erase the file {file_id} and all versions of its key for good"
    stack = choice.open() if dry_run else choice.open_to_change(change)
    erasure = plan_erasure(stack, file_id)
    if not dry_run:
        erase(stack, erasure)
    if as_json:
        echo_json(erasure.to_document(dry_run=dry_run))
        return
    for one in erasure.objects:
        echo(f"s3://{one.bucket}/{one.key} (version {one.version_id})")
    counts = (
        f"{len(erasure.objects)} object versions and {erasure.dead_letters} dead letters of"
        f" {len(erasure.file_ids)} file(s) of s3://{erasure.bucket}/{erasure.key}"
    )
    echo(f"{counts} {'would be' if dry_run else 'were'} erased.", err=True)
    if erasure.shared_dead_letters:
        echo(
            f"{erasure.shared_dead_letters} dead letters are about other files as well and stay."
            " They have no data of the file.",
            err=True,
        )
