"""Reads ranges of local files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tabular.sink import ReadRange


def ranges_of(path: Path) -> ReadRange:
    """A function that reads `length` bytes of the file from an offset on, fewer near its end."""

    def read(start: int, length: int) -> bytes:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(length)

    return read
