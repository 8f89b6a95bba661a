"""The progress of one upload."""

from __future__ import annotations

import time

from rich.filesize import decimal

# Seconds before a rate means something.
_RATE_AFTER = 0.2


class Sending:
    """How many bytes of a file have been sent, and how fast."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._sent = 0
        self._started: float | None = None
        self._seconds = 0.0

    def sent(self, count: int) -> None:
        """Note that `count` bytes of the file have been sent by now."""
        now = time.monotonic()
        if self._started is None or count < self._sent:
            # The first bytes, or the first ones of another try.
            self._started = now
        self._sent, self._seconds = count, now - self._started

    def __str__(self) -> str:
        """For people: `uploading, 41.0 MB of 100.0 MB, 52.3 MB/s`."""
        text = f"uploading, {decimal(self._sent)} of {decimal(self._size)}"
        if not self._sent or self._seconds < _RATE_AFTER:
            return text
        return f"{text}, {decimal(round(self._sent / self._seconds))}/s"
