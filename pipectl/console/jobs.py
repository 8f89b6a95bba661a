"""Reruns in the background, whose progress a page shows."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipectl.operate.rerun_files import RerunReport, rerun_files
from pipectl.operate.rerun_options import RerunOptions
from pipectl.operate.rerun_plan import FileRerun

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack

_MOST = 50


@dataclass
class RerunJob:
    """A rerun: the files that were started so far, and its report at the end."""

    id: str
    command: str
    started_at: datetime
    started: list[FileRerun] = field(default_factory=list)
    ended: int = 0
    report: RerunReport | None = None
    problem: str | None = None

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.report is None and self.problem is None

    def starting(self, rerun: FileRerun) -> None:
        """A file is about to be started."""
        self.started.append(rerun)

    @contextmanager
    def following(self, _total: int) -> Iterator[Callable[[FileRerun], None]]:
        """Count the files that have ended."""

        def ended(_rerun: FileRerun) -> None:
            self.ended += 1

        yield ended


class Jobs:
    """The reruns that this console has started, the latest ones."""

    def __init__(self, stack: Stack, changed: Callable[[], None]) -> None:
        self._stack = stack
        self._changed = changed
        self._jobs: dict[str, RerunJob] = {}

    def start(self, command: str, options: RerunOptions) -> RerunJob:
        """Start a rerun in a separate thread."""
        job = RerunJob(secrets.token_hex(8), command, datetime.now(UTC))
        self._jobs[job.id] = job
        for old in list(self._jobs)[:-_MOST]:
            del self._jobs[old]
        threading.Thread(target=self._run, args=(job, options), daemon=True).start()
        return job

    def find(self, job_id: str) -> RerunJob | None:
        """The rerun of this id."""
        return self._jobs.get(job_id)

    def _run(self, job: RerunJob, options: RerunOptions) -> None:
        try:
            job.report = rerun_files(self._stack, options, job)
        except Exception as error:  # noqa: BLE001  # shown in the page
            job.problem = f"{type(error).__name__}: {error}"
        self._changed()
