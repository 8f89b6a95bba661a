"""ArchiveSource: move a processed file from `raw/` to `processed/` of the input bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared import keys, storage
from shared.compose import compose
from shared.errors import SourceNotFound
from shared.job import Job, Location
from shared.metadata import mark_item
from shared.settings import from_environment
from shared.step import Task, step


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    metadata_table: str


@step()
def handler(task: Task) -> dict[str, Any]:
    """Copy the file's version, then delete exactly that version. Repeating it changes nothing.

    Returns the archived object's key and version. A later rerun reads the file from there. Raises
    `SourceNotFound` if the file is neither in `raw/` nor in the archive, and `RecordOutdated` if
    the metadata item no longer records the file's success.
    """
    settings = from_environment(Settings)
    source = task.job.source
    target = keys.archive_key(source.dataset, task.job.file_id, source.key)
    archived = storage.find(source.bucket, target)
    if archived is None or archived.size != source.size:
        archived = _copy(task.job, target)
    # Recorded before the upload is deleted, so that the item never names a missing object.
    mark_item(
        settings.metadata_table,
        task.job.file_id,
        "archive",
        {"key": archived.key, "version_id": archived.version_id},
    )
    storage.delete_version(source.location)
    return {"archive_key": archived.key, "archive_version": archived.version_id}


def _copy(job: Job, target: str) -> Location:
    source = job.source.location
    compose([source], source.bucket, target, storage.properties_of(source))
    archived = storage.find(job.source.bucket, target)
    if archived is None or archived.size != job.source.size:
        raise SourceNotFound(
            f"{job.source.uri} was not archived: its copy is missing or has another size. "
            "Rerun the file."
        )
    return archived
