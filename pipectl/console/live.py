"""Reports changes of the stack to open pages by server-sent events.

Nothing is read while no page is open.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Protocol

from pipectl.console.index import ExecutionIndex

# Proxies and browsers close a connection on which nothing happens.
_SILENCE_SECONDS = 20.0
# Executions that start or end at almost the same time are read together.
_TICK = 0.4
_WAIT_SECONDS = 2.0
_AWS_SECONDS = 5.0


class ChangeSource(Protocol):
    """Counts how often executions have started or ended."""

    def wait(self, seen: int, seconds: float) -> int:
        """Wait for more than `seen` changes, or for some seconds; returns how many there were."""


class Polled:
    """For a stack that reports no changes: every poll may find one."""

    def __init__(self, closed: threading.Event, seconds: float = _AWS_SECONDS) -> None:
        self._closed = closed
        self._seconds = seconds

    def wait(self, seen: int, seconds: float) -> int:
        """Wait until the next poll is due."""
        self._closed.wait(max(seconds, self._seconds))
        return seen + 1


class Live:
    """Sends an event to every open page when executions have changed."""

    def __init__(
        self, index: ExecutionIndex, changes: ChangeSource, closed: threading.Event
    ) -> None:
        self._index = index
        self._changes = changes
        self._closed = closed
        self._lock = threading.Lock()
        self._listeners: dict[asyncio.Queue[str], asyncio.AbstractEventLoop] = {}
        self._thread: threading.Thread | None = None

    @property
    def watched(self) -> bool:
        """Whether a page is open."""
        return bool(self._listeners)

    async def events(self) -> AsyncIterator[str]:
        """The events for one page, as text of `text/event-stream`."""
        queue: asyncio.Queue[str] = asyncio.Queue()
        with self._lock:
            self._listeners[queue] = asyncio.get_running_loop()
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, daemon=True)
                self._thread.start()
        try:
            # A page that was disconnected has missed events: its list is loaded as a whole.
            yield event("hello", str(self._index.version))
            while not self._closed.is_set():
                try:
                    yield await asyncio.wait_for(queue.get(), _SILENCE_SECONDS)
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            with self._lock:
                self._listeners.pop(queue, None)

    def note(self, name: str, text: str) -> None:
        """Send an event to all open pages."""
        with self._lock:
            listeners = list(self._listeners.items())
        for queue, loop in listeners:
            if not loop.is_closed():
                loop.call_soon_threadsafe(queue.put_nowait, event(name, text))

    def close(self) -> None:
        """End all streams."""
        self.note("end", "")

    def _watch(self) -> None:
        """Read the stack whenever it has changed, until no page is open."""
        seen = 0
        while not self._closed.is_set():
            seen = self._look(seen)
            with self._lock:
                if not self._listeners:
                    self._thread = None
                    return
            self._closed.wait(_TICK)

    def _look(self, seen: int) -> int:
        try:
            now = self._changes.wait(seen, _WAIT_SECONDS)
            running = {
                row.execution.name for row in self._index.known_files() if row.execution.running
            }
            if now == seen and not running:
                return seen
            seen, changed = now, self._index.look()
        except Exception as error:  # noqa: BLE001  # the stack may have ended; pages say so
            self.note("problem", type(error).__name__)
            self._closed.wait(_WAIT_SECONDS)
            return seen
        # A running execution may be in another step.
        if changed | running:
            self.note("files", " ".join(_few(sorted(changed | running))))
        return seen


def _few(names: Iterable[str]) -> Iterable[str]:
    return list(names)[:100]


def event(name: str, text: str) -> str:
    """One event; a line break in its text must not begin another one."""
    lines: Callable[[str], str] = lambda line: f"data: {line}\n"  # noqa: E731
    return f"event: {name}\n{''.join(map(lines, text.splitlines() or ['']))}\n"
