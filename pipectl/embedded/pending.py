"""The asynchronous invocations of functions that have not ended, which `up --data` keeps."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable


class PendingInvocations:
    """Functions and payloads of asynchronous invocations. Safe to use from many threads."""

    def __init__(self) -> None:
        self._payloads: dict[str, tuple[str, bytes]] = {}
        self._lock = threading.Lock()
        self.changed: Callable[[], object] = lambda: None
        """Called after each change."""

    def add(self, function: str, payload: bytes) -> str:
        """Add an invocation; returns its name, for `remove`."""
        name = str(uuid.uuid4())
        with self._lock:
            self._payloads[name] = function, payload
        self.changed()
        return name

    def remove(self, name: str) -> None:
        """Remove an invocation that has ended, successfully or not."""
        with self._lock:
            del self._payloads[name]
        self.changed()

    def all(self) -> Iterable[tuple[str, tuple[str, bytes]]]:
        """Name, and function and payload, of each, oldest first."""
        with self._lock:
            return list(self._payloads.items())
