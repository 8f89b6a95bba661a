"""Runs a command and measures it from outside: wall time, processor time, memory of all processes.

Memory is the largest sum of resident memory over the process and its descendants, sampled every
20 ms from /proc; new descendants are searched every 200 ms. Mapped files, which are the program and
its libraries, count once, as they are the same for all; pages that forked processes share count for
each. Peaks shorter than the interval can escape; the process's own high-water mark, which the
kernel keeps, is the least that is given.
"""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INTERVAL = 0.02
_LOOKS_A_SEARCH = 10
_TOUCHED_BYTES = 6 * 10**9
_SIZES = re.compile(r"^Rss(Anon|File|Shmem):\s*(\d+) kB", re.MULTILINE)


class CommandFailed(Exception):
    """The measured command ended with an error."""


@dataclass(frozen=True)
class Measurement:
    """The costs of one run: seconds, seconds of processor time and bytes; and its output."""

    seconds: float
    processor_seconds: float
    peak_bytes: int
    output: str


def measure(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    stdout: Path | None = None,
    limit_bytes: int | None = None,
) -> Measurement:
    """Run `command` with `environment` added to this process's, into the file `stdout` if given.

    With `limit_bytes`, a command that takes more memory is killed. Raises CommandFailed with the
    end of its standard error, or where it took more memory than that at any time.
    """
    sink = stdout.open("wb") if stdout else subprocess.PIPE
    started = time.perf_counter()
    process = subprocess.Popen(  # the command is this package's own
        command, stdout=sink, stderr=subprocess.PIPE, env={**os.environ, **environment}
    )
    watch = _MemoryWatch(process.pid, limit_bytes)
    watch.start()
    readers = [_Reader(stream) for stream in (process.stdout, process.stderr)]
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    watch.stop()
    output, errors = (reader.text() for reader in readers)
    if stdout:
        sink.close()  # type: ignore[union-attr]
    peak = max(watch.peak, usage.ru_maxrss * 1024)
    if limit_bytes is not None and peak > limit_bytes:
        raise CommandFailed(
            f"{' '.join(command)} took {peak / 1e6:,.0f} MB of memory, of {limit_bytes / 1e6:,.0f}"
        )
    if process.returncode:
        raise CommandFailed(
            f"{' '.join(command)} ended with {process.returncode}:\n{errors[-2000:]}"
        )
    return Measurement(
        seconds=seconds,
        processor_seconds=usage.ru_utime + usage.ru_stime,
        peak_bytes=peak,
        output=output,
    )


def touch_memory() -> None:
    """Use as much memory as an engine may need, for a moment.

    Virtual machines give memory back that has been free for a while, and getting it again takes a
    second a gigabyte: more than the quickest engines take, and not their doing.
    """
    subprocess.run([sys.executable, "-c", f"b'1' * {_TOUCHED_BYTES}"], check=True)


class _Reader(threading.Thread):
    """Drains a pipe, so that the process never waits for it."""

    def __init__(self, stream: object) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self._content = b""
        self.start()

    def run(self) -> None:
        if self._stream is not None:
            self._content = self._stream.read()  # type: ignore[attr-defined]

    def text(self) -> str:
        self.join()
        return self._content.decode(errors="replace")


class _MemoryWatch(threading.Thread):
    """Samples the resident memory of a process and its descendants."""

    def __init__(self, pid: int, limit: int | None = None) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._limit = limit
        self._pid = pid
        self._ended = threading.Event()

    def run(self) -> None:
        for sample in itertools.count():
            if self._ended.wait(INTERVAL):
                return
            # Looking for new processes costs more than looking at them.
            if sample % _LOOKS_A_SEARCH == 0:
                processes = _tree(self._pid)
            resident = [_resident(pid) for pid in processes]
            own = sum(own for own, _ in resident)
            self.peak = max(self.peak, own + max(mapped for _, mapped in resident))
            if self._limit is not None and self.peak > self._limit:
                os.kill(self._pid, signal.SIGKILL)
                return

    def stop(self) -> None:
        self._ended.set()
        self.join()


def _tree(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        try:
            for children in Path(f"/proc/{parent}/task").glob("*/children"):
                found.extend(int(child) for child in children.read_text().split())
        except OSError:  # the process, or a thread of it, has ended meanwhile
            continue
    return found


def _resident(pid: int) -> tuple[int, int]:
    """Resident bytes of a process: its own, and those of mapped files."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0, 0
    sizes = {name: int(size) * 1024 for name, size in _SIZES.findall(status)}
    return sizes.get("Anon", 0) + sizes.get("Shmem", 0), sizes.get("File", 0)
