"""`pipectl rerun`: run failed files again, or only the rows that were rejected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from pipectl.client.stack import StackChoice, changing_stack_options
from pipectl.errors import UsageError
from pipectl.output import echo, echo_json
from pipectl.times import SINCE, lasted

if TYPE_CHECKING:
    from pipectl.client.stack import Stack
    from pipectl.client.targets import Target
    from pipectl.operate.rerun import Rerun, Rerunner


@dataclass(frozen=True)
class _Wish:
    """What the command line asks for."""

    targets: tuple[Target, ...]
    new: bool
    force: bool
    rejected: bool
    corrected: Path | None
    everything: bool
    error: str | None
    since: datetime | None
    source: str | None
    limit: int | None
    canary: int
    superseded: bool
    dry_run: bool
    wait: bool

    def check(self) -> None:
        """Raise `UsageError` where the options contradict each other."""
        if bool(self.targets) == self.everything:
            raise UsageError("Name executions or files, or run all failed files with --all.")
        narrowing = (self.error, self.since, self.source, self.limit)
        if not self.everything and (any(narrowing) or self.superseded):
            raise UsageError(
                "--error, --since, --source, --limit and --superseded choose from --all."
            )
        if self.everything and self.force:
            raise UsageError("--force is for files that are named, not for --all.")
        if self.corrected is not None and not self.rejected:
            raise UsageError("--with CORRECTED.csv goes with --rejected FILE_ID.")
        if not self.rejected:
            return
        if self.everything or self.new or self.dry_run:
            raise UsageError("--rejected goes with --with, --force and --no-wait only.")
        if len(self.targets) != 1 or self.targets[0].execution is not None:
            raise UsageError("--rejected takes one FILE_ID.")


@click.command(
    epilog="""\b
    Examples:
      pipectl rerun 5f0c2b7e9d1a4c3e8b6f7a9d0c1e2f3a
      pipectl rerun --all --error TooManyRejects --since 2d --dry-run
      pipectl rerun --rejected 5f0c2b7e9d1a4c3e8b6f7a9d0c1e2f3a --with corrected.csv
    """
)
@click.argument("targets", metavar="[EXECUTION|FILE_ID]...", nargs=-1)
@click.option("--new", is_flag=True, help="A new attempt, even where a redrive is possible.")
@click.option("--force", is_flag=True, help="Run files again that have succeeded.")
@click.option("--all", "everything", is_flag=True, help="All failed files: a canary first.")
@click.option("--error", metavar="NAME", help="Of all, those that failed with this error.")
@click.option("--since", type=SINCE, metavar="TIME", help="Of all, those that failed since then.")
@click.option("--source", metavar="GLOB", help="Of all, those whose source's key matches.")
@click.option("--limit", type=click.IntRange(min=1), help="Of all, so many, the oldest first.")
@click.option(
    "--superseded", is_flag=True, help="Also files of which a later version has succeeded."
)
@click.option(
    "--canary",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="With --all, so many first; the others only if these succeed.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--rejected", is_flag=True, help="Only the rejected rows of a file that succeeded.")
@click.option(
    "--with",
    "corrected",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="CORRECTED.csv",
    help="The rejected rows, mended. Without it they run as they are, after a contract's change.",
)
@click.option(
    "--wait/--no-wait", default=True, help="Follow the files to their end.  [default: on]"
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@changing_stack_options
def command(
    *,
    choice: StackChoice,
    as_json: bool,
    targets: tuple[str, ...],
    new: bool,
    force: bool,
    everything: bool,
    error: str | None,
    since: datetime | None,
    source: str | None,
    limit: int | None,
    superseded: bool,
    canary: int,
    dry_run: bool,
    rejected: bool,
    corrected: Path | None,
    wait: bool,
) -> None:
    """Run failed files again: by a redrive where one is possible, else by a new attempt.

    A redrive continues an execution at the step that failed. It is possible for 14 days, as long as
    the workflow's definition is still the one the execution was started with. A new attempt enters
    through the processing queue and runs the whole file.

    After some errors, such as EmptyFile, no rerun can succeed: these files are left. Upload them
    again.

    The dead-letter messages of files that succeed are deleted.

    On AWS it asks before it starts anything, unless --yes is given.

    Exit status: 0 all succeeded (or were started, without waiting), 1 any did not, 2 the command
    line is wrong.
    """
    from pipectl.client.targets import read_target

    wish = _Wish(
        targets=tuple(map(read_target, targets)),
        new=new,
        force=force,
        rejected=rejected,
        corrected=corrected,
        everything=everything,
        error=error,
        since=since,
        source=source,
        limit=limit,
        canary=canary,
        superseded=superseded,
        dry_run=dry_run,
        wait=wait,
    )
    wish.check()
    from pipectl.operate.rerun import UNSUCCESSFUL

    stack = choice.open() if dry_run else choice.open_to_change("Rerun files")
    outcome = _outcome(stack, wish)
    if as_json:
        document = {
            "emulated": stack.emulated,
            "dry_run": dry_run,
            "canary": outcome.canary,
            "reruns": [rerun.to_document() for rerun in outcome.reruns],
        }
        echo_json(document)
    else:
        _show(outcome.reruns, stack)
    # What was named should have run; of all, those are run that can be.
    unsuccessful = UNSUCCESSFUL if everything else (*UNSUCCESSFUL, "left")
    if any(rerun.status in unsuccessful for rerun in outcome.reruns):
        raise SystemExit(1)


@dataclass(frozen=True)
class _Outcome:
    reruns: Sequence[Rerun]
    canary: Literal["succeeded", "failed"] | None = None


def _outcome(stack: Stack, wish: _Wish) -> _Outcome:
    if wish.rejected:
        return _rerun_rejected(stack, wish)
    return _rerun_all(stack, wish) if wish.everything else _rerun_named(stack, wish)


def _rerun_named(stack: Stack, wish: _Wish) -> _Outcome:
    from pipectl.operate.rerun import Rerunner

    rerunner = Rerunner(stack, new=wish.new, force=wish.force)
    reruns = rerunner.planned(wish.targets)
    if not wish.dry_run:
        _run(rerunner, reruns, wait=wish.wait)
        rerunner.settle(reruns)
    return _Outcome(reruns)


def _rerun_rejected(stack: Stack, wish: _Wish) -> _Outcome:
    from pipectl.operate.corrections import upload_rejects
    from pipectl.operate.rerun import Rerunner

    rerun = upload_rejects(stack, str(wish.targets[0].file_id), wish.corrected, force=wish.force)
    _follow(Rerunner(stack), [rerun], wait=wish.wait)
    return _Outcome([rerun])


def _rerun_all(stack: Stack, wish: _Wish) -> _Outcome:
    from pipectl.operate.rerun import Rerunner

    foreseen = _foreseen(stack, wish)
    if wish.dry_run or not foreseen:
        return _Outcome(foreseen)
    rerunner = Rerunner(stack, new=wish.new, superseded=wish.superseded)
    canaries = rerunner.planned(_targets(rerun for rerun in foreseen if rerun.canary))
    for rerun in canaries:
        rerun.canary = True
    _run(rerunner, canaries, wait=True)
    others = [rerun for rerun in foreseen if not rerun.canary]
    succeeded = all(rerun.status == "succeeded" for rerun in canaries)
    if succeeded:
        others = rerunner.planned(_targets(others))
        _run(rerunner, others, wait=wish.wait)
    else:
        _leave(others)
    rerunner.settle([*canaries, *others])
    verdict: Literal["succeeded", "failed"] = "succeeded" if succeeded else "failed"
    return _Outcome([*canaries, *others], verdict if canaries else None)


def _foreseen(stack: Stack, wish: _Wish) -> list[Rerun]:
    """The failed files that are meant, with what will be done; the first are the canaries."""
    from pipectl.operate.failures import Selection
    from pipectl.operate.find_failures import survey
    from pipectl.operate.plan import foreseen
    from pipectl.operate.rerun import told

    chosen = [
        failure
        for failure in survey(stack, Selection(wish.error, wish.since, wish.source)).failures
        if wish.superseded or failure.resolved_by is None or failure.resolved_by.how != "version"
    ]
    reruns = _first(
        wish.limit,
        [told(one.file_id, f"s3://{one.source}", foreseen(one, new=wish.new)) for one in chosen],
    )
    for rerun in [rerun for rerun in reruns if rerun.status == "planned"][: wish.canary]:
        rerun.canary = True
    return reruns


def _first(limit: int | None, reruns: Sequence[Rerun]) -> list[Rerun]:
    """The first reruns, `limit` at most; files that are left don't use it up."""
    chosen: list[Rerun] = []
    for rerun in reruns:
        if limit is not None and sum(one.status != "left" for one in chosen) == limit:
            break
        chosen.append(rerun)
    return chosen


def _targets(reruns: Iterable[Rerun]) -> list[Target]:
    from pipectl.client.targets import read_target

    return [read_target(rerun.file_id) for rerun in reruns]


def _leave(reruns: Iterable[Rerun]) -> None:
    for rerun in reruns:
        if rerun.status == "planned":
            rerun.status = "not_run"
            rerun.because = "the canary did not succeed"


def _run(rerunner: Rerunner, reruns: Sequence[Rerun], *, wait: bool) -> None:
    """Start them, saying how, and follow them."""
    for rerun in reruns:
        if rerun.how != "none":
            what = _WORDS[rerun.how]
            echo(f"{_name(rerun)}: {what}, because {rerun.because}", err=True)
    rerunner.start(reruns)
    _follow(rerunner, reruns, wait=wait)


def _follow(rerunner: Rerunner, reruns: Sequence[Rerun], *, wait: bool) -> None:
    """Follow what was started, with a line for each file that has ended."""
    if not wait:
        return
    from rich.console import Console

    console = Console(stderr=True)
    total = sum(rerun.under_way for rerun in reruns)
    done = 0
    with console.status(f"0 of {total} ended") as status:

        def ended(rerun: Rerun) -> None:
            nonlocal done
            done += 1
            status.update(f"{done} of {total} ended")
            echo(f"{_name(rerun)}: {rerun.status}", err=True)

        rerunner.wait(reruns, ended)
    rerunner.collect(reruns)


_WORDS = {
    "redrive": "redrive",
    "new_attempt": "new attempt",
    "correction": "its rejected rows",
    "follow": "followed",
    "upload": "upload again",
    "none": "nothing to do",
}


def _name(rerun: Rerun) -> str:
    return rerun.source.rpartition("/")[2]


def _show(reruns: Sequence[Rerun], stack: Stack) -> None:
    from pipectl import tables

    if not reruns:
        echo("No failed files.", err=True)
        return
    redrive = "redrive (emulated)" if stack.emulated else "redrive"
    tables.show(
        ("FILE", "STATUS", "BY", "TOOK", "RECORDS", "PROCESSED", "REJECTED", "SOURCE", "WHY"),
        (
            (
                rerun.file_id,
                rerun.status,
                redrive if rerun.how == "redrive" else _WORDS[rerun.how],
                lasted(rerun.duration_ms),
                *(
                    tables.number((rerun.item or {}).get(name))
                    for name in ("record_count", "processed_count", "error_count")
                ),
                rerun.source,
                f"{rerun.error.code}: {rerun.error.message}" if rerun.error else rerun.because,
            )
            for rerun in reruns
        ),
        status=1,
    )
    settled = sum(rerun.settled for rerun in reruns)
    if settled:
        echo(f"Deleted from the dead-letter queue: {settled}, of files that succeeded.")
