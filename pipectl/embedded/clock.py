"""The stack's own clock: waits that can be shorter than asked for, and that end with the stack."""

from __future__ import annotations

import threading


class StackClock:
    """Sleeps for the engine's retries and asynchronous invocations. Safe to use from many threads.

    When the stack ends, thousands of executions may be waiting for their next attempt, for minutes
    or hours. `close` ends the threads they wait in.
    """

    def __init__(self, factor: float) -> None:
        """A sleep takes `factor` times as long as asked for; 0 doesn't sleep at all."""
        self._factor = factor
        self._closed = threading.Event()

    def sleep(self, seconds: float) -> None:
        """Wait; when the clock is closed, end the calling thread."""
        if self._closed.wait(seconds * self._factor):
            self.check()

    def check(self) -> None:
        """End the calling thread if the clock is closed.

        It raises SystemExit, which neither the engine catches nor a thread reports.
        """
        if self._closed.is_set():
            raise SystemExit

    def close(self) -> None:
        """End all waits, and every thread that comes to `sleep` or `check` from now on."""
        self._closed.set()
