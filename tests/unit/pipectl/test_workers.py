"""The pool of workers is bounded, and ends workers that only a burst of files needed."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipectl.embedded import workers
from pipectl.embedded.workers import Function, InvocationResult, Workers

DONE = InvocationResult(b"{}", failed=False)


class FakeWorker:
    """A worker without a process."""

    started: Counter[str]
    running: set[FakeWorker]

    def __init__(self, function: Function, *_: Any) -> None:
        self.function = function.name
        self.alive = True
        self.idle_since = 0.0
        self.may_end = threading.Event()
        FakeWorker.started[self.function] += 1
        FakeWorker.running.add(self)

    def invoke(self, payload: bytes, _request_id: str) -> InvocationResult:
        if payload == b"wait":
            assert self.may_end.wait(10)
        return DONE

    def runs(self, function: Function) -> bool:
        return function.name == self.function

    def kill(self) -> None:
        self.alive = False
        FakeWorker.running.discard(self)

    interrupt = kill


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Workers]:
    FakeWorker.started, FakeWorker.running = Counter(), set()
    monkeypatch.setattr(workers, "_Worker", FakeWorker)
    monkeypatch.setattr(workers, "SPARE_SECONDS", 0.2)
    pool = Workers({}, tmp_path)
    yield pool
    pool.close()


def function(name: str) -> Function:
    return Function(name, f"arn:{name}", "app.handler", Path(), 3, 128, {}, "logs")


def at_once(pool: Workers, name: str, count: int) -> None:
    """Run this number of invocations of one function at the same time."""
    threads = [
        threading.Thread(target=pool.invoke, args=(function(name), b"wait", "r"))
        for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 10
    while sum(worker.function == name for worker in FakeWorker.running) < count:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    for worker in list(FakeWorker.running):
        worker.may_end.set()
    for thread in threads:
        thread.join()


def running() -> Counter[str]:
    return Counter(worker.function for worker in FakeWorker.running)


def wait_until_running(expected: dict[str, int]) -> None:
    deadline = time.monotonic() + 10
    while running() != expected and time.monotonic() < deadline:
        time.sleep(0.01)
    assert running() == expected


def test_a_worker_is_used_again(pool: Workers) -> None:
    for _ in range(3):
        pool.invoke(function("a"), b"", "r")
    assert FakeWorker.started == {"a": 1}


def test_the_worker_that_has_been_idle_longest_is_ended_first(pool: Workers) -> None:
    for number in range(workers.MOST_IDLE + 2):
        pool.invoke(function(f"f{number}"), b"", "r")
    assert len(FakeWorker.running) == workers.MOST_IDLE
    assert not {"f0", "f1"} & running().keys()


def test_after_a_burst_each_function_keeps_one_worker(pool: Workers) -> None:
    at_once(pool, "a", 3)
    at_once(pool, "b", 2)
    assert running() == {"a": 3, "b": 2}
    wait_until_running({"a": 1, "b": 1})


def test_workers_in_use_are_not_ended(pool: Workers) -> None:
    at_once(pool, "a", 2)
    for worker in FakeWorker.running:
        worker.may_end.clear()
    threads = [
        threading.Thread(target=pool.invoke, args=(function("a"), b"wait", "r")) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.5)  # more than a spare worker is kept for
    assert running() == {"a": 2}
    for worker in list(FakeWorker.running):
        worker.may_end.set()
    for thread in threads:
        thread.join()


def test_a_closed_pool_ends_nothing_later(pool: Workers) -> None:
    at_once(pool, "a", 2)
    pool.close()
    assert running() == {}
    before = threading.active_count()
    time.sleep(0.3)
    assert threading.active_count() <= before
