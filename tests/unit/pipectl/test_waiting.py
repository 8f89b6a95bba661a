"""Nothing in the embedded AWS polls: waits for messages and executions end by a notification."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from moto.sqs.models import sqs_backends

from pipectl.embedded.changes import Changes
from pipectl.embedded.clock import StackClock
from pipectl.embedded.moto_patches.account import MotoAccount
from pipectl.embedded.moto_patches.all_patches import applied
from pipectl.embedded.moto_patches.backends import QueueArrivals, empty_backends
from pipectl.embedded.moto_patches.table import PatchSettings
from pipectl.embedded.rights.enforcement import Rights
from pipectl.embedded.template import ACCOUNT, REGION

SETTINGS = PatchSettings(
    endpoint=lambda _service: "",
    clock=StackClock(0),
    invoke=lambda _function, _payload: None,
    changed=lambda: None,
    serve=lambda _session: None,
    rights=Rights(MotoAccount()),
    stacks=Mock(),
)


class Queue:
    """A queue of moto's, and a thread that waits for its messages."""

    def __init__(self) -> None:
        self.backend: Any = sqs_backends[ACCOUNT][REGION]
        self.backend.create_queue("q")
        self.arrivals = QueueArrivals("q")
        self.cpu_seconds = 0.0

    def send(self, delay: int = 0) -> None:
        self.backend.send_message("q", "body", delay_seconds=delay)

    def receive(self, visibility_timeout: int) -> str:
        (message,) = self.backend.receive_message("q", 1, 0, visibility_timeout)
        return str(message.receipt_handle)

    def seconds_until_woken_by(self, act: Callable[[], object]) -> float:
        """How long a wait goes on that begins before `act`."""
        woken = threading.Event()
        thread = threading.Thread(target=self._wait, args=(woken,), daemon=True)
        thread.start()
        assert not woken.wait(0.2), "nothing has happened yet"
        begin = time.monotonic()
        act()
        assert woken.wait(10)
        return time.monotonic() - begin

    def _wait(self, woken: threading.Event) -> None:
        self.arrivals.wait()
        self.cpu_seconds = time.thread_time()
        woken.set()


@pytest.fixture
def queue() -> Iterator[Queue]:
    with empty_backends(), applied(SETTINGS):
        yield Queue()


def test_a_wait_ends_when_a_message_is_sent(queue: Queue) -> None:
    assert queue.seconds_until_woken_by(queue.send) < 5
    assert queue.cpu_seconds < 0.05


def test_a_wait_does_not_begin_if_a_message_is_visible(queue: Queue) -> None:
    queue.send()
    queue.arrivals.wait()


def test_a_wait_ends_when_a_received_message_becomes_visible_again(queue: Queue) -> None:
    queue.send()
    queue.receive(visibility_timeout=1)
    assert 0.5 < queue.seconds_until_woken_by(lambda: None) < 5


def test_a_wait_ends_when_a_client_makes_a_message_visible(queue: Queue) -> None:
    queue.send()
    handle = queue.receive(visibility_timeout=3600)
    change = queue.backend.change_message_visibility
    assert queue.seconds_until_woken_by(lambda: change("q", handle, 0)) < 5


def test_a_wait_ends_when_a_delayed_message_is_due(queue: Queue) -> None:
    assert 0.5 < queue.seconds_until_woken_by(lambda: queue.send(delay=1)) < 5


def test_a_wait_ends_with_the_poller(queue: Queue) -> None:
    assert queue.seconds_until_woken_by(queue.arrivals.wake) < 5


def test_changes_are_counted_and_awaited() -> None:
    changes = Changes()
    threading.Timer(0.1, changes.note).start()
    assert changes.wait(0, 10) == 1
    assert changes.wait(0, 10) == 1, "it is known already"
    assert changes.wait(1, 0.01) == 1, "there was no other"


def test_the_end_of_the_stack_ends_the_waits_for_changes() -> None:
    changes = Changes()
    threading.Timer(0.1, changes.close).start()
    assert changes.wait(0) == 0
