"""Publishes a file's output so that no reader ever sees only a part of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared import keys, storage
from shared.compose import compose
from shared.errors import MixedParts, SourceChanged
from shared.job import Location
from tabular.writing.formats import FORMATS
from tabular.writing.output_format import OutputFormat
from write_output.parts import WholeFile


@dataclass(frozen=True)
class Publication:
    """The file whose parts are published, and the name of the output.

    For a correction, `correction_of` is the ID of the corrected file, and `corrected_rejects` the
    ETag of the rejected records that it corrects.
    """

    bucket: str
    dataset: str
    file_id: str
    name: str
    splits: int
    correction_of: str | None = None
    corrected_rejects: str | None = None

    def rejected_key(self, suffix: str) -> str:
        """The key of the file's rejected records, in the format of `suffix`."""
        return keys.rejected_key(self.dataset, self.file_id, suffix)


def check_correction(publication: Publication) -> None:
    """Raise `SourceChanged` if a correction corrects records that its file no longer rejects.

    The file was rerun in the meantime, and records that it then processed would appear twice.
    """
    if publication.correction_of is None:
        return
    key = keys.rejected_key(publication.dataset, publication.correction_of, "csv")
    rejects = storage.find(publication.bucket, key)
    if rejects is None or rejects.etag != publication.corrected_rejects:
        raise SourceChanged(
            f"The file {publication.correction_of} was processed again in the meantime and no "
            "longer rejects the records that this file corrects. "
            "Correct the records that it rejects now."
        )


def publish(publication: Publication, whole: WholeFile) -> dict[str, Any]:
    """Publish rejected records, then processed ones; returns their keys.

    A reader who sees the processed records finds the rejected ones in place. Repeating it changes
    nothing. Raises `MixedParts`, before anything is published, if any part is missing.
    """
    bucket = publication.bucket
    prefix = keys.parts_prefix(publication.file_id)
    parts = {part.key: part for part in storage.list_objects(bucket, prefix)}
    output_format = FORMATS[whole.output_format]
    # Everything that is published, and that Summarize reads afterwards, must exist before that.
    for content in (output_format.suffix, "rejected.jsonl", "rejected.csv", "statistics.json"):
        _in_order(publication, parts, content)
    same_rejects = _publish_rejected(publication, whole, parts)
    if output_format.assembly == "manifest" and publication.splits > 1:
        published = _publish_under_manifest(publication, whole, output_format, parts)
    else:
        key = keys.processed_key(publication.dataset, publication.name, output_format.suffix)
        sources = _in_order(publication, parts, output_format.suffix)
        compose(sources, bucket, key, {"ContentType": output_format.media_type})
        published = [key]
    _remove_superseded(publication, published, keep_corrections=same_rejects)
    rejected = whole.error_count > 0
    return {
        "processed_key": published[-1],
        "rejected_key": publication.rejected_key("jsonl") if rejected else None,
        "rejected_csv_key": publication.rejected_key("csv") if rejected else None,
    }


def _publish_rejected(
    publication: Publication, whole: WholeFile, parts: dict[str, Location]
) -> bool:
    """Publish the rejected records; returns whether exactly the same ones were published before."""
    bucket = publication.bucket
    suffixes = ("jsonl", "csv")
    if whole.error_count == 0:
        # An earlier attempt, with another contract, may have published some.
        storage.delete_objects(bucket, [publication.rejected_key(suffix) for suffix in suffixes])
        return False
    before = storage.find(bucket, publication.rejected_key("csv"))
    for suffix in suffixes:
        sources = _in_order(publication, parts, f"rejected.{suffix}")
        compose(sources, bucket, publication.rejected_key(suffix))
    after = storage.find(bucket, publication.rejected_key("csv"))
    return before is not None and after is not None and before.etag == after.etag


def _publish_under_manifest(
    publication: Publication,
    whole: WholeFile,
    output_format: OutputFormat,
    parts: dict[str, Location],
) -> list[str]:
    """Publish one object for each split, then the manifest that lists them; returns all keys.

    The manifest comes last: readers start from it, so they see all objects or none.
    """
    suffix = output_format.suffix
    objects = []
    for split, part in enumerate(_in_order(publication, parts, suffix)):
        key = keys.processed_part_key(publication.dataset, publication.name, split, suffix)
        compose([part], publication.bucket, key, {"ContentType": output_format.media_type})
        objects.append({"key": key, "bytes": part.size})
    manifest_key = keys.processed_key(
        publication.dataset, publication.name, keys.manifest_suffix(suffix)
    )
    manifest = {
        "file_id": publication.file_id,
        "record_count": whole.processed_count,
        "objects": objects,
    }
    storage.write_document(publication.bucket, manifest_key, manifest, indent=2)
    return [*(str(item["key"]) for item in objects), manifest_key]


def _in_order(publication: Publication, parts: dict[str, Location], content: str) -> list[Location]:
    """One part for each split, in their order; raises `MixedParts` if one is missing."""
    wanted = [
        keys.part_key(publication.file_id, split, content) for split in range(publication.splits)
    ]
    missing = [key for key in wanted if key not in parts]
    if missing:
        raise MixedParts(
            f"{len(missing)} parts are missing; the first is {missing[0]}. Nothing was published. "
            "Redrive the execution: it makes the parts again."
        )
    return [parts[key] for key in wanted]


def _remove_superseded(
    publication: Publication, published: list[str], *, keep_corrections: bool
) -> None:
    """Remove earlier outputs of the file that would duplicate records of the new one.

    These are the output of an earlier attempt in another format, and corrections of records that an
    earlier attempt rejected, because this attempt processed them itself or rejected others.
    """
    own = keys.processed_key(publication.dataset, publication.name, "")[:-1]
    corrections = keys.processed_key(
        publication.dataset, keys.corrected_name(publication.name), ""
    )[:-1]
    superseded = [
        found.key
        for found in storage.list_objects(publication.bucket, own)
        if found.key not in published
        and not (keep_corrections and found.key.startswith(corrections))
    ]
    storage.delete_objects(publication.bucket, superseded)
