"""Partial batch responses, as Lambda reads them."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from pipectl.embedded import poller
from pipectl.embedded.poller import Clock, EventSource, Poller, _refused


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        (None, []),
        ({}, []),
        ({"batchItemFailures": None}, []),
        ({"batchItemFailures": []}, []),
        ({"batchItemFailures": [{"itemIdentifier": "b"}]}, ["b"]),
        ({"batchItemFailures": [{"itemIdentifier": "x"}]}, ["a", "b"]),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, ["a", "b"]),
        ({"batchItemFailures": [{}]}, ["a", "b"]),
    ],
)
def test_what_a_response_refuses(answer: Any, refused: list[str]) -> None:
    assert _refused(answer, ["a", "b"]) == refused


class OddQueue:
    """Returns an invalid response once, and then valid ones."""

    def __init__(self) -> None:
        self.asked = 0
        self.polled_again = threading.Event()

    def receive_message(self, **_: Any) -> Any:
        self.asked += 1
        if self.asked == 1:
            return None
        self.polled_again.set()
        return {}


def test_an_unexpected_response_is_logged_and_does_not_end_the_polling(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(poller, "PAUSE_AFTER_SURPRISE_SECONDS", 0.0)
    queue: Any = OddQueue()
    source = EventSource("https://queue.example/q", "arn", "f", 10, True, 1)
    arrivals = SimpleNamespace(wait=lambda: None, wake=lambda: None)
    polling = Poller(source, None, queue, arrivals, Clock(queue))  # type: ignore[arg-type]
    polling.start()
    try:
        assert queue.polled_again.wait(10)
    finally:
        polling.stop()
    assert "Messages of https://queue.example/q can't be received." in caplog.text
