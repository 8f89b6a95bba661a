"""How commands find a stack that another process runs."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from pipectl.client.state_file import RunningStack


def stack(pid: int) -> RunningStack:
    """A stack of a process."""
    return RunningStack(pid, "http://127.0.0.1:1", "us-east-1", "data-pipeline", "logs")


def test_a_stack_is_found_where_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "embedded.json"
    stack(os.getpid()).write(path)
    found = RunningStack.find(path)
    assert found == stack(os.getpid())
    assert found.deployment.endpoint == "http://127.0.0.1:1"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"pid": "x"}'])
def test_an_unreadable_state_file_means_no_stack(tmp_path: Path, content: str) -> None:
    path = tmp_path / "embedded.json"
    path.write_text(content)
    assert RunningStack.find(path) is None


def test_a_stack_whose_process_has_ended_is_none(tmp_path: Path) -> None:
    path = tmp_path / "embedded.json"
    stack(2**22 + 1).write(path)  # beyond the greatest process number
    assert RunningStack.find(path) is None


def test_no_other_user_can_read_the_token(tmp_path: Path) -> None:
    path = tmp_path / "embedded.json"
    path.write_text("{}")
    path.chmod(0o644)
    before = os.umask(0)
    try:
        stack(os.getpid()).write(path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["embedded.json"]


def test_a_stack_that_has_ended_is_none_and_leaves_no_token(tmp_path: Path) -> None:
    path = tmp_path / "embedded.json"
    replace(stack(os.getpid()), token="secret").write_ended(path)
    assert path.exists()
    assert RunningStack.find(path) is None
    assert "secret" not in path.read_text()
