"""Where the engine writes: anything that takes bytes."""

from __future__ import annotations

from typing import Protocol


class Sink(Protocol):
    """Where bytes go."""

    def write(self, data: bytes | memoryview, /) -> object:
        """Take the bytes."""
