"""Publish a file's output, so that nobody ever sees half of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared import keys, storage
from shared.compose import compose
from shared.errors import MixedParts, SourceChanged
from shared.job import Location
from write_output.parts import WholeFile


@dataclass(frozen=True)
class Publication:
    """Which file's parts are published, and the name of the output.

    A mend names the file whose rejected records it mends, and the ETag that these had.
    """

    bucket: str
    dataset: str
    file_id: str
    name: str
    splits: int
    correction_of: str | None = None
    corrected_rejects: str | None = None

    def rejected_key(self, suffix: str) -> str:
        """Where its rejected records go."""
        return keys.rejected_key(self.dataset, self.file_id, suffix)


def check_correction(publication: Publication) -> None:
    """Raise `SourceChanged` where a mend is of records that the file does not reject any more.

    The file has been run again since: what it now processed itself would be there twice.
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

    Whoever sees processed records finds the rejected ones there already. Repeating it changes
    nothing. Raises `MixedParts`, before anything appears, where any part is not there.
    """
    bucket = publication.bucket
    prefix = keys.parts_prefix(publication.file_id)
    parts = {part.key: part for part in storage.list_objects(bucket, prefix)}
    # What is published, and what Summarize reads after publication: looked for before anything is.
    for content in (whole.output_format, "rejected.jsonl", "rejected.csv", "statistics.json"):
        _in_order(publication, parts, content)
    same_rejects = _publish_rejected(publication, whole, parts)
    if whole.output_format == "parquet" and publication.splits > 1:
        published = _publish_under_manifest(publication, whole, parts)
    else:
        key = keys.processed_key(publication.dataset, publication.name, whole.output_format)
        compose(_in_order(publication, parts, whole.output_format), bucket, key)
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
) -> list[str]:
    """Publish one object a split; the manifest, written and named last, makes them the output."""
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
    return [*(str(item["key"]) for item in objects), manifest_key]


def _in_order(publication: Publication, parts: dict[str, Location], content: str) -> list[Location]:
    """The parts of one content, one a split; raises `MixedParts` where one is not there."""
    wanted = [
        keys.part_key(publication.file_id, split, content) for split in range(publication.splits)
    ]
    missing = [key for key in wanted if key not in parts]
    if missing:
        raise MixedParts(
            f"{len(missing)} parts are not there, the first is {missing[0]}. Nothing is published. "
            "Redrive the execution: it makes the parts anew."
        )
    return [parts[key] for key in wanted]


def _remove_superseded(
    publication: Publication, published: list[str], *, keep_corrections: bool
) -> None:
    """Remove what stands beside the new output and would double its records.

    That is the output of an earlier attempt in another format, and mends of records that an
    earlier attempt rejected: this one processed them itself, or rejected others.
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
