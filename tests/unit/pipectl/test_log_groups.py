"""Log groups are filled from log files: once, line by line, and bounded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.logs.models import logs_backends

from pipectl.embedded.log_files import LogFile, delete_old, log_files
from pipectl.embedded.moto_patches import log_groups
from pipectl.embedded.moto_patches.backends import empty_backends
from pipectl.embedded.moto_patches.log_groups import LogGroups

GROUP = "/aws/lambda/probe"
DONE = '{"timestamp": "2026-03-01 08:00:00,250+0000", "message": "done"}'
LATER = '{"time": "2026-03-01T08:00:01Z", "type": "platform.report"}'
DONE_AT = 1772352000250


@pytest.fixture(autouse=True)
def backends() -> Iterator[None]:
    with empty_backends():
        yield


@pytest.fixture
def groups(tmp_path: Path) -> LogGroups:
    groups = LogGroups(tmp_path)
    groups.add({"probe": GROUP}, [])
    return groups


def events(stream: str) -> list[tuple[int, str]]:
    group = logs_backends["123456789012"]["us-east-1"].groups[GROUP]
    found = group.streams[stream].events if stream in group.streams else []
    return [(event.timestamp, event.message) for event in found]


def test_each_line_is_added_once_when_it_is_whole(tmp_path: Path, groups: LogGroups) -> None:
    file = LogFile.new(tmp_path, "probe")
    with file.path.open("w") as log:
        log.write(f"{DONE}\n{LATER[:20]}")
        log.flush()
        groups.update()
        assert events(file.stream) == [(DONE_AT, DONE)]
        log.write(f"{LATER[20:]}\n")
        log.flush()
        groups.update()
        groups.update()
    assert events(file.stream) == [(DONE_AT, DONE), (DONE_AT + 750, LATER)]


def test_lines_without_a_time_have_that_of_their_invocation(
    tmp_path: Path, groups: LogGroups
) -> None:
    file = LogFile.new(tmp_path, "probe")
    file.path.write_text(f"START 1\n{DONE}\nplain\nEND 1\nSTART 2\n{LATER}\nEND 2\n")
    groups.update()
    times = [moment - DONE_AT for moment, _ in events(file.stream)]
    assert times == [0, 0, 0, 0, 750, 750, 750]


def test_what_an_earlier_stack_logged_is_left_out(tmp_path: Path) -> None:
    file = LogFile.new(tmp_path, "probe")
    file.path.write_text(f"{DONE}\n")
    groups = LogGroups(tmp_path)
    groups.add({"probe": GROUP}, [])
    with file.path.open("a") as log:
        log.write(f"{LATER}\n")
    groups.update()
    assert [message for _, message in events(file.stream)] == [LATER]


def test_a_group_keeps_its_newest_events(
    tmp_path: Path, groups: LogGroups, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_groups, "_MOST_BYTES", 3 * len(DONE))
    old, new = LogFile.new(tmp_path, "probe"), LogFile.new(tmp_path, "probe")
    old.path.write_text(f"{DONE}\n{DONE}\n")
    groups.update()
    new.path.write_text(f"{LATER}\n{LATER}\n{LATER}\n")
    groups.update()
    assert len(events(new.stream)) == 3
    assert len(events(old.stream)) <= 1


def test_a_file_names_its_function_and_stream(tmp_path: Path) -> None:
    path = tmp_path / "probe" / ("2026-03-01-" + "0f" * 16 + ".log")
    path.parent.mkdir()
    path.touch()
    [file] = log_files(tmp_path)
    assert file.function == "probe"
    assert file.stream == "2026/03/01/[$LATEST]" + "0f" * 16


def test_old_log_files_are_deleted_and_nothing_else(tmp_path: Path) -> None:
    new, old, other = (LogFile.new(tmp_path, "probe").path for _ in range(3))
    other = other.with_name("notes.log")
    for path in (new, old, other):
        path.touch()
    for path in (old, other):
        os.utime(path, (0, 0))
    delete_old(tmp_path)
    assert {path.name for path in (tmp_path / "probe").iterdir()} == {new.name, other.name}
