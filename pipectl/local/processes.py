"""Transforms a local file with several processes; the outputs have the same bytes as with one.

The processes share the file block by block. A free process takes the reading token, which contains
the start of the next block. It finds the block's end, counts its records, passes the token on, and
transforms the block while others read. The writing token passes from block to block in file order
and contains the offsets in the outputs.

For example, process A reads block 0 and passes on "block 1 starts at byte 8,000,123, row 62,501".
Process B reads block 1 while A transforms block 0. A then writes block 0, and passes on "block 1's
output starts at byte 19,400,000".

Tokens go through pipes; there is no shared memory. Processes are started rather than forked, since
a fork would share Polars' thread pool. They import it while the first process reads the layout and
imports it, too: this module imports Polars late.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipectl.local.process_channels import (
    LOCAL_BLOCK_BYTES,
    Channels,
    Progress,
    ReadToken,
    TransformJob,
    WriteToken,
)
from pipectl.local.process_memory import quick_imports
from tabular import errors
from tabular.reading.split import Split

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tabular.reading.layout import Layout
    from tabular.transform import Part

WORTHWHILE_BYTES = 24 * 1024 * 1024
"""For fewer bytes, the start of another process takes longer than it saves."""


class WorkerDied(Exception):
    """A process ended without a result: it was killed, or ran out of memory."""


@dataclass(frozen=True)
class Helpers:
    """Further processes, which import the engine and then wait for a job, and their channels."""

    running: list[subprocess.Popen[bytes]]
    channels: Channels

    def give(self, job: TransformJob) -> None:
        """Let all of them work on a job."""
        document = {
            "job": asdict(replace(job, layout=None)) | {"layout": job.layout.to_document()},  # type: ignore[arg-type]
            "channels": asdict(self.channels),
        }
        encoded = json.dumps(document).encode()
        for helper in self.running:
            if helper.stdin is not None:
                with suppress(BrokenPipeError):  # it has died: see `check`
                    helper.stdin.write(encoded)
                    helper.stdin.close()

    def check(self) -> None:
        """Raise the error of one that has failed, instead of waiting for it."""
        for helper in self.running:
            if helper.poll():
                _result_of(helper)

    def results(self) -> list[Part]:
        """Wait for their parts of the result; raise their errors, or WorkerDied."""
        return [_result_of(helper) for helper in self.running]

    def end(self) -> None:
        """End all that are still running."""
        for helper in self.running:
            helper.kill()
        for helper in self.running:
            helper.wait()
            for pipe in (helper.stdin, helper.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):
                        pipe.close()
        self.running.clear()


@contextmanager
def helpers_for(path: Path, *, processes: int) -> Iterator[Helpers]:
    """Start the processes that share a file with this one; they end with the block.

    `processes` is the maximum, this one included. There is one for each WORTHWHILE_BYTES, so none
    for small files. They import the engine while this process reads the file's layout. With
    several, set POLARS_MAX_THREADS=1 before Polars is imported: more threads only compete with each
    other. Raises OSError if there is no such file.
    """
    count = min(processes - 1, path.stat().st_size // WORTHWHILE_BYTES)
    helpers = Helpers([], Channels.make(count + 1))
    try:
        with _interrupts_held_back():
            for _ in range(count):
                helpers.running.append(_start_helper(helpers.channels))
        yield helpers
    finally:
        helpers.end()
        helpers.channels.close()


def transform_file(
    path: Path,
    layout: Layout,
    helpers: Helpers | None = None,
    *,
    file_id: str,
    processed_at: str,
    processed: Path | None = None,
    rejected: Path | None = None,
    corrections: Path | None = None,
    block_bytes: int = LOCAL_BLOCK_BYTES,
    progress: Progress | None = None,
) -> Part:
    """Transform a local file into local files, as `transform.transform` does with a stream.

    Outputs that are None are not written. `progress` is called with the number of bytes read.
    `helpers` share the work, except of compressed files, and under contracts with uniqueness or a
    footer: then they are ended. Raises what `transform` raises, and WorkerDied.
    """
    job = TransformJob(
        path=str(path),
        layout=layout,
        file_id=file_id,
        processed_at=processed_at,
        processed=str(processed) if processed else None,
        rejected=str(rejected) if rejected else None,
        corrections=str(corrections) if corrections else None,
        block_bytes=block_bytes,
    )
    if helpers and (layout.compression or layout.has_uniqueness or layout.dialect.footer_rows):
        helpers.end()
    if helpers and helpers.running:
        return _together(job, helpers, progress)
    with quick_imports():
        from pipectl.local.worker import work_alone

    return work_alone(job, progress)


def _together(job: TransformJob, helpers: Helpers, progress: Progress | None) -> Part:
    for name in (job.processed, job.rejected, job.corrections):
        if name:
            Path(name).write_bytes(b"")
    with quick_imports():
        from pipectl.local.worker import merged, work, write_head

    # Not before the imports: a helper reads its job after its own.
    helpers.give(job)
    channels, split = helpers.channels, Split.whole(job.layout)
    channels.give_read(ReadToken(0, split.start, split.first_line, split.first_row))
    channels.give_write(WriteToken(0, 0, 0, write_head(job)))
    part = work(job, channels, helpers.check, progress)
    return merged([part, *helpers.results()])


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Keep Ctrl-C, which reaches every process of a terminal, from processes started in the block.

    This process ends its helpers. They inherit the signal mask, so none prints a traceback, not
    even during its imports.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Ctrl-C never interrupts another thread
        return
    interrupts: list[int] = []
    # The mask is what helpers inherit. It does not keep the signal from other threads here, after
    # which the main thread would be interrupted, perhaps before it knows its newest helper.
    handler = signal.signal(signal.SIGINT, lambda number, _frame: interrupts.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
    if interrupts:
        raise KeyboardInterrupt


def _start_helper(channels: Channels) -> subprocess.Popen[bytes]:
    """Start a process that waits for a job."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipectl.local.helper"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=channels.descriptors,
        env=os.environ | {"POLARS_MAX_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def _result_of(helper: subprocess.Popen[bytes]) -> Part:
    """Wait for the end of a helper's output; raise its error, or WorkerDied."""
    from tabular.transform import Part

    output = helper.stdout.read() if helper.stdout else b""
    try:
        result = json.loads(output)
    except ValueError:
        raise WorkerDied(f"A worker process ended with {helper.wait()}.") from None
    if "message" not in result:
        return Part(**result)
    kind = getattr(errors, result.get("error", ""), WorkerDied)
    raise kind(result["message"])
