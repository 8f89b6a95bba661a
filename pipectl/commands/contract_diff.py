"""`pipectl contract diff`: what changes between two contracts, and whether it breaks something."""

from __future__ import annotations

from pathlib import Path

import click

from pipectl.options import json_option
from pipectl.output import echo, echo_json

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(epilog="Example: pipectl contract diff old.json new.json")
@click.argument("old", type=_FILE)
@click.argument("new", type=_FILE)
@json_option
def diff(*, old: Path, new: Path, as_json: bool) -> None:
    """Show what changes from the contract OLD to the contract NEW.

    A change breaks files if files or records that OLD accepts may be refused, and the output if
    names, types or notation of what is published change.

    Exit status: 0 if nothing breaks, 1 if a change is breaking or a contract is invalid, 2 on usage
    errors.
    """
    from pipectl.local.contract_diff import compare_contracts
    from pipectl.local.local_layouts import contract_in

    before, after = contract_in(old), contract_in(new)
    changes = compare_contracts(before, after) if before and after else []
    breaking = [change for change in changes if change.breaks]
    if as_json:
        documents = [change.to_document() for change in changes]
        echo_json({"breaking": bool(breaking), "changes": documents})
    else:
        for change in sorted(changes, key=lambda change: not change.breaks):
            mark = f"breaks {' and '.join(change.breaks)}" if change.breaks else "compatible"
            echo(f"{mark:<24} {change.path}: {change.message}")
        count = f"{len(changes)} change{'' if len(changes) == 1 else 's'}"
        echo(f"{count}, {len(breaking)} of them breaking" if changes else "No changes.")
    if breaking:
        raise SystemExit(1)
