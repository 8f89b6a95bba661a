"""Executions are shown while they run, in a terminal and elsewhere."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from pipectl.client.history import Run, read_history
from pipectl.commands.following import follow_states, until_interrupted, watch_table
from tests.unit.pipectl_views.histories import History, failed, succeeded

HEADER = ("STATUS", "NAME")


class Ended(threading.Event):
    """Ends after a number of polls, and never waits."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._looks = looks

    def wait(self, _timeout: float | None = None) -> bool:
        self._looks -= 1
        return self._looks <= 0


def looks(*tables: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    yield from tables


def test_without_a_terminal_only_changes_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    read = looks(
        [("running", "b"), ("succeeded", "a")],
        [("running", "b"), ("succeeded", "a")],
        [("running", "c"), ("failed", "b"), ("succeeded", "a")],
    )
    watch_table(HEADER, lambda: list(next(read)), Ended(3), status=0, key=1)
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert printed == [["succeeded", "a"], ["running", "b"], ["failed", "b"], ["running", "c"]]


def test_in_a_terminal_the_table_is_drawn_in_place(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("LINES", "6")
    rows = [("running", f"{number} {'x' * 50}") for number in range(9)]
    watch_table(HEADER, lambda: list(rows), Ended(2), status=0, key=1)
    shown = capsys.readouterr().out
    assert "STATUS" in shown
    assert "3 " not in shown  # the fifth line is not drawn: the terminal has six
    assert "\u2026" in shown


def runs(*histories: tuple[History, str]) -> Iterator[Run]:
    for history, status in histories:
        yield read_history(history.events, status)


def test_the_states_of_an_execution_are_printed_as_they_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    start = History().call("ParseCsv", seconds=1.2).choose("IsSuperseded").enter("HowManySplits")
    read = runs(
        (History(), "running"), (start, "running"), (start, "running"), (succeeded(), "succeeded")
    )
    follow_states(lambda: next(read), Ended(9))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[:4] == [
        "ParseCsv \u2713 succeeded 1.2 s",
        "IsSuperseded \u2713 succeeded 50 ms",
        "\u2026 in HowManySplits",
        "HowManySplits \u2713 succeeded 50 ms",
    ]
    assert lines[-1].startswith("Done \u2713 succeeded")


def test_a_failure_is_printed_with_its_error(capsys: pytest.CaptureFixture[str]) -> None:
    follow_states(lambda: read_history(failed().events, "failed"), Ended(9))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "Transform \u2713 succeeded 10.1 s 2 tries" in lines
    assert "WriteOutput \u2715 failed 3.0 s TooManyRejects" in lines


def test_following_ends_when_it_is_interrupted() -> None:
    follow_states(lambda: read_history([], "running"), Ended(2))


def test_ctrl_c_sets_the_event_and_raises_nothing() -> None:
    before = signal.getsignal(signal.SIGINT)
    with until_interrupted() as ended:
        signal.raise_signal(signal.SIGINT)
        assert ended.is_set()
    assert signal.getsignal(signal.SIGINT) is before
