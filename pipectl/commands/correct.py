"""`pipectl correct`: process a file again with corrected rows in place of the rejected ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipectl.client.stack_choice import StackChoice, changing_stack_options
from pipectl.errors import UsageError
from pipectl.options import json_option, wait_option
from pipectl.output import echo, echo_json, printable, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipectl.client.step_functions import DescribedExecution
    from pipectl.operate.correct_rows import CorrectedRow, FileCorrection

_SHOWN_ROWS = 20
_SHOWN_CHANGES = 5
_SHOWN_CHARACTERS = 40


@click.command(
    epilog="""\b
    Examples:
      pipectl rejects 5f0c2b7e9d1a4c3e8b6f7a9d0c1e2f3a --csv rows.csv
      pipectl correct 5f0c2b7e9d1a4c3e8b6f7a9d0c1e2f3a rows.csv --dry-run
    """
)
@click.argument("file_id", metavar="FILE_ID")
@click.argument(
    "corrected",
    metavar="CORRECTED",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--dry-run", is_flag=True, help="Show what changes without uploading anything.")
@wait_option
@json_option
@changing_stack_options
def command(
    *,
    choice: StackChoice,
    file_id: str,
    corrected: Path,
    dry_run: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """Process a file again, with corrected rows in place of the rejected ones.

    CORRECTED is a copy of what `pipectl rejects FILE_ID --csv` writes, with corrected cells, saved
    as CSV by any spreadsheet. Rows that are left out or not changed stay rejected. The changes are
    checked against the contract and shown, then the copy is uploaded. The whole file is processed
    again with the changed rows in their places, so its output is replaced at once, and keys must be
    unique in the whole file. Corrections add up: what was corrected before stays corrected.

    The output contains data from the file.

    On AWS the command asks for confirmation before it uploads anything, unless --yes is given.

    Exit status: 0 if the file succeeded (with --no-wait or --dry-run: if the rows can be used), 1
    otherwise, 2 on usage errors.
    """
    from pipectl.client.targets import read_target
    from pipectl.operate.correct_rows import (
        check_corrections,
        follow_corrections,
        upload_corrections,
    )

    target = read_target(file_id)
    if target.file_id is None or target.execution is not None:
        raise UsageError(f"'{file_id}' is not a file id (32 hex digits).")
    stack = choice.open() if dry_run else choice.open_to_change("Correct rejected rows")
    correction = check_corrections(stack, target.file_id, corrected)
    if not as_json:
        _show(correction.rows)
    if correction.rows and not dry_run:
        version = upload_corrections(stack, correction)
        if wait:
            follow_corrections(stack, correction, version, _waiting)
    if as_json:
        echo_json(correction.to_document())
    elif correction.outcome:
        _show_outcome(correction)
    elif correction.rows and not dry_run:
        echo(f"Uploaded. Follow it with: pipectl show {target.file_id}")
    if correction.outcome and not _has_succeeded(correction):
        raise SystemExit(1)


def _has_succeeded(correction: FileCorrection) -> bool:
    execution = correction.execution
    return (
        execution is not None
        and execution.status == "succeeded"
        and correction.outcome["status"] == "succeeded"
    )


def _waiting(execution: DescribedExecution) -> None:
    echo(f"Waiting for the execution {execution.name} of the file to end.", err=True)


def _show(rows: Sequence[CorrectedRow]) -> None:
    if not rows:
        echo("No row is changed, so there is nothing to correct.")
        return
    for row in rows[:_SHOWN_ROWS]:
        changes = [
            f"{_text(name)}: {_text(before)!r} -> {_text(after)!r}"
            for name, before, after in row.changes[:_SHOWN_CHANGES]
        ]
        more = len(row.changes) - _SHOWN_CHANGES
        if more > 0:
            changes.append(f"{more} more")
        echo(f"Row {row.row}: {', '.join(changes) or 'accepted as its cells show it'}")
        for fault in row.faults:
            field = f"{_text(fault.field)}: " if fault.field is not None else ""
            echo(f"  still wrong: {field}{_text(fault.message)}")
    if len(rows) > _SHOWN_ROWS:
        echo(f"and {len(rows) - _SHOWN_ROWS} more rows")
    wrong = sum(bool(row.faults) for row in rows)
    total = "1 row is changed" if len(rows) == 1 else f"{len(rows)} rows are changed"
    still = f"; {wrong} of them will be rejected again" if wrong else ""
    echo(f"{total}{still}. Keys are compared when the file is processed.")


def _show_outcome(correction: FileCorrection) -> None:
    outcome, execution = correction.outcome, correction.execution
    name = execution.name if execution else ""
    if _has_succeeded(correction):
        echo(
            f"{name} succeeded: {outcome['processed_count']} of {outcome['record_count']} records"
            f" processed, {outcome['error_count']} rejected."
        )
    elif execution is not None and execution.status != "succeeded":
        echo(f"{name} {execution.status}: {execution.error or ''}: {execution.cause or ''}")
    else:
        echo(f"{name} published nothing: a later version of the file is current.")


def _text(text: str) -> str:
    return printable(shortened(text, _SHOWN_CHARACTERS))
