"""Finds a file's bytes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from shared import keys, storage
from shared.errors import SourceNotFound
from shared.job import Job, Location

T = TypeVar("T")


def locate(job: Job, head_bytes: int) -> tuple[Location, bytes]:
    """The file's location and its first bytes; raises like `read_source`."""
    return read_source(job, partial(storage.read_range, start=0, length=head_bytes))


def read_source(job: Job, read: Callable[[Location], T]) -> tuple[Location, T]:
    """The file's location, and what `read` returns for it.

    A file that was processed before can be in the archive. Raises `SourceNotFound` if it is in
    neither place, and `SourceChanged` if its content differs from the announced content.
    """
    uploaded = job.source.location
    try:
        return uploaded, read(uploaded)
    except SourceNotFound:
        archive_key = keys.archive_key(job.source.dataset, job.file_id, job.source.key)
        archived = storage.find(uploaded.bucket, archive_key)
        if archived is None:
            raise
        return archived, read(archived)
