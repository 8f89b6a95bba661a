"""The work of each process: take blocks of a file, transform them and write the outputs."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pipectl.local.process_channels import (
    END,
    Progress,
    ReadToken,
    TransformJob,
    WriteToken,
)
from pipectl.local.process_memory import reuse_large_buffers
from tabular.batch import BatchReader
from tabular.reading.blocks import lines_a_block, read_blocks
from tabular.reading.records import Records
from tabular.reading.split import Split
from tabular.statistics.accumulator import merge
from tabular.transform import Part, Tally, contract_writer, transform
from tabular.writing.corrections import correction_pieces, corrections_head
from tabular.writing.jsonl import WRITER, RecordLines
from tabular.writing.output_format import FileFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipectl.local.process_channels import Channels
    from tabular.batch import Batch
    from tabular.reading.blocks import Block
    from tabular.values.json_line import ComposedLines

_CHUNK_BYTES = 1024 * 1024
_LAST_BLOCK_BYTES = 2 * 1024 * 1024
"""Smaller ones take longer than a process would wait for another one."""


def work(
    job: TransformJob,
    channels: Channels,
    look_around: Callable[[], None],
    progress: Progress | None = None,
) -> Part:
    """Process blocks until none is left; `progress` gets the number of bytes that all have read."""
    reuse_large_buffers()
    reader = BatchReader(job.layout, WRITER if job.processed else contract_writer(job.layout))
    layout = job.layout
    lines = RecordLines(
        FileFacts(layout.fields, job.file_id, job.processed_at, layout.contract.record)
    )
    tally = Tally(job.layout)
    waiting: list[tuple[int, Rendered]] = []
    with _Outputs.opened(job) as outputs, Path(job.path).open("rb", buffering=0) as file:
        while True:
            token = channels.take_read(look_around)
            if progress is not None:
                progress(token.offset)
            size = _block_bytes(job, token, channels.processes)
            block = None if token.block == END else _read_block(file.fileno(), job, token, size)
            if block is None:
                channels.give_read(token._replace(block=END))
                break
            records = Records(block, job.layout)
            channels.give_read(
                ReadToken(
                    token.block + 1,
                    block.offset + len(block.original),
                    block.first_line + block.spans.lines,
                    token.row + len(records),
                )
            )
            batch = reader.read(records, token.row)
            tally.add(batch, block)
            waiting.append((token.block, _rendered(lines, batch, job)))
            # One block may wait for its turn to be written while the next is transformed.
            while waiting and (len(waiting) > 1 or channels.may_write(waiting[0][0])):
                _write(waiting.pop(0), outputs, channels, look_around)
        for pending in waiting:
            _write(pending, outputs, channels, look_around)
    return tally.part()


def work_alone(job: TransformJob, progress: Progress | None = None) -> Part:
    """Transform the whole file; `progress` gets the number of bytes read."""
    reuse_large_buffers()
    split = Split.whole(job.layout)
    with ExitStack() as stack:
        # Polars writes most records into a file that is not buffered without a copy.
        sinks = [
            stack.enter_context(Path(name).open("wb", buffering)) if name else None
            for name, buffering in ((job.processed, 0), (job.rejected, -1), (job.corrections, -1))
        ]
        file = stack.enter_context(Path(job.path).open("rb", buffering=0))
        return transform(
            _counted(_chunks(file.fileno(), split.start, _CHUNK_BYTES), progress),
            job.layout,
            split,
            file_id=job.file_id,
            processed_at=job.processed_at,
            processed=sinks[0],
            rejected=sinks[1],
            corrections=sinks[2],
            block_bytes=job.block_bytes,
        )


def _counted(chunks: Iterator[bytes], progress: Progress | None) -> Iterator[bytes]:
    done = 0
    for chunk in chunks:
        if progress is not None:
            progress(done)
        done += len(chunk)
        yield chunk


def write_head(job: TransformJob) -> int:
    """Write the header of the CSV of rejected rows, if there is one; returns its length."""
    if not job.corrections:
        return 0
    return Path(job.corrections).write_bytes(corrections_head(job.layout))


def merged(parts: Sequence[Part]) -> Part:
    """The sum of the processes' parts."""
    return Part(
        record_count=sum(part.record_count for part in parts),
        processed_count=sum(part.processed_count for part in parts),
        error_count=sum(part.error_count for part in parts),
        line_count=sum(part.line_count for part in parts),
        statistics=merge(part.statistics for part in parts),
    )


class Rendered(NamedTuple):
    """A block's outputs; those that are not written are None or empty."""

    processed: ComposedLines | None
    rejected: bytes
    corrections: bytes


def _rendered(lines: RecordLines, batch: Batch, job: TransformJob) -> Rendered:
    """All outputs of a block."""
    return Rendered(
        lines.composed(batch.rows, batch.values, batch.escapable) if job.processed else None,
        b"".join(batch.rejects.pieces()) if job.rejected else b"",
        b"".join(correction_pieces(batch.rejects)) if job.corrections else b"",
    )


def _write(
    pending: tuple[int, Rendered],
    outputs: _Outputs,
    channels: Channels,
    look_around: Callable[[], None],
) -> None:
    """Write a block when it is its turn, and pass the writing token on."""
    block, rendered = pending
    token = channels.take_write(block, look_around)
    channels.give_write(outputs.write(rendered, token))


def _block_bytes(job: TransformJob, token: ReadToken, processes: int) -> int:
    """The size of the next block; the last ones are small, so that all processes end together."""
    share = (job.layout.size - token.offset) // processes
    return min(job.block_bytes, max(share, _LAST_BLOCK_BYTES))


def _read_block(descriptor: int, job: TransformJob, token: ReadToken, size: int) -> Block | None:
    blocks = read_blocks(
        _chunks(descriptor, token.offset, size),
        job.layout.grammar,
        job.layout.codec,
        start=token.offset,
        end=None,
        first_line=token.line,
        block_bytes=size,
        most_lines=lines_a_block(job.layout),
    )
    return next(blocks, None)


def _chunks(descriptor: int, start: int, size: int) -> Iterator[bytes]:
    while chunk := os.pread(descriptor, size, start):
        start += len(chunk)
        yield chunk


class _Outputs:
    """The output files, open for writing at any offset."""

    def __init__(self, files: Sequence[FileIO | None]) -> None:
        self._processed, self._rejected, self._corrections = files

    @classmethod
    @contextmanager
    def opened(cls, job: TransformJob) -> Iterator[_Outputs]:
        """Open the job's output files until the end of the block."""
        with ExitStack() as stack:
            yield cls(
                [
                    stack.enter_context(FileIO(name, "r+")) if name else None
                    for name in (job.processed, job.rejected, job.corrections)
                ]
            )

    def write(self, rendered: Rendered, token: WriteToken) -> WriteToken:
        """Write a block's outputs at their offsets; returns those of the next block."""
        processed = token.processed
        if self._processed is not None and rendered.processed is not None:
            self._processed.seek(processed)
            rendered.processed.write(self._processed)
            processed = self._processed.tell()
        if self._rejected is not None:
            _write_all(self._rejected.fileno(), rendered.rejected, token.rejected)
        if self._corrections is not None:
            _write_all(self._corrections.fileno(), rendered.corrections, token.corrections)
        return WriteToken(
            token.block + 1,
            processed,
            token.rejected + len(rendered.rejected),
            token.corrections + len(rendered.corrections),
        )


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
