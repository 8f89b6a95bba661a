"""A rerun from request to report: find the files, plan each once, act, report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pipectl.operate.rerun_actions import RerunActions
from pipectl.operate.rerun_candidates import find_candidates
from pipectl.operate.rerun_options import RerunOptions
from pipectl.operate.rerun_plan import FileRerun, plan_reruns

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack

_UNSUCCESSFUL = frozenset(
    {"failed", "timed_out", "aborted", "refused", "not_started", "not_run", "superseded"}
)


CanaryStatus = Literal["succeeded", "failed"]


class RerunProgress(Protocol):
    """Shows the progress of a rerun."""

    def starting(self, rerun: FileRerun) -> None:
        """A planned rerun is about to be started."""

    def following(self, total: int) -> AbstractContextManager[Callable[[FileRerun], None]]:
        """Entered while this number of reruns is followed; the value is called as each one ends."""


@dataclass(frozen=True)
class RerunReport:
    """What a rerun did, or would do if `dry_run`; `canary` says how the canaries ended."""

    reruns: Sequence[FileRerun]
    canary: CanaryStatus | None
    emulated: bool
    options: RerunOptions

    @property
    def succeeded(self) -> bool:
        """Whether no file is left unsuccessful. With `all_failed`, skipped files don't count."""
        failing = _UNSUCCESSFUL if self.options.all_failed else _UNSUCCESSFUL | {"skipped"}
        return not any(rerun.status in failing for rerun in self.reruns)

    def to_document(self) -> dict[str, Any]:
        """What `pipectl rerun --json` prints."""
        return {
            "emulated": self.emulated,
            "dry_run": self.options.dry_run,
            "canary": self.canary,
            "reruns": [rerun.to_document() for rerun in self.reruns],
        }


def rerun_files(stack: Stack, options: RerunOptions, progress: RerunProgress) -> RerunReport:
    """Rerun files as the options say; raises `PipectlError` if a named file can't be found."""
    actions = RerunActions(stack, options)
    canary = None
    reruns = plan_reruns(find_candidates(stack, options), options)
    if not options.dry_run:
        canary = _run(actions, reruns, progress, wait=options.wait)
        actions.delete_dead_letters(reruns)
    return RerunReport(reruns, canary, stack.emulated, options)


def _run(
    actions: RerunActions, reruns: Sequence[FileRerun], progress: RerunProgress, *, wait: bool
) -> CanaryStatus | None:
    """Run the canaries and, if all of them succeed, the others; returns how the canaries ended."""
    canaries = [rerun for rerun in reruns if rerun.canary]
    others = [rerun for rerun in reruns if not rerun.canary]
    if canaries:
        _start(actions, canaries, progress)
        _follow(actions, canaries, progress, wait=True)
    if any(rerun.status != "succeeded" for rerun in canaries):
        for rerun in others:
            if rerun.status == "planned":
                rerun.status, rerun.reason = "not_run", "the canary did not succeed"
        return "failed"
    _start(actions, others, progress)
    _follow(actions, others, progress, wait=wait)
    return "succeeded" if canaries else None


def _start(actions: RerunActions, reruns: Sequence[FileRerun], progress: RerunProgress) -> None:
    for rerun in reruns:
        if rerun.how != "none":
            progress.starting(rerun)
    actions.start(reruns)


def _follow(
    actions: RerunActions, reruns: Sequence[FileRerun], progress: RerunProgress, *, wait: bool
) -> None:
    if wait:
        with progress.following(sum(rerun.pending for rerun in reruns)) as ended:
            actions.follow(reruns, ended)
