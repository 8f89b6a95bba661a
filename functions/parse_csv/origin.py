"""Where a file's bytes are now, and whether it mends another one."""

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

    A file that was processed before may have been archived. Raises `SourceNotFound` where it is
    in neither place, `SourceChanged` where the content is not the announced one.
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
    """The item of the file whose rejected records this upload mends, if it is a mend.

    A mend is named after that file, as its rejected records are: `raw/<dataset>/<file_id>.csv`.
    """
    stem = PurePosixPath(source.key).name.partition(".")[0]
    if not re.fullmatch("[0-9a-f]{32}", stem):
        return None
    item = read_item(table_name, stem)
    same_dataset = item is not None and item["dataset"] == source.dataset
    return item if same_dataset else None


def corrected_rejects(output_bucket: str, corrected: Item | None) -> str | None:
    """The ETag of the rejected records that a mend mends; None where the file is no mend.

    Raises `SourceChanged` where the mended file has no rejected records (any more): their mend
    would put records into the output that are there already, or that the file's next run gives.
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
    """The name of the file's output: its id, or for a mend the name that it mends, marked so."""
    if corrected is None:
        return file_id
    return keys.corrected_name(str(corrected.get("output_name") or corrected["file_id"]))
