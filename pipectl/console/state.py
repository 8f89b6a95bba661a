"""The state that all pages of one console share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from pipectl.console.commands import Commands
from pipectl.console.index import ExecutionIndex, group_of
from pipectl.console.jobs import Jobs
from pipectl.console.live import ChangeSource, Live, Polled
from pipectl.console.running_steps import RunningSteps
from pipectl.console.staging import Staging
from pipectl.operate.failed_files import FailureFilter
from pipectl.operate.find_failures import FoundFailures, find_failures
from pipectl.operate.rerun_files import RerunReport, rerun_files
from pipectl.operate.rerun_options import RerunOptions
from pipectl.operate.rerun_plan import FileRerun

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack

# Reading the failures receives messages of the dead-letter queue, which hides them from others.
_FAILURES_SECONDS = 5.0


class Messages(Protocol):
    """Returns all messages that the stack has published."""

    def __call__(self) -> list[dict[str, Any]]:
        """The messages: subject, message, attributes."""


class Console:
    """The state that all pages share. Safe to use from many threads."""

    def __init__(
        self,
        stack: Stack,
        *,
        allow_writes: bool,
        commands: Commands,
        changes: ChangeSource | None = None,
        messages: Messages | None = None,
        patience: float = 0.2,
    ) -> None:
        """`changes` and `messages` are what only an embedded stack reports.

        A page waits for at most `patience` seconds until the newest executions are read.
        """
        self.stack = stack
        self.allow_writes = allow_writes
        self.commands = commands
        self.closed = threading.Event()
        self.index = ExecutionIndex(stack, patience=patience)
        self.live = Live(self.index, changes or Polled(self.closed), self.closed)
        self.steps = RunningSteps(stack.client("stepfunctions"))
        self.staging = Staging()
        self.jobs = Jobs(stack, self.changed)
        self._messages = messages
        self._failures: tuple[float, int, FoundFailures] | None = None
        self._reading_failures = threading.Lock()

    @property
    def has_messages(self) -> bool:
        """Whether the stack keeps the messages that it has published."""
        return self._messages is not None

    @property
    def place(self) -> str:
        """Where the stack is, in a few words."""
        if self.stack.emulated:
            return str(self.stack.deployment.endpoint).removeprefix("http://")
        return f"AWS {self.stack.region}"

    @property
    def failed_count(self) -> int:
        """The number of files whose last execution failed."""
        return sum(group_of(row) == "failed" for row in self.index.known_files())

    def notifications(self) -> list[dict[str, Any]]:
        """All messages that the stack has published, if it keeps them."""
        return self._messages() if self._messages else []

    def failures(self) -> FoundFailures:
        """The failed files, read again if something has changed or some seconds have passed."""
        with self._reading_failures:
            self.index.files()
            now, version = time.monotonic(), self.index.version
            if self._failures is not None:
                at, seen, found = self._failures
                if seen == version and now - at < _FAILURES_SECONDS:
                    return found
            found = find_failures(self.stack, FailureFilter())
            self._failures = (time.monotonic(), version, found)
            return found

    def changed(self) -> None:
        """Make the next page read the stack again, after a change."""
        self._failures = None
        self.index.outdate()
        self.live.note("files", "")

    def rerun(self, options: RerunOptions) -> RerunReport:
        """Rerun files without waiting for their end."""
        report = rerun_files(self.stack, options, Quiet())
        self.changed()
        return report

    def quiet(self) -> Quiet:
        """Progress that is not shown, as for a dry run."""
        return Quiet()

    def close(self) -> None:
        """End all streams, and delete the files that have not been sent."""
        self.closed.set()
        self.live.close()
        self.staging.close()


class Quiet:
    """Shows no progress."""

    def starting(self, rerun: FileRerun) -> None:
        """Show nothing."""

    def following(self, _total: int) -> AbstractContextManager[Callable[[FileRerun], None]]:
        """Show nothing."""
        return _nothing()


@contextmanager
def _nothing() -> Iterator[Callable[[FileRerun], None]]:
    yield lambda _rerun: None
