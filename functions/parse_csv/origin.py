"""Finds a file's bytes, and the file that it corrects if it is a correction."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from shared import keys, storage
from shared.errors import SourceChanged, SourceNotFound
from shared.job import Job, Location, Source
from shared.metadata import Item, read_item


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


def corrected_file(table_name: str, source: Source) -> Item | None:
    """The item of the file whose rejected records this upload corrects, or None.

    A correction has the name of that file's rejected records: `raw/<dataset>/<file_id>.csv`.
    """
    stem = PurePosixPath(source.key).name.partition(".")[0]
    if not re.fullmatch("[0-9a-f]{32}", stem):
        return None
    item = read_item(table_name, stem)
    same_dataset = item is not None and item["dataset"] == source.dataset
    return item if same_dataset else None


def corrected_rejects(output_bucket: str, corrected: Item | None) -> str | None:
    """The ETag of the rejected records that a correction corrects; None if it is no correction.

    `corrected` is the item of the corrected file. Raises `SourceChanged` if that file has no
    rejected records, or no longer: a correction would then add records that its output has already,
    or that its next run adds.
    """
    if corrected is None:
        return None
    key = keys.rejected_key(corrected["dataset"], corrected["file_id"], "csv")
    rejects = storage.find(output_bucket, key)
    if rejects is None:
        raise SourceChanged(
            f"The file is named after the rejected records of the file {corrected['file_id']}, "
            "which has none. If it is not a correction of that file, upload it under another name."
        )
    return rejects.etag


def output_name(file_id: str, corrected: dict[str, Any] | None) -> str:
    """The name of the file's output: its ID; for a correction, the corrected output's name, marked.

    `corrected` is the item of the corrected file, or None.
    """
    if corrected is None:
        return file_id
    return keys.corrected_name(str(corrected.get("output_name") or corrected["file_id"]))
