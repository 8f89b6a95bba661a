"""How commands find a stack that another process holds up."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipectl.client.state_file import RunningStack
from pipectl.errors import PipectlError


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
def test_a_file_that_tells_nothing_is_no_stack(tmp_path: Path, content: str) -> None:
    path = tmp_path / "embedded.json"
    path.write_text(content)
    assert RunningStack.find(path) is None


def test_a_stack_whose_process_is_gone_is_none(tmp_path: Path) -> None:
    path = tmp_path / "embedded.json"
    stack(2**22 + 1).write(path)  # beyond the greatest process number
    assert RunningStack.find(path) is None


def test_a_command_that_needs_a_stack_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(PipectlError, match="Start one with: pipectl up"):
        RunningStack.need(tmp_path / "embedded.json")
