"""Publishes a file's outputs: first the rejected records, then the processed ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from shared import keys, publication, storage
from shared.compose import MIN_PIECE, compose
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
    is_new: bool = False
    """Whether no output was published when the execution began. It may be wrong by now."""

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
    output_format = FORMATS[whole.output_format]
    parts: dict[str, Location] = {}
    sources: Sequence[Location | bytes]
    # Everything that is published, and that Summarize reads afterwards, must exist before that.
    if _is_one_small_object(file, whole, output_format):
        sources = [_read_only_part(file, whole, output_format)]
        is_new = _look_first(file, whole, output_format)
    else:
        listed = storage.list_objects(file.bucket, file.work.parts)
        parts = {part.key: part for part in listed}
        for content in whole.contents or keys.part_contents(output_format.suffix):
            _in_order(file, parts, content)
        is_new = _look_first(file, whole, output_format)
        sources = assemble(_in_order(file, parts, output_format.suffix), output_format)
    rejected_key, corrections_key = _publish_rejected(file, whole, parts, is_new=is_new)
    processed_key, replaced = _publish_processed(file, output_format, sources, is_new=is_new)
    if replaced:
        _look_again(file, whole)
    size = sum(len(one) if isinstance(one, bytes) else one.size for one in sources)
    return {
        "processed_key": processed_key,
        "processed_bytes": size,
        "rejected_key": rejected_key,
        "corrections_key": corrections_key,
        "corrections": file.corrections.to_document() if file.corrections else None,
    }


def _is_one_small_object(file: Publication, whole: WholeFile, output_format: OutputFormat) -> bool:
    """Whether the part has only processed records, and so few that S3 doesn't copy them itself."""
    is_alone = whole.contents == (output_format.suffix,) and file.corrections is None
    return is_alone and whole.processed_bytes < MIN_PIECE


def _read_only_part(file: Publication, whole: WholeFile, output_format: OutputFormat) -> bytes:
    """The processed records of a file's only part; raises `MixedParts` if they are not there."""
    key = file.work.part(0, output_format.suffix)
    found = storage.read_optional(file.bucket, key)
    if found is None or len(found[0]) != whole.processed_bytes:
        raise _missing([key])
    return found[0]


def _look_first(file: Publication, whole: WholeFile, output_format: OutputFormat) -> bool:
    """Look at the objects that decide, before anything is published, whether anything is.

    Returns whether nothing is expected at the keys of the outputs. Raises `HigherRank`.

    Without rejected records and corrections, nothing is published before the processed records, and
    the object at their key is compared when they replace it: no look is needed before.
    """
    looked = [file.processed_key(other) for other in _others(output_format)]
    if not (whole.error_count or file.corrections):
        _check(publication.higher_rank(file.bucket, looked, file.rank))
        return file.is_new
    there = publication.look(file.bucket, file.processed_key(output_format))
    if there and there.rank and there.rank.is_above(file.rank):
        raise HigherRank(there.rank)
    _check(publication.higher_rank(file.bucket, looked, file.rank))
    return there is None


def clean_up(file: Publication) -> None:
    """Remove objects of lower ranks beside the published output, after `HigherRank`.

    The highest rank's own rejected records came before its processed ones. So everything of a lower
    rank is of an execution that was overtaken, or interrupted, while it published.
    """
    highest = publication.highest_rank(file.bucket, file.processed_keys)
    for key in (file.rejected_key, file.corrections_key, *file.processed_keys):
        publication.remove_below(file.bucket, key, highest)


def _publish_rejected(
    file: Publication, whole: WholeFile, parts: dict[str, Location], *, is_new: bool
) -> tuple[str | None, str | None]:
    """Publish the rejected records, and the same to correct; returns their keys."""
    contents = {file.rejected_key: "rejected.jsonl", file.corrections_key: "corrections.csv"}
    present = _present_corrections(file)
    try:
        # First, so that no correction is lost once its row is no longer among the rejected ones.
        _publish_applied(file, is_present=file.applied_key in present)
        for key, content in contents.items():
            if whole.error_count:
                sources = _in_order(file, parts, content)
                _replace(file, key, sources, storage.content_type(key), is_new=is_new)
            elif key == file.rejected_key or key in present:
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


def _present_corrections(file: Publication) -> Sequence[str]:
    """The keys below `corrections/` that the file has objects at, found with one request."""
    prefix = keys.corrections_prefix(file.dataset, file.work.file_id)
    found = storage.list_few(file.bucket, prefix, most=10)
    return [file.applied_key, file.corrections_key] if found is None else found


def _publish_applied(file: Publication, *, is_present: bool) -> None:
    """Publish the corrected records; they replace exactly those that they include.

    Raises `InvalidCorrections` if others are there, and `HigherRank` if a later attempt's are.
    """
    there = publication.look(file.bucket, file.applied_key) if is_present else None
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


_LATER_CORRECTIONS = (
    "Other corrections were published while this execution ran. Its output is published, but lacks "
    "them. Redrive the execution: it starts over and applies both."
)


def _publish_processed(
    file: Publication,
    output_format: OutputFormat,
    sources: Sequence[Location | bytes],
    *,
    is_new: bool,
) -> tuple[str, bool]:
    """Publish the processed records; returns their key, and whether there were others."""
    key = file.processed_key(output_format)
    replaced = _replace(file, key, sources, output_format.media_type, is_new=is_new)
    for other in _others(output_format):
        # The dataset's output format has changed. For a moment there are both.
        if publication.look(file.bucket, file.processed_key(other)):
            _check(publication.remove(file.bucket, file.processed_key(other), file.rank))
            replaced = True
    return key, replaced


def _look_again(file: Publication, whole: WholeFile) -> None:
    """Deal with what a lower rank has published since this one has looked, with all of its output.

    A lower rank that publishes its processed records from now on finds these, and removes the
    others itself. Raises `InvalidCorrections` if it has published corrections.
    """
    if not whole.error_count:
        for key in (file.rejected_key, file.corrections_key):
            publication.remove_below(file.bucket, key, file.rank)
    there = publication.look(file.bucket, file.applied_key)
    if there and (there.rank is None or file.rank.is_above(there.rank)):
        raise InvalidCorrections(_LATER_CORRECTIONS)


def _replace(
    file: Publication,
    key: str,
    sources: Sequence[Location | bytes],
    media_type: str,
    *,
    is_new: bool,
) -> bool:
    """Publish an object; returns whether there was another one."""
    properties = Properties(ContentType=media_type, Metadata=file.rank.to_metadata())
    replaced = False

    def write(condition: Condition) -> None:
        nonlocal replaced
        compose(sources, file.bucket, key, properties, condition)
        replaced = "IfMatch" in condition

    _check(publication.replace(file.bucket, key, file.rank, write, is_new=is_new))
    return replaced


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
        raise _missing(missing)
    return [parts[key] for key in wanted]


def _missing(missing: Sequence[str]) -> MixedParts:
    return MixedParts(
        f"{len(missing)} parts are missing; the first is {missing[0]}. Nothing was published. "
        "Redrive the execution: it makes the parts again."
    )
