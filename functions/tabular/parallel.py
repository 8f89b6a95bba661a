"""A local file on several processes, with the same bytes as result as on one.

The processes share the work block by block. Whoever is free takes the reading token, which says
where the next block begins: it finds the block's end, counts its records and passes the token on,
then transforms the block while others read. The writing token passes from block to block in the
file's order and says where in the outputs the next block goes. Tokens go through pipes, there is
no shared memory; the processes are started afresh rather than forked, since a fork would share
Polars' thread pool.
"""

from __future__ import annotations

import json
import os
import select
import struct
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tabular import errors
from tabular.blocks import BLOCK_BYTES, read_blocks
from tabular.layout import Layout
from tabular.records import Records
from tabular.rejects import csv_head
from tabular.split import Split
from tabular.statistics import merge
from tabular.transform import Part, Rendered, Renderer, Tally, transform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tabular.blocks import Block

WORTHWHILE_BYTES = 24 * 1024 * 1024
"""Below this size another process takes longer to start than it helps."""
_CHUNK_BYTES = 1024 * 1024
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


class _ReadToken(NamedTuple):
    """Where the next block begins; block -1: there is none."""

    block: int
    offset: int
    line: int
    row: int


class _WriteToken(NamedTuple):
    """Where the outputs of a block begin."""

    block: int
    processed: int
    rejected: int
    rejected_csv: int


_TOKEN = struct.Struct("<4q")
_END = -1


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
        return _alone(job)
    return _together(job, processes)


def _alone(job: Job) -> Part:
    split = Split.whole(job.layout)
    with ExitStack() as stack:
        sinks = [
            stack.enter_context(Path(name).open("wb")) if name else None
            for name in (job.processed, job.rejected, job.rejected_csv)
        ]
        file = stack.enter_context(Path(job.path).open("rb", buffering=0))
        return transform(
            _chunks(file.fileno(), split.start),
            job.layout,
            split,
            file_id=job.file_id,
            processed_at=job.processed_at,
            processed=sinks[0],
            rejected=sinks[1],
            rejected_csv=sinks[2],
            block_bytes=job.block_bytes,
        )


def _together(job: Job, processes: int) -> Part:
    head = csv_head(job.layout) if job.rejected_csv else b""
    for name, content in ((job.processed, b""), (job.rejected, b""), (job.rejected_csv, head)):
        if name:
            Path(name).write_bytes(content)
    channels = _Channels.make(processes)
    split = Split.whole(job.layout)
    channels.give_read(_ReadToken(0, split.start, split.first_line, split.first_row))
    channels.give_write(_WriteToken(0, 0, 0, len(head)))
    helpers: list[subprocess.Popen[bytes]] = []
    try:
        helpers += [_start_helper(job, channels) for _ in range(processes - 1)]
        parts = [_work(job, channels, lambda: _check_helpers(helpers))]
        parts += [_result_of(helper) for helper in helpers]
    finally:
        for helper in helpers:
            helper.kill()
            helper.wait()
        channels.close()
    return Part(
        record_count=sum(part.record_count for part in parts),
        processed_count=sum(part.processed_count for part in parts),
        error_count=sum(part.error_count for part in parts),
        line_count=sum(part.line_count for part in parts),
        statistics=merge(part.statistics for part in parts),
    )


def _work(job: Job, channels: _Channels, look_around: Callable[[], None]) -> Part:
    """Take blocks until there are none."""
    renderer, tally = _renderer(job), Tally(job.layout)
    waiting: list[tuple[int, Rendered]] = []
    with _Outputs(job) as outputs, Path(job.path).open("rb", buffering=0) as file:
        while True:
            token = channels.take_read(look_around)
            block = None if token.block == _END else _read_block(file.fileno(), job, token)
            if block is None:
                channels.give_read(token._replace(block=_END))
                break
            records = Records(block, job.layout)
            channels.give_read(
                _ReadToken(
                    token.block + 1,
                    block.offset + len(block.original),
                    block.first_line + block.spans.lines,
                    token.row + len(records),
                )
            )
            batch = renderer.read(records, token.row)
            tally.add(batch, block)
            waiting.append((token.block, renderer.render(batch)))
            # One block may wait for its turn to be written while the next is transformed.
            while waiting and (len(waiting) > 1 or channels.may_write(waiting[0][0])):
                _write(waiting.pop(0), outputs, channels, look_around)
        for pending in waiting:
            _write(pending, outputs, channels, look_around)
    return tally.part()


def _renderer(job: Job) -> Renderer:
    return Renderer(
        job.layout,
        file_id=job.file_id,
        processed_at=job.processed_at,
        output_format="jsonl" if job.processed else None,
    )


def _write(
    pending: tuple[int, Rendered],
    outputs: _Outputs,
    channels: _Channels,
    look_around: Callable[[], None],
) -> None:
    """Pass the writing token on as soon as the sizes are known, then write."""
    block, rendered = pending
    token = channels.take_write(block, look_around)
    channels.give_write(
        _WriteToken(
            block + 1,
            token.processed + len(rendered.processed),
            token.rejected + len(rendered.rejected),
            token.rejected_csv + len(rendered.rejected_csv),
        )
    )
    outputs.write(rendered, token)


def _read_block(descriptor: int, job: Job, token: _ReadToken) -> Block | None:
    blocks = read_blocks(
        _chunks(descriptor, token.offset),
        job.layout.grammar,
        job.layout.codec,
        start=token.offset,
        end=None,
        first_line=token.line,
        block_bytes=job.block_bytes,
    )
    return next(blocks, None)


def _chunks(descriptor: int, start: int) -> Iterator[bytes]:
    while chunk := os.pread(descriptor, _CHUNK_BYTES, start):
        start += len(chunk)
        yield chunk


class _Outputs:
    """The output files, open for writing at any place."""

    def __init__(self, job: Job) -> None:
        self._names = (job.processed, job.rejected, job.rejected_csv)
        self._descriptors: list[int | None] = []

    def __enter__(self) -> _Outputs:
        self._descriptors = [os.open(name, os.O_WRONLY) if name else None for name in self._names]
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._descriptors:
            if descriptor is not None:
                os.close(descriptor)

    def write(self, rendered: Rendered, token: _WriteToken) -> None:
        """Write a block's outputs to their places."""
        for descriptor, data, offset in zip(self._descriptors, rendered, token[1:], strict=True):
            if descriptor is not None:
                _write_all(descriptor, data, offset)


def _write_all(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


@dataclass(frozen=True)
class _Channels:
    """The pipes that tokens go through: (read end, write end) each.

    Every process may take the reading token. The writing token of a block lies in the pipe of the
    block's number, modulo how many there are: more than blocks that can be under way at once.
    """

    reading: tuple[int, int]
    writing: tuple[tuple[int, int], ...]

    @classmethod
    def make(cls, processes: int) -> _Channels:
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

    def give_read(self, token: _ReadToken) -> None:
        """Let anybody read on."""
        os.write(self.reading[1], _TOKEN.pack(*token))

    def take_read(self, look_around: Callable[[], None]) -> _ReadToken:
        """Wait for the reading token."""
        return _ReadToken(*_take(self.reading[0], look_around))

    def give_write(self, token: _WriteToken) -> None:
        """Let the block that the token names be written."""
        os.write(self._writing(token.block)[1], _TOKEN.pack(*token))

    def take_write(self, block: int, look_around: Callable[[], None]) -> _WriteToken:
        """Wait for the writing token of a block."""
        return _WriteToken(*_take(self._writing(block)[0], look_around))

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


def _start_helper(job: Job, channels: _Channels) -> subprocess.Popen[bytes]:
    """Start a process that works on the same job."""
    helper = subprocess.Popen(
        [sys.executable, "-m", "tabular.parallel"],
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
    return Part(**json.loads(output))


def _help() -> int:
    """Be a helper: read the job from standard input, write the result to standard output."""
    document = json.load(sys.stdin)
    layout = Layout.from_document(document["job"].pop("layout"))
    job = Job(layout=layout, **document["job"])
    channels = _Channels(
        tuple(document["channels"]["reading"]), tuple(map(tuple, document["channels"]["writing"]))
    )
    parent = os.getppid()

    def look_around() -> None:
        if os.getppid() != parent:
            sys.exit(1)

    try:
        result: dict[str, Any] = _work(job, channels, look_around).to_document()
        status = 0
    except errors.TabularError as error:
        result, status = {"error": type(error).__name__, "message": str(error)}, 1
    except Exception as error:  # noqa: BLE001 told to the parent, by type only: texts hold values
        result, status = {"message": f"A worker process failed with {type(error).__name__}."}, 1
    json.dump(result, sys.stdout)
    return status


if __name__ == "__main__":
    sys.exit(_help())
