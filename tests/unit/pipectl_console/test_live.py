"""Open pages are notified of changes, and nothing is read while no page is open."""

from __future__ import annotations

import asyncio
import threading

from pipectl.console.live import Live, event
from tests.unit.pipectl_console.world import ConsoleWorld, console


class Counter:
    """Reports one change, and then none."""

    def __init__(self) -> None:
        self.waits = 0

    def wait(self, seen: int, seconds: float) -> int:
        """See `ChangeSource`."""
        self.waits += 1
        threading.Event().wait(0.01)
        return 1


def test_a_change_reaches_the_page_and_nothing_is_read_without_an_open_page(
    world: ConsoleWorld,
) -> None:
    changes, closed = Counter(), threading.Event()
    live = Live(console().index, changes, closed)
    assert changes.waits == 0

    async def listen() -> list[str]:
        events = live.events()
        found = [await anext(events), await asyncio.wait_for(anext(events), 30)]
        await events.aclose()  # type: ignore[attr-defined]
        return found

    hello, files = asyncio.run(listen())
    assert hello.startswith("event: hello\n")
    assert files.startswith("event: files\n")
    assert not live.watched
    closed.set()


def test_text_with_line_breaks_stays_one_event() -> None:
    assert event("files", "a\nevent: evil\r\n\nb") == (
        "event: files\ndata: a\ndata: event: evil\ndata: \ndata: b\n\n"
    )
