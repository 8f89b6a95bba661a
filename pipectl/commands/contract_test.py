"""`pipectl contract test`: what a contract would have done to a dataset's latest files."""

from __future__ import annotations

from pathlib import Path

import click

from pipectl import tables
from pipectl.client.stack_choice import StackChoice, stack_options
from pipectl.errors import PipectlError
from pipectl.options import json_option
from pipectl.output import echo, echo_json


@click.command(
    "test", epilog="Example: pipectl contract test orders.json --stack-name data-pipeline"
)
@click.argument("contract", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--dataset", help="Dataset of the files.  [default: the contract's name]")
@click.option(
    "--last",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Number of files, the latest first.",
)
@json_option
@stack_options
def try_out(
    *, choice: StackChoice, contract: Path, dataset: str | None, last: int, as_json: bool
) -> None:
    """Check the latest files of a dataset in the stack with CONTRACT, and compare.

    Downloads the files and checks them on this machine. Nothing is uploaded or written. The stack's
    limits for rejected records don't apply, only the contract's own.

    Exit status: 0 if no file is worse off, 1 if one would fail or have more rejected records, 2 on
    usage errors.
    """
    from pipectl.client.uploads import dataset_for
    from pipectl.local.contract_trial import try_contract
    from pipectl.local.local_layouts import contract_in

    found = contract_in(contract)
    name = dataset_for(dataset, contract)
    if found is None or name is None:
        raise PipectlError("There is no contract.")
    trials = list(try_contract(choice.open(), found, name, last))
    worse = sum(trial.is_worse for trial in trials)
    if as_json:
        echo_json({"dataset": name, "files": [trial.to_document() for trial in trials]})
    elif not trials:
        echo(f"The dataset {name} has no files.")
    else:
        tables.show(
            ("FILE", "WAS", "REJECTED", "WOULD BE", "REJECTED", ""),
            [
                (
                    trial.key,
                    trial.status_before,
                    tables.number(trial.rejected_before),
                    trial.status_now,
                    tables.number(trial.verdict.error_count),
                    "worse" if trial.is_worse else "",
                )
                for trial in trials
            ],
        )
        for trial in trials:
            if trial.verdict.file_error is not None:
                error = trial.verdict.file_error
                echo(f"{trial.key}: {error['code']}. {error['message']}")
        echo(f"{worse} of {len(trials)} files would be worse off.")
    if worse:
        raise SystemExit(1)
