"""`pipectl run`: process files with the whole pipeline on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipectl.errors import UsageError
from pipectl.options import concurrency_option, json_option, parameter_option, template_option
from pipectl.output import echo, echo_json
from pipectl.signals import ending_signals

if TYPE_CHECKING:
    from pipectl.client.file_results import FileResult
    from pipectl.embedded.rights.enforcement import Refusal
    from pipectl.local.local_run import RunSettings
    from tabular.file_names import IgnoredNames

# The exit status if no file failed, but every record of a file was rejected.
_ALL_REJECTED = 3
# Tabs that are opened at once.
_OPENED = 5
# Refusals that are shown. They often have one cause.
_REFUSALS = 5


@click.command(
    epilog="Example: pipectl run orders.csv returns.csv.gz --contract orders.json --out results"
)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--contract",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Contract for the files: a Data Resource descriptor with a Table Schema.",
)
@click.option(
    "--dataset",
    help="Dataset of the files: the folder under raw/ that they are uploaded to.  [default: the"
    " contract's 'name', or its file's name up to the first dot; 'default' without a contract]",
)
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("out"),
    show_default=True,
    help="Folder for the outputs. It has the layout of the output bucket.",
)
@click.option(
    "--watch",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Process the files of this folder, and keep running: every file that appears or changes"
    " there is processed until Ctrl-C.",
)
@click.option("--open", "open_reports", is_flag=True, help="Open the reports in a browser.")
@json_option
@click.option(
    "--split-size",
    type=click.IntRange(min=1),
    metavar="BYTES",
    help="Process larger files in splits of about this size (sets the parameter SplitSizeBytes).",
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
    watch: Path | None,
    open_reports: bool,
    as_json: bool,
    split_size: int | None,
    concurrency: int | None,
    parameters: Mapping[str, str],
    template: Path,
) -> None:
    """Process FILES with the whole pipeline on this machine, without an AWS account.

    Starts the stack of template.yaml on an embedded AWS, uploads the files to its input bucket, and
    copies the outputs to a folder. With --watch, it processes the files of a folder instead of
    FILES.

    Exit status: 0 if all files succeeded, 1 if a file failed or a role lacked a permission, 2 on
    usage errors, 3 if none failed but every record of a file was rejected.
    """
    from rich.console import Console

    from pipectl.client.uploads import dataset_for, plan_uploads
    from pipectl.local.display import RunProgress, show_table
    from pipectl.local.local_run import RunSettings, run_files

    if split_size is not None:
        parameters = {**parameters, "SplitSizeBytes": str(split_size)}
    if parameters.get("StartOnScanResult") == "true":
        raise UsageError(
            "With StartOnScanResult=true files wait for a malware scan, and nothing scans files on "
            "this machine. Leave the parameter out."
        )
    dataset = dataset_for(dataset, contract)
    ignored = _ignored_names(parameters)
    settings = RunSettings(
        contract=(contract, dataset) if contract and dataset else None,
        folder=folder,
        parameters=parameters,
        template=template,
        concurrency=concurrency,
    )
    if watch is not None:
        if files or as_json:
            raise UsageError("--watch can't be used together with FILES or --json.")
        _watch(watch, dataset, ignored, settings)
        return
    if not files:
        raise UsageError("Name at least one file, or a folder with --watch.")
    uploads = plan_uploads(files, dataset, ignored)
    progress = RunProgress(Console(stderr=True), total=len(uploads))
    with progress.shown():
        finished = run_files(uploads, settings, progress)
    if as_json:
        document = {
            "files": [result.document() for result in finished.results],
            "dead_letter_queue": finished.dead_letters,
        }
        echo_json(document)
    else:
        show_table(Console(), finished.results)
    if open_reports:
        _open(finished.results)
    all_rejected = any(result.all_rejected for result in finished.results)
    _end(finished.refusals, finished.logs, all_rejected=all_rejected)


def _end(refusals: Sequence[Refusal], logs: Path | None, *, all_rejected: bool) -> None:
    """Name what was refused, and the logs, which are kept then and if a file failed.

    Ends with the exit status.
    """
    for refusal in refusals[:_REFUSALS]:
        echo(f"{refusal.code}: {refusal.message}.", err=True)
        echo(f"  {refusal.remedy}", err=True)
    if len(refusals) > _REFUSALS:
        echo(f"There are {len(refusals) - _REFUSALS} more refusals.", err=True)
    if logs is not None:
        echo(f"The functions' logs are in {logs}", err=True)
        raise SystemExit(1)
    if all_rejected:
        raise SystemExit(_ALL_REJECTED)


def _open(results: Sequence[FileResult]) -> None:
    """Open the files' reports, the first ones of many."""
    reports = [path for one in results if (path := one.outputs.get("report")) is not None]
    for path in reports[:_OPENED]:
        click.launch(path.resolve().as_uri())
    if len(reports) > _OPENED:
        echo(f"The first {_OPENED} of {len(reports)} reports are open.", err=True)


def _watch(
    watched: Path, dataset: str | None, ignored: IgnoredNames, settings: RunSettings
) -> None:
    """Process the files of a folder until Ctrl-C."""
    from rich.console import Console

    from pipectl.local.display import WatchedFolder
    from pipectl.local.local_run import WatchedFiles, watch_folder

    echo(f"Watching {watched}. Ctrl-C ends it.", err=True)
    progress = WatchedFolder(Console(), total=0)
    with progress.as_lines():
        finished = watch_folder(
            WatchedFiles(watched, dataset, ignored), settings, progress, ended=ending_signals()
        )
    _end(finished.refusals, finished.logs, all_rejected=finished.all_rejected)


def _ignored_names(parameters: Mapping[str, str]) -> IgnoredNames:
    """The names that the stack ignores besides those on the list."""
    from tabular.file_names import IgnoredNames, InvalidPatterns

    try:
        return IgnoredNames.parse(parameters.get("IgnoredNames", ""))
    except InvalidPatterns as error:
        raise UsageError(f"The parameter IgnoredNames is not valid. {error}") from None
