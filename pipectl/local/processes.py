"""A local file on several processes, with the same bytes as result as on one.

The processes share the work block by block. Whoever is free takes the reading token, which says
where the next block begins: it finds the block's end, counts its records and passes the token on,
then transforms the block while others read. The writing token passes from block to block in the
file's order and says where in the outputs the next block goes. Tokens go through pipes, there is
no shared memory; the processes are started afresh rather than forked, since a fork would share
Polars' thread pool. They all import Polars at the same time, so this module does it late.
"""

from __future__ import annotations

import json
import os
import select
import struct
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tabular import errors
from tabular.reading.blocks import BLOCK_BYTES
from tabular.reading.split import Split
from tabular.writing.rejects import csv_head

if TYPE_CHECKING:
    from collections.abc import Callable

    from tabular.reading.layout import Layout
    from tabular.transform import Part

WORTHWHILE_BYTES = 24 * 1024 * 1024
"""Below this size another process takes longer to start than it helps."""
_LOOK_AROUND_SECONDS = 0.5
"""So often a process that waits for another one looks whether that is still there."""


class WorkerDied(Exception):
    """A process ended without saying why: out of memory, or killed."""


@dataclass(frozen=True)
class Job:
    """What to do with which file; outputs that are None are not made."""

    path: str
    layout: Layout
    file_id: str
    processed_at: str
    processed: str | None
    rejected: str | None
    rejected_csv: str | None
    block_bytes: int = BLOCK_BYTES


class ReadToken(NamedTuple):
    """Where the next block begins; block -1: there is none."""

    block: int
    offset: int
    line: int
    row: int


class WriteToken(NamedTuple):
    """Where the outputs of a block begin."""

    block: int
    processed: int
    rejected: int
    rejected_csv: int


_TOKEN = struct.Struct("<4q")
END = -1
"""Instead of a block's number in the reading token: there is none left."""


def transform_file(
    path: Path,
    layout: Layout,
    *,
    file_id: str,
    processed_at: str,
    processed: Path | None = None,
    rejected: Path | None = None,
    rejected_csv: Path | None = None,
    processes: int = 2,
    block_bytes: int = BLOCK_BYTES,
) -> Part:
    """Transform a local file into local files, as `transform.transform` does with a stream.

    Outputs left out are not made. `processes` is how many are used at most: compressed files,
    contracts with uniqueness and files below WORTHWHILE_BYTES take one. With several, set
    POLARS_MAX_THREADS=1 before Polars is imported here: more threads only get in each other's way.
    Raises what `transform` raises, and WorkerDied.
    """
    job = Job(
        path=str(path),
        layout=layout,
        file_id=file_id,
        processed_at=processed_at,
        processed=str(processed) if processed else None,
        rejected=str(rejected) if rejected else None,
        rejected_csv=str(rejected_csv) if rejected_csv else None,
        block_bytes=block_bytes,
    )
    one = layout.compression or layout.has_uniqueness or layout.size < WORTHWHILE_BYTES
    if one or processes == 1:
        from pipectl.local.worker import work_alone

        return work_alone(job)
    return _together(job, processes)


def _together(job: Job, processes: int) -> Part:
    head = csv_head(job.layout) if job.rejected_csv else b""
    for name, content in ((job.processed, b""), (job.rejected, b""), (job.rejected_csv, head)):
        if name:
            Path(name).write_bytes(content)
    channels = Channels.make(processes)
    split = Split.whole(job.layout)
    channels.give_read(ReadToken(0, split.start, split.first_line, split.first_row))
    channels.give_write(WriteToken(0, 0, 0, len(head)))
    helpers: list[subprocess.Popen[bytes]] = []
    try:
        helpers += [_start_helper(job, channels) for _ in range(processes - 1)]
        from pipectl.local.worker import merged, work

        parts = [work(job, channels, lambda: _check_helpers(helpers))]
        parts += [_result_of(helper) for helper in helpers]
    finally:
        for helper in helpers:
            helper.kill()
            helper.wait()
        channels.close()
    return merged(parts)


@dataclass(frozen=True)
class Channels:
    """The pipes that tokens go through: (read end, write end) each.

    Every process may take the reading token. The writing token of a block lies in the pipe of the
    block's number, modulo how many there are: more than blocks that can be under way at once.
    """

    reading: tuple[int, int]
    writing: tuple[tuple[int, int], ...]

    @classmethod
    def make(cls, processes: int) -> Channels:
        """New pipes, enough for so many processes with one block in work and one waiting each."""
        return cls(os.pipe(), tuple(os.pipe() for _ in range(2 * processes + 1)))

    @property
    def descriptors(self) -> list[int]:
        """All ends of all pipes."""
        return [end for pipe in (self.reading, *self.writing) for end in pipe]

    def close(self) -> None:
        """Close all of them."""
        for end in self.descriptors:
            os.close(end)

    def give_read(self, token: ReadToken) -> None:
        """Let anybody read on."""
        os.write(self.reading[1], _TOKEN.pack(*token))

    def take_read(self, look_around: Callable[[], None]) -> ReadToken:
        """Wait for the reading token."""
        return ReadToken(*_take(self.reading[0], look_around))

    def give_write(self, token: WriteToken) -> None:
        """Let the block that the token names be written."""
        os.write(self._writing(token.block)[1], _TOKEN.pack(*token))

    def take_write(self, block: int, look_around: Callable[[], None]) -> WriteToken:
        """Wait for the writing token of a block."""
        return WriteToken(*_take(self._writing(block)[0], look_around))

    def may_write(self, block: int) -> bool:
        """Whether a block's turn to be written has come."""
        return bool(select.select([self._writing(block)[0]], [], [], 0)[0])

    def _writing(self, block: int) -> tuple[int, int]:
        return self.writing[block % len(self.writing)]


def _take(descriptor: int, look_around: Callable[[], None]) -> tuple[int, ...]:
    os.set_blocking(descriptor, False)
    while True:
        if select.select([descriptor], [], [], _LOOK_AROUND_SECONDS)[0]:
            try:
                return _TOKEN.unpack(os.read(descriptor, _TOKEN.size))
            except BlockingIOError:
                continue  # another process was quicker
        look_around()


def _start_helper(job: Job, channels: Channels) -> subprocess.Popen[bytes]:
    """Start a process that works on the same job."""
    helper = subprocess.Popen(
        [sys.executable, "-m", "pipectl.local.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=channels.descriptors,
        env=os.environ | {"POLARS_MAX_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    document = {
        "job": asdict(replace(job, layout=None)) | {"layout": job.layout.to_document()},  # type: ignore[arg-type]
        "channels": asdict(channels),
    }
    if helper.stdin is not None:
        helper.stdin.write(json.dumps(document).encode())
        helper.stdin.close()
    return helper


def _check_helpers(helpers: list[subprocess.Popen[bytes]]) -> None:
    """Raise what a helper raised, so that nobody waits for it."""
    for helper in helpers:
        if helper.poll():
            _result_of(helper)


def _result_of(helper: subprocess.Popen[bytes]) -> Part:
    output = helper.stdout.read() if helper.stdout else b""
    if helper.wait() or not output:
        failure = json.loads(output) if output else {}
        kind = getattr(errors, failure.get("error", ""), None)
        if kind is not None:
            raise kind(failure["message"])
        raise WorkerDied(
            failure.get("message", f"A worker process ended with {helper.returncode}.")
        )
    from tabular.transform import Part

    return Part(**json.loads(output))
