"""What an engine has to offer so that `tests.truth.runner` can run the scenarios on it."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from tests.truth.faults import StepFault

# For imports and the first answer, on a machine that does other things too.
_START_SECONDS = 120


class EngineError(Exception):
    """The engine could not be started, or could not deploy the stack."""


class Emulator(Protocol):
    """A running stack, as a context manager."""

    outputs: Mapping[str, str]
    """The stack's outputs."""

    def __enter__(self) -> Emulator: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def client(self, service: str) -> Any:
        """A client of the account's root user."""

    def break_function(self, fault: StepFault) -> None:
        """Let a function fail at every call from now on."""

    def repair_function(self, fault: StepFault) -> None:
        """Let it work again."""

    def problems(self) -> list[str]:
        """What is wrong with the test's own repairs of the engine, at the end."""


def free_port() -> int:
    """A port of this machine that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def started(
    script: str, python: Path, environment: Mapping[str, str], log: Path, is_up: Callable[[], bool]
) -> subprocess.Popen[bytes]:
    """The process of a script in this folder, once its engine is up.

    It runs in the log's folder. Raises `EngineError` if it ends, or is not up in time.
    """
    # -P: not with this folder on the search path, where modules have the names of theirs.
    with log.open("wb") as file:
        process = subprocess.Popen(
            [str(python), "-P", str(Path(__file__).with_name(script))],
            stdout=file,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=log.parent,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while not is_up():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise EngineError(f"{script} did not start: {log.read_text()[-2000:]}")
        time.sleep(0.2)
    return process
