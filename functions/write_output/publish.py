"""Publishes a file's outputs: first the rejected records, then the processed ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shared import keys, publication, storage
from shared.compose import compose
from shared.errors import MixedParts
from shared.job import Location
from shared.storage import Condition, Properties
from shared.versions import Rank
from tabular.writing.formats import FORMATS
from tabular.writing.output_format import OutputFormat
from write_output.assemble import assemble
from write_output.parts import WholeFile


class HigherRank(Exception):
    """A later version of the file, or a later attempt, has published its output."""

    def __init__(self, rank: Rank) -> None:
        super().__init__()
        self.rank = rank


@dataclass(frozen=True)
class Publication:
    """The file whose parts are published, where they are, and the outputs' name and rank."""

    bucket: str
    dataset: str
    path: str
    work: keys.Work
    splits: int
    rank: Rank

    @property
    def rejected_key(self) -> str:
        """The key of the rejected records."""
        return keys.rejected_key(self.dataset, self.path)

    def processed_key(self, output_format: OutputFormat) -> str:
        """The key of the processed records in this format."""
        return keys.processed_key(self.dataset, self.path, output_format.suffix)


def publish(file: Publication, whole: WholeFile) -> dict[str, Any]:
    """Publish the rejected records, then the processed ones; returns their keys and the size.

    A reader who sees the processed records finds the rejected ones in place. Repeating it changes
    nothing. Raises `MixedParts`, before anything is published, if any part is missing, and
    `HigherRank` if an output of a higher rank is published, which stays as it is. What `assemble`
    raises comes before anything is published, too.
    """
    prefix = file.work.parts
    parts = {part.key: part for part in storage.list_objects(file.bucket, prefix)}
    output_format = FORMATS[whole.output_format]
    # Everything that is published, and that Summarize reads afterwards, must exist before that.
    for content in (output_format.suffix, "rejected.jsonl", "statistics.json"):
        _in_order(file, parts, content)
    processed_keys = [file.processed_key(one) for one in FORMATS.values()]
    _check(publication.higher_rank(file.bucket, processed_keys, file.rank))
    sources = assemble(_in_order(file, parts, output_format.suffix), output_format)
    rejected_key = _publish_rejected(file, whole, parts)
    try:
        processed_key = _publish_processed(file, output_format, sources)
    except HigherRank:
        # The higher rank's own rejected records, if it has any, are in place: they came first.
        publication.withdraw(file.bucket, file.rejected_key, file.rank)
        raise
    size = sum(len(one) if isinstance(one, bytes) else one.size for one in sources)
    return {
        "processed_key": processed_key,
        "processed_bytes": size,
        "rejected_key": rejected_key,
    }


def _publish_rejected(
    file: Publication, whole: WholeFile, parts: dict[str, Location]
) -> str | None:
    key = file.rejected_key
    if whole.error_count == 0:
        # An earlier version, or an earlier attempt with another contract, may have published some.
        _check(publication.remove(file.bucket, key, file.rank))
        return None
    sources = _in_order(file, parts, "rejected.jsonl")
    _replace(file, key, sources, storage.content_type(key))
    return key


def _publish_processed(
    file: Publication, output_format: OutputFormat, sources: Sequence[Location | bytes]
) -> str:
    key = file.processed_key(output_format)
    _replace(file, key, sources, output_format.media_type)
    for other in _others(output_format):
        # The dataset's output format has changed. For a moment there are both.
        higher = publication.remove(file.bucket, file.processed_key(other), file.rank)
        if higher:
            publication.withdraw(file.bucket, key, file.rank)
            raise HigherRank(higher)
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
