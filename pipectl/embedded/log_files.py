"""The files that functions log into: one folder per function, one file per worker.

A worker's file is a log stream, as an execution environment has one on Lambda.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

_SUFFIX = ".log"
_NAME = re.compile(r"\d{4}-\d\d-\d\d-[0-9a-f]{32}\.log")
_KEPT_DAYS = 14
_DATE = "%Y-%m-%d"


@dataclass(frozen=True)
class LogFile:
    """The file of one of a function's workers."""

    path: Path

    @classmethod
    def new(cls, folder: Path, function: str) -> Self:
        """A file for a new worker; its folder exists afterwards."""
        own = folder / function
        own.mkdir(parents=True, exist_ok=True)
        return cls(own / f"{datetime.now(UTC):{_DATE}}-{uuid.uuid4().hex}{_SUFFIX}")

    @property
    def function(self) -> str:
        """The name of the function."""
        return self.path.parent.name

    @property
    def stream(self) -> str:
        """The name of the log stream, such as `2026/03/01/[$LATEST]0f9a...`."""
        date, _, identity = self.path.stem.rpartition("-")
        return f"{date.replace('-', '/')}/[$LATEST]{identity}"


def log_files(folder: Path) -> Iterator[LogFile]:
    """All files in a folder of logs, the one written to last at the end."""
    written = []
    for path in folder.glob(f"*/*{_SUFFIX}"):
        try:
            written.append((path.stat().st_mtime_ns, path))
        except FileNotFoundError:
            continue  # it has just been removed
    yield from (LogFile(path) for _, path in sorted(written))


def delete_old(folder: Path) -> None:
    """Delete the log files that nothing was written to for two weeks, and nothing else."""
    oldest = time.time() - _KEPT_DAYS * 24 * 3600
    for file in log_files(folder):
        if _NAME.fullmatch(file.path.name) and file.path.stat().st_mtime < oldest:
            file.path.unlink(missing_ok=True)
