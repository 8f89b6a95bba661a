"""Collects the corrected rows that an attempt applies: those of earlier attempts, and new ones.

Each attempt applies the sum of all corrections. After a success, the sum is published beside the
rows that are still rejected. After a failure, both are in the failed execution's own objects, so
corrections of a file that has never been published add up, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from shared import keys, publication, storage
from shared.executions import attempt_of
from shared.job import Location
from shared.step import Task
from tabular.errors import InvalidCorrections
from tabular.reading.layout import Layout

_PART = "corrections.csv"


@dataclass(frozen=True)
class CollectedCorrections:
    """The corrected rows that an attempt applies.

    `key` is that of the patches, `count` their number, and `attempt` the last one that added any.
    `published` is the ETag of the published sum that they include, None if there is none.
    """

    key: str
    count: int
    attempt: int
    published: str | None


@dataclass(frozen=True)
class _Base:
    """The keys of the rows to correct, and of the sum of all earlier corrections."""

    generated: tuple[str, ...]
    applied: str | None


_NOTHING = _Base((), None)


def collect(task: Task, layout: Layout, bucket: str) -> CollectedCorrections | None:
    """Write the patches of all corrections to `work/`, sorted by row; None if there are none.

    Raises `InvalidCorrections` if the uploaded rows are not among the rejected ones, or can't be
    read.
    """
    job = task.job
    if job.corrections is None and job.attempt == 1 and task.execution.name == job.execution_name:
        return None  # nothing can have been corrected before
    applied_key = keys.applied_key(job.source.dataset, job.file_id)
    there = publication.look(bucket, applied_key)
    published = there.location if there else None
    base = _base(task, bucket, published)
    if there and there.rank and there.rank.execution == task.execution.name:
        # This execution failed while it published, and its corrections are among these already.
        return CollectedCorrections(*_write(task, layout, bucket, base, None), there.location.etag)
    if job.corrections is None and base == _NOTHING:
        return None
    _remember(task, bucket, base)
    if job.corrections is None and base.applied is None:
        return None
    key, count, last = _write(task, layout, bucket, base, job.corrections)
    if not count:
        return None  # the uploaded rows are those that were written
    return CollectedCorrections(key, count, last, published.etag if published else None)


def _base(task: Task, bucket: str, published: Location | None) -> _Base:
    job = task.job
    rows = keys.corrections_key(job.source.dataset, job.file_id)
    has_rows = storage.find(bucket, rows) is not None
    if published is not None or has_rows:
        return _Base((rows,) if has_rows else (), published.key if published else None)
    if job.replay_of is None:
        return _NOTHING
    return _base_of(keys.Work(job.file_id, job.replay_of), task, bucket)


def _base_of(failed: keys.Work, task: Task, bucket: str) -> _Base:
    """The rejected rows of a failed execution, or the rows that it should have corrected."""
    document = storage.read_optional_document(bucket, failed.corrections)
    remembered = _Base(tuple(document["generated"]), document["applied"]) if document else _NOTHING
    upload = task.job.corrections
    if document and upload and document["upload"] == asdict(upload):
        # The same corrections again: those of the failed execution are ignored.
        return remembered
    found = [one.key for one in storage.list_objects(bucket, failed.parts)]
    parts = tuple(key for key in found if key.endswith(f".{_PART}"))
    has_patches = storage.find(bucket, failed.patches) is not None
    return _Base(
        parts or remembered.generated, failed.patches if has_patches else remembered.applied
    )


def _remember(task: Task, bucket: str, base: _Base) -> None:
    """Save the keys of the rows to correct, for the next attempt if this one fails."""
    upload = task.job.corrections
    document: dict[str, Any] = asdict(base) | {"upload": asdict(upload) if upload else None}
    storage.write_document(bucket, task.work.corrections, document)


def _write(
    task: Task, layout: Layout, bucket: str, base: _Base, upload: Location | None
) -> tuple[str, int, int]:
    """Write all patches; returns their key and number, and the last attempt that added any."""
    # Polars takes a quarter of a second to import, and most files have no corrections.
    from tabular.reading.corrected_rows import (  # noqa: PLC0415
        MAX_CORRECTED_BYTES,
        read_corrected_rows,
        too_large,
    )
    from tabular.reading.patches import Patch, merge_patches  # noqa: PLC0415

    applied: Iterator[Patch] = iter(())
    if base.applied is not None:
        applied = map(Patch.from_line, storage.stream_lines(storage.locate(bucket, base.applied)))
    new: Iterator[Patch] = iter(())
    if upload is not None:
        if not base.generated:
            raise InvalidCorrections(
                "The file has no rejected rows to correct: none were rejected, or they were "
                "deleted, 15 days after the file failed. Rerun the file, and correct the rows that "
                "it then rejects."
            )
        if upload.size > MAX_CORRECTED_BYTES:
            raise too_large(upload.size)
        new = read_corrected_rows(
            storage.read_range(upload, 0, upload.size),
            _generated(bucket, base.generated, layout),
            layout,
            execution=task.execution.name,
        )
    count, attempts = 0, {task.job.attempt if upload else 1}
    with storage.ObjectWriter(bucket, task.work.patches) as writer:
        for patch in merge_patches(applied, new):
            writer.write(patch.to_line())
            count += 1
            if upload is None:
                named = (attempt_of(name) for name in patch.executions)
                attempts.update(number for _, number in filter(None, named))
    return task.work.patches, count, max(attempts)


def _generated(bucket: str, parts: tuple[str, ...], layout: Layout) -> Iterator[bytes]:
    """The rejected rows as they were written, with the header, which only the first part has."""
    from tabular.writing.corrections import corrections_head  # noqa: PLC0415  # as above

    if parts[0].endswith(f".{_PART}") and not parts[0].endswith(f"/00000.{_PART}"):
        yield corrections_head(layout)
    for key in parts:
        yield from storage.stream(storage.locate(bucket, key))
