"""Failures: grouped by error and dataset, with their rerun, and the dead letters."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from pipectl.client.dead_letter_queue import DeadLetter
from pipectl.console.pages import page, small_number
from pipectl.errors import PipectlError
from pipectl.operate.dead_letters import discard, replay, replayable
from pipectl.operate.failed_files import FailedFile, FailureFilter
from pipectl.operate.rerun_files import rerun_files
from pipectl.operate.rerun_options import RerunOptions

if TYPE_CHECKING:
    from pipectl.console.state import Console

MOST_FILES = 20
"""Maximum number of files shown in a group; the list of files can be filtered for the others."""
MOST_LETTERS = 100
_MOST_CANARIES = 100
_BODY_CHARACTERS = 4000


@dataclass(frozen=True)
class Group:
    """The failed files of one error and dataset, the longest failing first."""

    error: str
    dataset: str
    files: list[FailedFile]
    rerun: str

    @property
    def message(self) -> str:
        """The message of the latest failure, as an example."""
        return max(self.files, key=lambda one: one.failed_at).message

    @property
    def remedy(self) -> str:
        """The error's remedy, such as `upload`."""
        return self.files[0].remedy

    @property
    def since(self) -> str:
        """Since when the first of them has failed."""
        return min(one.failing_since for one in self.files)


@dataclass(frozen=True)
class Letter:
    """A dead letter as the page shows it."""

    letter: DeadLetter
    body: str
    replay: str | None
    discard: str

    @property
    def about(self) -> str:
        """What the message is about, in one line."""
        if self.letter.invocation is not None:
            failed = self.letter.invocation
            return f"{failed.function} failed with {failed.code}: {failed.message}"
        if self.letter.sources:
            more = len(self.letter.sources) - 1
            return self.letter.sources[0].key + (f" and {more} more" if more else "")
        return "a message that can't be read"


def show(request: Request) -> Response:
    """The page. `error` and `dataset` in the address narrow it."""
    console: Console = request.app.state.console
    found = console.failures()
    error = request.query_params.get("error", "")
    dataset = request.query_params.get("dataset", "")
    open_files = [one for one in found.failures if one.resolved_by is None]
    chosen = [
        one
        for one in open_files
        if (not error or one.code == error) and (not dataset or one.source.dataset == dataset)
    ]
    return page(
        request,
        "failures.html",
        screen="failures",
        groups=_groups(console, chosen),
        most=len(chosen) if error and dataset else MOST_FILES,
        count=len(chosen),
        total=len(open_files),
        resolved=len(found.failures) - len(open_files),
        chosen={"error": error, "dataset": dataset},
        letters=[_letter(console, one) for one in found.letters[:MOST_LETTERS]],
        letter_count=len(found.letters),
        rerun_all=console.commands.line("rerun", "--all"),
    )


def _groups(console: Console, failures: list[FailedFile]) -> list[Group]:
    by_name: dict[tuple[str, str], list[FailedFile]] = defaultdict(list)
    for one in failures:
        by_name[one.code, one.source.dataset].append(one)
    groups = [
        Group(
            error,
            dataset,
            files,
            console.commands.line("rerun", "--all", "--error", error, "--dataset", dataset),
        )
        for (error, dataset), files in by_name.items()
    ]
    return sorted(groups, key=lambda group: (-len(group.files), group.error, group.dataset))


def _letter(console: Console, letter: DeadLetter) -> Letter:
    body = letter.body
    with suppress(ValueError, RecursionError):
        body = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    commands = console.commands
    return Letter(
        letter,
        body[:_BODY_CHARACTERS],
        commands.line("dead-letters", "replay", letter.message_id) if replayable(letter) else None,
        commands.line("dead-letters", "discard", letter.message_id, "--reason", "..."),
    )


def plan(request: Request) -> Response:
    """What a rerun of a group, or of all failed files, would do."""
    console: Console = request.app.state.console
    options = _options(request.query_params, dry_run=True)
    report = rerun_files(console.stack, options, console.quiet())
    return page(
        request,
        "plan.html",
        screen="failures",
        report=report,
        chosen={"error": options.only.error or "", "dataset": options.only.dataset or ""},
        canary=options.canary,
        planned=sum(one.status == "planned" for one in report.reruns),
        command=console.commands.line("rerun", "--all", *_narrowed(options), "--dry-run"),
    )


def _narrowed(options: RerunOptions) -> list[str | None]:
    only = options.only
    words: list[str | None] = []
    words += ["--error", only.error] if only.error else []
    words += ["--dataset", only.dataset] if only.dataset else []
    return words + (["--canary", str(options.canary)] if options.canary != 1 else [])


def _options(given: Mapping[str, Any], *, dry_run: bool = False) -> RerunOptions:
    canary = small_number(given.get("canary"), 1)
    only = FailureFilter(error=given.get("error") or None, dataset=given.get("dataset") or None)
    return RerunOptions(
        all_failed=True, only=only, canary=min(canary, _MOST_CANARIES), dry_run=dry_run
    )


def rerun(request: Request, form: Mapping[str, Any]) -> Response:
    """Start the rerun of a group and show its progress."""
    console: Console = request.app.state.console
    options = _options(form)
    command = console.commands.line("rerun", "--all", *_narrowed(options))
    job = console.jobs.start(command, options)
    return RedirectResponse(f"/jobs/{job.id}", 303)


def job(request: Request) -> Response:
    """The progress of a rerun."""
    console: Console = request.app.state.console
    found = console.jobs.find(str(request.path_params["job"]))
    if found is None:
        raise PipectlError("There is no such rerun. The console may have been restarted.")
    return page(request, "job.html", screen="failures", job=found)


def replay_letter(request: Request, form: Mapping[str, Any]) -> Response:
    """Move a dead letter back to the processing queue."""
    console: Console = request.app.state.console
    list(replay(console.stack, [str(form.get("message_id", ""))]))
    console.changed()
    return RedirectResponse("/failures#dead-letters", 303)


def discard_letter(request: Request, form: Mapping[str, Any]) -> Response:
    """Delete a dead letter, and record why."""
    console: Console = request.app.state.console
    reason = str(form.get("reason", ""))
    discard(console.stack, [str(form.get("message_id", ""))], reason)
    console.changed()
    return RedirectResponse("/failures#dead-letters", 303)
