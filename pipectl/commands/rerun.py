"""`pipectl rerun`: rerun failed files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import click

from pipectl.client.stack_choice import StackChoice, changing_stack_options
from pipectl.options import json_option, wait_option
from pipectl.output import echo, echo_json
from pipectl.times import SINCE, format_duration

if TYPE_CHECKING:
    from pipectl.operate.rerun_files import RerunReport
    from pipectl.operate.rerun_plan import FileRerun


@click.command(
    epilog="""\b
    Examples:
      pipectl rerun 5f0c2b7e9d1a4c3e8b6f7a9d0c1e2f3a
      pipectl rerun --all --error TooManyRejects --since 2d --dry-run
    """
)
@click.argument("targets", metavar="[EXECUTION|FILE_ID]...", nargs=-1)
@click.option("--new", is_flag=True, help="Start a new attempt even if a redrive is possible.")
@click.option("--force", is_flag=True, help="Rerun named files even if they have succeeded.")
@click.option("--all", "all_failed", is_flag=True, help="Rerun all failed files, a canary first.")
@click.option("--error", metavar="NAME", help="With --all: only files that failed with this error.")
@click.option("--since", type=SINCE, metavar="TIME", help="With --all: only failures since then.")
@click.option("--source", metavar="GLOB", help="With --all: only files whose source key matches.")
@click.option("--dataset", help="With --all: only files of this dataset.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help="With --all: maximum number of files, oldest failure first.",
)
@click.option(
    "--canary",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="With --all: number of files to rerun first. The others follow only if these succeed.",
)
@click.option("--dry-run", is_flag=True, help="Show the plan without starting anything.")
@wait_option
@json_option
@changing_stack_options
def command(
    *,
    choice: StackChoice,
    as_json: bool,
    targets: tuple[str, ...],
    new: bool,
    force: bool,
    all_failed: bool,
    error: str | None,
    since: datetime | None,
    source: str | None,
    dataset: str | None,
    limit: int | None,
    canary: int,
    dry_run: bool,
    wait: bool,
) -> None:
    """Rerun failed files: with a redrive where possible, otherwise with a new attempt.

    A redrive continues an execution at the step that failed. It is possible for 14 days, unless the
    workflow's definition has changed since the execution was started. A new attempt goes through
    the processing queue and processes the whole file.

    After some errors, such as EmptyFile, no rerun can succeed. These files are skipped: upload them
    again.

    A file is left alone if a later version of its key has succeeded, because that version's output
    stays whatever is rerun. The dead letters of files that succeed are deleted.

    On AWS the command asks for confirmation before it starts anything, unless --yes is given.

    Exit status: 0 if all files succeeded (with --no-wait: were started), 1 if any did not, 2 on
    usage errors.
    """
    from pipectl.client.targets import read_target
    from pipectl.operate.failed_files import FailureFilter
    from pipectl.operate.rerun_files import rerun_files
    from pipectl.operate.rerun_options import RerunOptions

    options = RerunOptions(
        targets=tuple(map(read_target, targets)),
        all_failed=all_failed,
        only=FailureFilter(error, since, source, dataset),
        limit=limit,
        canary=canary,
        new=new,
        force=force,
        dry_run=dry_run,
        wait=wait,
    )
    options.check()
    stack = choice.open() if dry_run else choice.open_to_change("Rerun files")
    report = rerun_files(stack, options, _Progress())
    if as_json:
        echo_json(report.to_document())
    else:
        _show(report)
    if not report.succeeded:
        raise SystemExit(1)


class _Progress:
    """Prints a line for each file that is started or has ended, to standard error."""

    def starting(self, rerun: FileRerun) -> None:
        """Print how the file is rerun, and why."""
        echo(f"{_name(rerun)}: {_HOW[rerun.how]}, because {rerun.reason}", err=True)

    @contextmanager
    def following(self, total: int) -> Iterator[Callable[[FileRerun], None]]:
        """Show the number of files that have ended, in a terminal."""
        from rich.console import Console

        done = 0
        with Console(stderr=True).status(f"0 of {total} ended") as status:

            def ended(rerun: FileRerun) -> None:
                nonlocal done
                done += 1
                status.update(f"{done} of {total} ended")
                echo(f"{_name(rerun)}: {rerun.status}", err=True)

            yield ended


_HOW = {
    "redrive": "redrive",
    "new_attempt": "new attempt",
    "follow": "follow",
    "upload": "upload again",
    "none": "nothing to do",
}


def _name(rerun: FileRerun) -> str:
    return rerun.source.rpartition("/")[2]


def _show(report: RerunReport) -> None:
    from pipectl import tables

    if not report.reruns:
        echo("No failed files.", err=True)
        return
    redrive = "redrive (emulated)" if report.emulated else "redrive"
    tables.show(
        ("FILE", "STATUS", "HOW", "TOOK", "RECORDS", "PROCESSED", "REJECTED", "SOURCE", "REASON"),
        (
            (
                rerun.file_id,
                rerun.status,
                redrive if rerun.how == "redrive" else _HOW[rerun.how],
                format_duration(rerun.duration_ms),
                tables.number(rerun.count("record_count")),
                tables.number(rerun.count("processed_count")),
                tables.number(rerun.count("error_count")),
                rerun.source,
                f"{rerun.error.code}: {rerun.error.message}" if rerun.error else rerun.reason,
            )
            for rerun in report.reruns
        ),
        status=1,
    )
    deleted = sum(rerun.deleted_dead_letters for rerun in report.reruns)
    if deleted:
        echo(f"Dead letters deleted after success: {deleted}")
