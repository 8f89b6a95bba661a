"""Publishes a file's outputs: first the rejected records, then the processed ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shared import keys, publication, storage
from shared.compose import compose
from shared.errors import MixedParts, TransientError
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

    @property
    def processed_keys(self) -> list[str]:
        """The keys of the processed records in all formats, one of which is in use."""
        return [self.processed_key(output_format) for output_format in FORMATS.values()]


def publish(file: Publication, whole: WholeFile) -> dict[str, Any]:
    """Publish the rejected records, then the processed ones; returns their keys and the size.

    A reader who sees the processed records finds the rejected ones in place. Repeating it changes
    nothing. Raises `MixedParts`, before anything is published, if any part is missing, and
    `HigherRank` if processed records of a higher rank are published, which stay as they are. Raises
    `TransientError` while a higher rank has published only its rejected records.
    What `assemble` raises comes before anything is published, too.
    """
    prefix = file.work.parts
    parts = {part.key: part for part in storage.list_objects(file.bucket, prefix)}
    output_format = FORMATS[whole.output_format]
    # Everything that is published, and that Summarize reads afterwards, must exist before that.
    for content in (output_format.suffix, "rejected.jsonl", "statistics.json"):
        _in_order(file, parts, content)
    _check(publication.higher_rank(file.bucket, file.processed_keys, file.rank))
    sources = assemble(_in_order(file, parts, output_format.suffix), output_format)
    rejected_key = _publish_rejected(file, whole, parts)
    processed_key = _publish_processed(file, output_format, sources)
    size = sum(len(one) if isinstance(one, bytes) else one.size for one in sources)
    return {
        "processed_key": processed_key,
        "processed_bytes": size,
        "rejected_key": rejected_key,
    }


def clean_up(file: Publication) -> None:
    """Remove what lower ranks have left beside the published output, after `HigherRank`.

    The highest rank's own rejected records came before its processed ones. So everything of a lower
    rank is of an execution that was overtaken, or interrupted, while it published.
    """
    highest = publication.highest_rank(file.bucket, file.processed_keys)
    for key in (file.rejected_key, *file.processed_keys):
        publication.remove_below(file.bucket, key, highest)


def _publish_rejected(
    file: Publication, whole: WholeFile, parts: dict[str, Location]
) -> str | None:
    key = file.rejected_key
    try:
        if whole.error_count == 0:
            # An earlier version, or an attempt with another contract, may have published some.
            _check(publication.remove(file.bucket, key, file.rank))
            return None
        sources = _in_order(file, parts, "rejected.jsonl")
        _replace(file, key, sources, storage.content_type(key))
    except HigherRank as found:
        # Only processed records decide: the other execution may have been interrupted before them.
        _check(publication.higher_rank(file.bucket, file.processed_keys, file.rank))
        raise TransientError(
            f"The execution {found.rank.execution} of a later version is publishing its output, or "
            "has failed amid it. Retry later; if it has failed, redrive it first."
        ) from None
    return key


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
