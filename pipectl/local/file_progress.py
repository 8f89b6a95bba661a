"""Says on standard error how far a command is with its files, if that takes long."""

from __future__ import annotations

import time

from pipectl.output import echo

# Nobody should wait longer for a sign of life.
SECONDS_OF_SILENCE = 1.5


class FileProgress:
    """Prints a line whenever nothing was printed for a while."""

    def __init__(self, doing: str, files: int = 1) -> None:
        """`doing` is what is done with each of the files, such as `Checking`."""
        self._doing = doing
        self._files = files
        self._begun = 0
        self._source, self._size = "", 0
        self._shown: float | None = None

    def begin(self, source: str, size: int) -> None:
        """Go on to the next file, of `size` bytes."""
        self._begun += 1
        self._source, self._size = source, size
        if self._files > 1:
            self._say(f"file {self._begun:,} of {self._files:,}")

    def read(self, done: int) -> None:
        """So many bytes of the file have been read."""
        share = min(1.0, done / max(1, self._size))
        self._say(f"{share:.0%} of {self._size / 1024 / 1024:,.0f} MiB")

    def _say(self, how_far: str) -> None:
        now = time.monotonic()
        if self._shown is None:
            self._shown = now  # the engine has been imported
        elif now - self._shown > SECONDS_OF_SILENCE:
            self._shown = now
            echo(f"{self._doing} {self._source}: {how_far}", err=True)
