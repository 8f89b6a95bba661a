"""Publishes a file's outputs: first the rejected records, then the processed ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from shared import keys, publication, storage
from shared.compose import compose
from shared.errors import MixedParts, TransientError
from shared.job import Location
from shared.storage import Condition, ObjectChanged, Properties
from shared.versions import Rank
from tabular.errors import InvalidCorrections
from tabular.writing.output_format import OutputFormat
from tabular.writing.output_formats import FORMATS
from write_output.assemble import assemble
from write_output.parts import WholeFile


class HigherRank(Exception):
    """A later version of the file, or a later attempt, has published its output."""

    def __init__(self, rank: Rank) -> None:
        super().__init__()
        self.rank = rank


@dataclass(frozen=True)
class AppliedCorrections:
    """The corrected rows that the parts have: where they are, how many, and the last attempt.

    `published` is the ETag of the published sum that they include, None if there was none.
    """

    patches: Location
    rows: int
    attempt: int
    published: str | None

    @classmethod
    def of(cls, document: Mapping[str, Any] | None, bucket: str) -> Self | None:
        """The corrections that ParseCsv found; None if there are none."""
        if document is None:
            return None
        patches = storage.locate(bucket, document["key"])
        return cls(patches, document["count"], document["attempt"], document["published"])

    def to_document(self) -> dict[str, int]:
        """The corrections as the outcome document lists them."""
        return {"rows": self.rows, "attempt": self.attempt}


@dataclass(frozen=True)
class Publication:
    """The file whose parts are published, where they are, and the outputs' name and rank."""

    bucket: str
    dataset: str
    path: str
    work: keys.Work
    splits: int
    rank: Rank
    corrections: AppliedCorrections | None = None

    @property
    def corrections_key(self) -> str:
        """The key of the rejected records to correct."""
        return keys.corrections_key(self.dataset, self.work.file_id)

    @property
    def applied_key(self) -> str:
        """The key of the corrected records, of all attempts."""
        return keys.applied_key(self.dataset, self.work.file_id)

    @property
    def rejected_key(self) -> str:
        """The key of the rejected records."""
        return keys.rejected_key(self.dataset, self.path)

    def processed_key(self, output_format: OutputFormat) -> str:
        """The key of the processed records in this format."""
        return keys.processed_key(self.dataset, self.path, output_format.suffix)

    @property
    def processed_keys(self) -> list[str]:
        """The keys of the processed records in all formats, one of which is in use."""
        return [self.processed_key(output_format) for output_format in FORMATS.values()]


def publish(file: Publication, whole: WholeFile) -> dict[str, Any]:
    """Publish the rejected records, then the processed ones; returns their keys and the size.

    A reader who sees the processed records finds the rejected ones in place. Repeating it changes
    nothing. Raises `MixedParts`, before anything is published, if any part is missing,
    `InvalidCorrections` if another attempt has published corrections that this one lacks, and
    `HigherRank` if processed records of a higher rank are published, which stay as they are. Raises
    `TransientError` while a higher rank has published only its rejected records.
    What `assemble` raises comes before anything is published, too.
    """
    prefix = file.work.parts
    parts = {part.key: part for part in storage.list_objects(file.bucket, prefix)}
    output_format = FORMATS[whole.output_format]
    # Everything that is published, and that Summarize reads afterwards, must exist before that.
    for content in (output_format.suffix, "rejected.jsonl", "corrections.csv", "statistics.json"):
        _in_order(file, parts, content)
    _check(publication.higher_rank(file.bucket, _looked_at_first(file, whole), file.rank))
    sources = assemble(_in_order(file, parts, output_format.suffix), output_format)
    rejected_key, corrections_key = _publish_rejected(file, whole, parts)
    processed_key = _publish_processed(file, output_format, sources)
    size = sum(len(one) if isinstance(one, bytes) else one.size for one in sources)
    return {
        "processed_key": processed_key,
        "processed_bytes": size,
        "rejected_key": rejected_key,
        "corrections_key": corrections_key,
        "corrections": file.corrections.to_document() if file.corrections else None,
    }


def _looked_at_first(file: Publication, whole: WholeFile) -> list[str]:
    """The keys whose objects decide, before anything is published, whether anything is.

    Without rejected records and corrections, nothing is published before the processed records, and
    the object at their key is looked at right before they replace it: one look is enough.
    """
    if whole.error_count or file.corrections:
        return file.processed_keys
    return [file.processed_key(other) for other in _others(FORMATS[whole.output_format])]


def clean_up(file: Publication) -> None:
    """Remove objects of lower ranks beside the published output, after `HigherRank`.

    The highest rank's own rejected records came before its processed ones. So everything of a lower
    rank is of an execution that was overtaken, or interrupted, while it published.
    """
    highest = publication.highest_rank(file.bucket, file.processed_keys)
    for key in (file.rejected_key, file.corrections_key, *file.processed_keys):
        publication.remove_below(file.bucket, key, highest)


def _publish_rejected(
    file: Publication, whole: WholeFile, parts: dict[str, Location]
) -> tuple[str | None, str | None]:
    """Publish the rejected records, and the same to correct; returns their keys."""
    contents = {file.rejected_key: "rejected.jsonl", file.corrections_key: "corrections.csv"}
    try:
        # First, so that no correction is lost once its row is no longer among the rejected ones.
        _publish_applied(file)
        for key, content in contents.items():
            if whole.error_count:
                sources = _in_order(file, parts, content)
                _replace(file, key, sources, storage.content_type(key))
            else:
                # An earlier version, or an attempt with another contract, may have published some.
                _check(publication.remove(file.bucket, key, file.rank))
    except HigherRank as found:
        # Only processed records decide: the other execution may have been interrupted before them.
        _check(publication.higher_rank(file.bucket, file.processed_keys, file.rank))
        raise TransientError(
            f"The execution {found.rank.execution} of a later version is publishing its output, or "
            "has failed while publishing it. Retry later; if it has failed, redrive it first."
        ) from None
    if not whole.error_count:
        return None, None
    return file.rejected_key, file.corrections_key


def _publish_applied(file: Publication) -> None:
    """Publish the corrected records; they replace exactly those that they include.

    Raises `InvalidCorrections` if others are there, and `HigherRank` if a later attempt's are.
    """
    there = publication.look(file.bucket, file.applied_key)
    corrections = file.corrections
    if there and there.rank and there.rank.is_above(file.rank):
        raise HigherRank(there.rank)
    if there and there.rank == file.rank:
        return  # they were published before an interruption
    etag = there.location.etag if there else None
    if etag != (corrections.published if corrections else None):
        raise InvalidCorrections(_OTHER_CORRECTIONS)
    if corrections is None:
        return
    condition: Condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
    properties = Properties(
        ContentType=storage.content_type(file.applied_key), Metadata=file.rank.to_metadata()
    )
    try:
        compose([corrections.patches], file.bucket, file.applied_key, properties, condition)
    except ObjectChanged:
        raise InvalidCorrections(_OTHER_CORRECTIONS) from None


_OTHER_CORRECTIONS = (
    "Other corrections were published while this execution ran, and its output lacks them. Nothing "
    "was published. Redrive the execution: it starts over and applies both."
)


def _publish_processed(
    file: Publication, output_format: OutputFormat, sources: Sequence[Location | bytes]
) -> str:
    key = file.processed_key(output_format)
    _replace(file, key, sources, output_format.media_type)
    for other in _others(output_format):
        # The dataset's output format has changed. For a moment there are both.
        _check(publication.remove(file.bucket, file.processed_key(other), file.rank))
    return key


def _replace(
    file: Publication, key: str, sources: Sequence[Location | bytes], media_type: str
) -> None:
    properties = Properties(ContentType=media_type, Metadata=file.rank.to_metadata())

    def write(condition: Condition) -> None:
        compose(sources, file.bucket, key, properties, condition)

    _check(publication.replace(file.bucket, key, file.rank, write))


def _check(higher: Rank | None) -> None:
    if higher:
        raise HigherRank(higher)


def _others(output_format: OutputFormat) -> Iterator[OutputFormat]:
    return (other for other in FORMATS.values() if other != output_format)


def _in_order(file: Publication, parts: dict[str, Location], content: str) -> list[Location]:
    """One part for each split, in their order; raises `MixedParts` if one is missing."""
    wanted = [file.work.part(split, content) for split in range(file.splits)]
    missing = [key for key in wanted if key not in parts]
    if missing:
        raise MixedParts(
            f"{len(missing)} parts are missing; the first is {missing[0]}. Nothing was published. "
            "Redrive the execution: it makes the parts again."
        )
    return [parts[key] for key in wanted]
