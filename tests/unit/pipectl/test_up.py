"""`pipectl up` prints the outcomes of executions, and never ends because of what it prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from pipectl.client.history import ExecutionFailure, Run
from pipectl.client.step_functions import DescribedExecution
from pipectl.commands.up import _Reporter, _say

STARTED = datetime(2026, 3, 1, tzinfo=UTC)
ARN = "arn:aws:states:us-east-1:123456789012:execution:data-pipeline-dev:"


class FakeExecutions:
    """Lists executions of any input; some can't be read."""

    def __init__(self) -> None:
        self.documents: list[Any] = []
        self.error: Exception | None = None
        self.unreadable: set[str] = set()

    def all(self) -> Iterator[DescribedExecution]:
        if self.error is not None:
            raise self.error
        for number, document in enumerate(self.documents):
            yield DescribedExecution(
                f"{ARN}{number}", str(number), "failed", STARTED, document=document
            )

    def run(self, execution: DescribedExecution) -> Run:
        if execution.name in self.unreadable:
            raise KeyError("history")
        return Run("failed", failure=ExecutionFailure("Odd", "a\nforged line \x1b[31m", None))


@pytest.fixture
def executions() -> FakeExecutions:
    return FakeExecutions()


def test_any_input_of_an_execution_is_one_line(
    executions: FakeExecutions, capsys: pytest.CaptureFixture[str]
) -> None:
    sources: list[Any] = [{"key": "raw/x\n\x1b]0;y\x07"}, {"key": ["\ud800"]}, "text", [1], None]
    executions.documents = [{"source": source} for source in sources]
    _Reporter(executions, threading.Event()).look()  # type: ignore[arg-type]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(sources)
    assert all(line.isprintable() for line in lines)
    assert lines[-1] == r"raw/x\n\x1b]0;y\x07 failed: Odd: a\nforged line \x1b[31m"


def test_an_unreadable_execution_is_reported_once_and_hides_no_other(
    executions: FakeExecutions, capsys: pytest.CaptureFixture[str]
) -> None:
    reporter = _Reporter(executions, threading.Event())  # type: ignore[arg-type]
    executions.error = RuntimeError("gone")
    reporter.look()
    reporter.look()
    assert capsys.readouterr().err == "Executions can't be shown: RuntimeError: gone\n"
    executions.error = None
    executions.documents = [{"source": {"key": "a"}}, {"source": {"key": "b"}}]
    executions.unreadable = {"1"}
    reporter.look()
    reporter.look()
    shown = capsys.readouterr()
    assert shown.err == "Executions can't be shown: KeyError: 'history'\n"
    assert shown.out.startswith("a failed")
    executions.error = RuntimeError("gone")
    reporter.look()
    assert "gone" in capsys.readouterr().err


def test_a_closed_pipe_does_not_end_the_stack() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    code = "from pipectl.commands.up import _say\nfor _ in range(3): _say('x')\n"
    code += "_say('still here', err=True)"
    process = subprocess.run(
        [sys.executable, "-c", code],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (process.returncode, process.stderr) == (0, "still here\n")


def test_a_closed_stream_does_not_end_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull, "w") as stream:  # noqa: PTH123  # it is no path of ours
        monkeypatch.setattr(sys, "stdout", stream)
    _say("nobody sees it")


def test_a_name_that_the_terminals_encoding_lacks_does_not_end_the_stack() -> None:
    code = "from pipectl.commands.up import _say\nfrom pipectl.output import accept_any_text\n"
    code += "accept_any_text()\n_say('raw/é日本.csv')\n_say('next')"
    process = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
    )
    assert process.returncode == 0
    assert process.stdout == b"raw/\xe9\\u65e5\\u672c.csv\nnext\n"


def test_json_is_valid_in_any_encoding() -> None:
    code = "from pipectl.output import echo_json\necho_json({'key': 'é\\x9b日'})"
    for encoding in ("ascii", "latin-1", "utf-8"):
        process = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONIOENCODING": encoding},
        )
        assert json.loads(process.stdout.decode(encoding)) == {"key": "é\x9b日"}
