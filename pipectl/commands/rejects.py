"""`pipectl rejects`: show the rejected records of a file, and why they were rejected."""

from __future__ import annotations

import itertools
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from pipectl.client.stack_choice import StackChoice, stack_options
from pipectl.errors import UsageError
from pipectl.output import echo, echo_json_text, printable, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable

# Longest text of a record that is shown. --json prints it whole.
_SHOWN_CHARACTERS = 160


@click.command(epilog="Example: pipectl rejects 5f0c2b7e9d1a4c3e8b6f7a9d0c1e2f3a --limit 20")
@click.argument("file_id", metavar="FILE_ID")
@click.option(
    "--csv",
    "csv_file",
    metavar="[FILE]",
    is_flag=False,
    flag_value="-",
    help="Write the rejected rows as CSV, to be corrected, to FILE or standard output.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document per record.")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N rejected records."
)
@stack_options
def command(
    *, choice: StackChoice, file_id: str, csv_file: str | None, as_json: bool, limit: int | None
) -> None:
    """Show the rejected records of a file: their position, what is wrong, and their text.

    The rejected records of a file that succeeded are published under rejected/. Those of a file
    that failed, for example with TooManyRejects, are not published, but kept for 15 days and shown
    here, too.

    With --csv the rows are written for a spreadsheet, in UTF-8, with what is wrong in each.
    Correct cells, and send the file with `pipectl correct`.

    The output contains data from the file.

    Exit status: 0 on success, even if no record was rejected, 1 if the records can't be read, 2 on
    usage errors.
    """
    from pipectl.client.targets import read_target
    from pipectl.operate.find_rejects import find_rejects, read_bytes, read_lines

    target = read_target(file_id)
    if target.file_id is None or target.execution is not None:
        raise UsageError(f"'{file_id}' is not a file id (32 hex digits).")
    as_csv = csv_file is not None
    if as_csv and as_json:
        raise UsageError("--csv and --json can't be combined.")
    if as_csv and limit is not None:
        raise UsageError(
            "--csv prints all rows, to be corrected. It can't be combined with --limit."
        )
    if csv_file == "-" and sys.stdout.isatty():
        # A terminal would execute control characters that a sender put into a cell.
        raise UsageError(
            "--csv writes the rows as they are, including control characters. Name a file:"
            f" pipectl rejects {target.file_id} --csv rows.csv"
        )
    stack = choice.open()
    found = find_rejects(stack, target.file_id, "csv" if as_csv else "jsonl")
    echo(found.about, err=True)
    if csv_file is not None:
        if found.keys:
            _write(read_bytes(stack, found), csv_file)
    else:
        chosen = itertools.islice(read_lines(stack, found), limit)
        for line in chosen:
            echo_json_text(line.decode()) if as_json else _show(line)


def _write(data: Iterable[bytes], name: str) -> None:
    with click.open_file(name, "wb") as output:
        for piece in data:
            output.write(piece)
        output.flush()


def _show(line: bytes) -> None:
    record = json.loads(line)
    echo(f"Row {record['row']}, line {record['line']}")
    for fault in record["errors"]:
        echo(f"  {_fault(fault)}")
    echo(f"  > {_shown(record['raw'])}")


def _fault(fault: dict[str, Any]) -> str:
    field = f"{_shown(fault['field'])}: " if fault["field"] is not None else ""
    value = f": {_shown(fault['value'])}" if fault["value"] is not None else ""
    return f"{field}{_shown(fault['message'])} ({fault['code']}){value}"


def _shown(text: str) -> str:
    """A sender's text on one line, with control characters made visible."""
    return printable(shortened(text, _SHOWN_CHARACTERS))
