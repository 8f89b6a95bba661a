"""Commands that take long say how far they are; others say nothing."""

from __future__ import annotations

import pytest

from pipectl.local.file_progress import FileProgress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which a test changes."""
    now = [100.0]
    monkeypatch.setattr("pipectl.local.file_progress.time.monotonic", lambda: now[0])
    return now


def test_nothing_is_said_about_what_is_quick(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    progress = FileProgress("Checking", 2)
    for name in ("a.csv", "b.csv"):
        progress.begin(name, 10)
        progress.read(5)
        clock[0] += 0.5
    assert capsys.readouterr().err == ""


def test_a_line_is_printed_whenever_nothing_was_for_a_while(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    progress = FileProgress("Checking", 3)
    progress.begin("a.csv", 4 * 1024 * 1024)
    for done in (0, 1, 2, 3):
        clock[0] += 1
        progress.read(done * 1024 * 1024)
    clock[0] += 2
    progress.begin("b.csv", 10)
    assert capsys.readouterr().err.splitlines() == [
        "Checking a.csv: 25% of 4 MiB",
        "Checking a.csv: 75% of 4 MiB",
        "Checking b.csv: file 2 of 3",
    ]
