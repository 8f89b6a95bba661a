"""Completes the result of a malware scan to the job that it starts."""

from __future__ import annotations

from dataclasses import replace

from shared import storage
from shared.job import Job, iso
from shared.scans import ScanResult


def job_of(result: ScanResult) -> Job:
    """The first attempt for the scanned version, the same for every event with this result.

    S3 is asked for the size and the time of the upload, by which the versions of a key are ordered.
    If the version no longer exists, the attempt is made nevertheless, and fails with
    `SourceNotFound`.
    """
    source = result.source
    described = storage.describe(source.location)
    if described is not None:
        source = replace(source, size=described.size, event_time=iso(described.modified))
    return Job(source.file_id, 1, source, scan=result.status)
