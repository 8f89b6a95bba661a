"""Finds a file's bytes."""

from __future__ import annotations

from shared import keys, storage
from shared.errors import SourceNotFound
from shared.job import Job, Location


def locate(job: Job, head_bytes: int) -> tuple[Location, bytes]:
    """The file's location and its first bytes.

    A file that was processed before can be in the archive. Raises `SourceNotFound` if it is in
    neither place, and `SourceChanged` if its content differs from the announced content.
    """
    uploaded = job.source.location
    try:
        return uploaded, storage.read_range(uploaded, 0, head_bytes)
    except SourceNotFound:
        archive_key = keys.archive_key(job.source.dataset, job.file_id, job.source.key)
        archived = storage.find(uploaded.bucket, archive_key)
        if archived is None:
            raise
        return archived, storage.read_range(archived, 0, head_bytes)
