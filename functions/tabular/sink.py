"""The interfaces through which the engine reads and writes bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

ReadRange = Callable[[int, int], bytes]
"""Reads bytes of the stored file: from an offset on, a number of them; fewer near the end."""


class Sink(Protocol):
    """Where bytes go."""

    def write(self, data: bytes | memoryview, /) -> object:
        """Take the bytes."""
