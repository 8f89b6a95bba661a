"""Reports that executions have started or ended, so that polling is not needed."""

from __future__ import annotations

import threading


class Changes:
    """Counts the changes of all executions' statuses. Safe to use from many threads."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()
        self._closed = False

    def note(self) -> None:
        """Count a change."""
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def wait(self, seen: int, seconds: float | None = None) -> int:
        """Wait until there have been more changes than `seen`; returns how many there have been.

        Returns after `seconds` at the latest, and at once when the stack is closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._count > seen, seconds)
            return self._count

    def close(self) -> None:
        """End all waits, those to come included."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
