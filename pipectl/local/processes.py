"""Transforms a local file with several processes; the outputs have the same bytes as with one.

The processes share the file block by block. A free process takes the reading token, which contains
the start of the next block. It finds the block's end, counts its records, passes the token on, and
transforms the block while others read. The writing token passes from block to block in file order
and contains the offsets in the outputs.

For example, process A reads block 0 and passes on "block 1 starts at byte 8,000,123, row 62,501".
Process B reads block 1 while A transforms block 0. A then writes block 0, and passes on "block 1's
output starts at byte 19,400,000".

Tokens go through pipes; there is no shared memory. Processes are started rather than forked, since
a fork would share Polars' thread pool. This module imports Polars late, so that all processes
import it at the same time.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import asdict, replace
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
"""Below this size, the start of another process takes longer than it saves."""


class WorkerDied(Exception):
    """A process ended without a result: it was killed, or ran out of memory."""


def transform_file(
    path: Path,
    layout: Layout,
    *,
    file_id: str,
    processed_at: str,
    processed: Path | None = None,
    rejected: Path | None = None,
    corrections: Path | None = None,
    processes: int = 2,
    block_bytes: int = LOCAL_BLOCK_BYTES,
    progress: Progress | None = None,
) -> Part:
    """Transform a local file into local files, as `transform.transform` does with a stream.

    Outputs that are None are not written. `progress` is called with the number of bytes read.
    `processes` is the maximum: compressed files, contracts with uniqueness or a footer, and files
    below WORTHWHILE_BYTES use one. With several, set POLARS_MAX_THREADS=1 before Polars is
    imported: more threads only compete with each other.
    Raises what `transform` raises, and WorkerDied.
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
    one = (
        layout.compression
        or layout.has_uniqueness
        or layout.dialect.footer_rows
        or layout.size < WORTHWHILE_BYTES
    )
    if one or processes == 1:
        with quick_imports():
            from pipectl.local.worker import work_alone

        return work_alone(job, progress)
    return _together(job, processes, progress)


def _together(job: TransformJob, processes: int, progress: Progress | None) -> Part:
    for name in (job.processed, job.rejected, job.corrections):
        if name:
            Path(name).write_bytes(b"")
    channels = Channels.make(processes)
    split = Split.whole(job.layout)
    channels.give_read(ReadToken(0, split.start, split.first_line, split.first_row))
    helpers: list[subprocess.Popen[bytes]] = []
    try:
        with _interrupts_held_back():
            for _ in range(processes - 1):
                helpers.append(_start_helper(job, channels))  # noqa: PERF401  # each at once
        with quick_imports():
            from pipectl.local.worker import merged, work, write_head

        channels.give_write(WriteToken(0, 0, 0, write_head(job)))
        parts = [work(job, channels, lambda: _check_helpers(helpers), progress)]
        parts += [_result_of(helper) for helper in helpers]
        return merged(parts)
    finally:
        for helper in helpers:
            helper.kill()
            helper.wait()
        channels.close()


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


def _start_helper(job: TransformJob, channels: Channels) -> subprocess.Popen[bytes]:
    """Start a process that works on the same job."""
    helper = subprocess.Popen(
        [sys.executable, "-m", "pipectl.local.helper"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=channels.descriptors,
        env=os.environ | {"POLARS_MAX_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
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
    """Raise the error of a helper that has failed, instead of waiting for it."""
    for helper in helpers:
        if helper.poll():
            _result_of(helper)


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
