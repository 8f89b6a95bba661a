"""What an engine has to offer so that `tests.truth.runner` can run the scenarios on it."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol

from tests.truth.faults import StepFault


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
