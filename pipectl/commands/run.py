"""`pipectl run`: files through the whole pipeline, on an AWS that lives as long as the command."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from pipectl.options import concurrency_option, parameter_option, template_option
from pipectl.output import echo, echo_json


@click.command(
    epilog="Example: pipectl run orders.csv returns.csv.gz --contract orders.json --out results"
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--contract",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Contract of the files' dataset: a Data Resource descriptor with a Table Schema.",
)
@click.option(
    "--dataset",
    help="Folder under raw/ that the files are put into. Without it, that of the contract (its"
    " 'name', else its file's name up to the first dot), or none: dataset 'default'.",
)
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("out"),
    show_default=True,
    help="Folder that outputs are mirrored to, laid out as the output bucket is.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.option(
    "--split-size",
    type=click.IntRange(min=1),
    metavar="BYTES",
    help="Files that are larger run in splits of about this size: the parameter SplitSizeBytes.",
)
@concurrency_option
@parameter_option
@template_option
def command(
    *,
    files: tuple[Path, ...],
    contract: Path | None,
    dataset: str | None,
    folder: Path,
    as_json: bool,
    split_size: int | None,
    concurrency: int | None,
    parameters: Mapping[str, str],
    template: Path,
) -> None:
    """Run FILES through the whole pipeline on this machine, without AWS.

    The stack of template.yaml is brought up on an embedded AWS, the files are put into the input
    bucket, and what the pipeline makes of them is mirrored to a folder.

    Exit status: 0 all files succeeded, 1 any failed, 2 the command line is wrong.
    """
    from rich.console import Console

    from pipectl.client.uploads import dataset_for, plan_uploads
    from pipectl.embedded.template import notified_suffixes
    from pipectl.local.display import Progress, show_table
    from pipectl.local.run import run_files

    if split_size is not None:
        parameters = {**parameters, "SplitSizeBytes": str(split_size)}
    dataset = dataset_for(dataset, contract)
    uploads = plan_uploads(files, dataset, notified_suffixes(template))
    progress = Progress(Console(stderr=True), total=len(uploads))
    with progress.shown():
        outcome = run_files(
            uploads,
            contract=(contract, dataset) if contract and dataset else None,
            folder=folder,
            parameters=parameters,
            template=template,
            concurrency=concurrency,
            progress=progress,
        )
    if as_json:
        document = {
            "files": [result.document() for result in outcome.results],
            "dead_letter_queue": outcome.dead_letters,
        }
        echo_json(document)
    else:
        show_table(Console(), outcome.results)
    if outcome.logs is not None:
        echo(f"The functions' logs are kept in {outcome.logs}", err=True)
        raise SystemExit(1)
