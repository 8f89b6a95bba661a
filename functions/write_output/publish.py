"""Publish a file's output, so that nobody ever sees half of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared import keys, storage
from shared.compose import compose
from shared.errors import InternalError
from shared.job import Location
from write_output.parts import WholeFile


@dataclass(frozen=True)
class Publication:
    """Which file's parts are published, and the name of the output."""

    bucket: str
    dataset: str
    file_id: str
    name: str
    splits: int

    def rejected_key(self, suffix: str) -> str:
        """Where its rejected records go."""
        return keys.rejected_key(self.dataset, self.file_id, suffix)


def publish(publication: Publication, whole: WholeFile) -> dict[str, Any]:
    """Publish rejected records, then processed ones; returns their keys.

    Whoever sees processed records finds the rejected ones there already. Repeating it changes
    nothing.
    """
    bucket = publication.bucket
    prefix = keys.parts_prefix(publication.file_id)
    parts = {part.key: part for part in storage.list_objects(bucket, prefix)}
    same_rejects = _publish_rejected(publication, whole, parts)
    if whole.output_format == "parquet" and publication.splits > 1:
        processed_key = _publish_under_manifest(publication, whole, parts)
    else:
        processed_key = keys.processed_key(
            publication.dataset, publication.name, whole.output_format
        )
        compose(_in_order(publication, parts, whole.output_format), bucket, processed_key)
    if not same_rejects:
        _remove_mends(publication)
    rejected = whole.error_count > 0
    return {
        "processed_key": processed_key,
        "rejected_key": publication.rejected_key("jsonl") if rejected else None,
        "rejected_csv_key": publication.rejected_key("csv") if rejected else None,
    }


def _publish_rejected(
    publication: Publication, whole: WholeFile, parts: dict[str, Location]
) -> bool:
    """Publish the rejected records; True where the very same ones were published before."""
    bucket = publication.bucket
    suffixes = ("jsonl", "csv")
    if whole.error_count == 0:
        # An earlier attempt, under another contract, may have left some.
        storage.delete_objects(bucket, [publication.rejected_key(suffix) for suffix in suffixes])
        return False
    before = storage.find(bucket, publication.rejected_key("csv"))
    for suffix in suffixes:
        sources = _in_order(publication, parts, f"rejected.{suffix}")
        compose(sources, bucket, publication.rejected_key(suffix))
    after = storage.find(bucket, publication.rejected_key("csv"))
    return before is not None and after is not None and before.etag == after.etag


def _publish_under_manifest(
    publication: Publication, whole: WholeFile, parts: dict[str, Location]
) -> str:
    """Publish one object a split; the manifest, written last, makes them the output."""
    suffix = whole.output_format
    objects = []
    for split, part in enumerate(_in_order(publication, parts, suffix)):
        key = keys.processed_part_key(publication.dataset, publication.name, split, suffix)
        compose([part], publication.bucket, key)
        objects.append({"key": key, "bytes": part.size})
    manifest_key = keys.processed_key(
        publication.dataset, publication.name, f"{suffix}.manifest.json"
    )
    manifest = {
        "file_id": publication.file_id,
        "record_count": whole.processed_count,
        "objects": objects,
    }
    storage.write_document(publication.bucket, manifest_key, manifest, indent=2)
    return manifest_key


def _in_order(publication: Publication, parts: dict[str, Location], content: str) -> list[Location]:
    """The parts of one content, one a split; raises InternalError where one is not there."""
    wanted = [
        keys.part_key(publication.file_id, split, content) for split in range(publication.splits)
    ]
    missing = [key for key in wanted if key not in parts]
    if missing:
        raise InternalError(
            f"{len(missing)} parts are not there, the first is {missing[0]}. Start a new execution."
        )
    return [parts[key] for key in wanted]


def _remove_mends(publication: Publication) -> None:
    """Remove the mends of rejected records that this publication supersedes.

    They mend what an earlier attempt rejected; this one processed those records itself, or
    rejected others. A mend's own name ends in its depth, so it removes the deeper ones only.
    """
    prefix = keys.processed_key(publication.dataset, publication.name, "")[:-1]
    below = "-mended" if publication.name == publication.file_id else "-"
    superseded = storage.list_objects(publication.bucket, f"{prefix}{below}")
    storage.delete_objects(publication.bucket, [mend.key for mend in superseded])
