"""Publishes objects so that a reader sees, at every moment, one complete and current version.

Each object is written or removed by one conditional request, and only if what is at its key ranks
no higher. So the highest rank wins, in whatever order executions finish, fail or are redriven.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from shared import storage
from shared.errors import TransientError
from shared.job import Location
from shared.storage import Condition, ObjectChanged
from shared.versions import Rank

# Each time, another execution has published the same key in the meantime, which takes seconds.
_TRIES = 10


@dataclass(frozen=True)
class Published:
    """An object at a key of the output; `rank` is None if the pipeline didn't write it."""

    location: Location
    rank: Rank | None


def look(bucket: str, key: str) -> Published | None:
    """The object that is published at the key now, or None."""
    found = storage.find_with_metadata(bucket, key)
    if found is None:
        return None
    location, metadata = found
    return Published(location, Rank.from_metadata(metadata))


def higher_rank(bucket: str, keys: Iterable[str], rank: Rank) -> Rank | None:
    """The rank of the first of these objects that ranks higher, or None."""
    for key in keys:
        there = look(bucket, key)
        if there and there.rank and there.rank.is_above(rank):
            return there.rank
    return None


def highest_rank(bucket: str, keys: Iterable[str]) -> Rank | None:
    """The highest rank of these objects; None if there are none."""
    highest: Rank | None = None
    for key in keys:
        there = look(bucket, key)
        if there and there.rank and (highest is None or there.rank.is_above(highest)):
            highest = there.rank
    return highest


def replace(
    bucket: str,
    key: str,
    rank: Rank,
    write: Callable[[Condition], None],
    *,
    is_new: bool = False,
) -> Rank | None:
    """Publish an object, unless one of a higher rank is there; returns the rank of that one.

    `write` writes the object, with `rank.to_metadata()`, under the condition that it is given, and
    raises `ObjectChanged` if that isn't met. With `is_new`, nothing is expected at the key: it is
    looked at only if something is there after all, which costs a second write. Raises
    `TransientError` if others keep publishing.
    """

    def attempt(there: Published | None) -> None:
        # An object that the pipeline didn't write is replaced too: the key is the pipeline's.
        write({"IfMatch": there.location.etag} if there else {"IfNoneMatch": "*"})

    return _unless_higher(bucket, key, rank, attempt, is_new=is_new)


def replace_small(
    bucket: str, key: str, rank: Rank, body: bytes, *, is_new: bool = False
) -> Rank | None:
    """Publish an object from memory with one request, as `replace` does.

    Its media type follows from its key.
    """
    properties = storage.Properties(
        ContentType=storage.content_type(key), Metadata=rank.to_metadata()
    )

    def write(condition: Condition) -> None:
        storage.put(bucket, key, body, properties, condition)

    return replace(bucket, key, rank, write, is_new=is_new)


def remove(bucket: str, key: str, rank: Rank) -> Rank | None:
    """Remove an object, unless one of a higher rank is there; returns the rank of that one."""

    def attempt(there: Published | None) -> None:
        if there:
            storage.delete_unchanged(there.location)

    return _unless_higher(bucket, key, rank, attempt)


def remove_below(bucket: str, key: str, rank: Rank | None) -> None:
    """Remove an object whose rank is below the one that is given; None removes nothing."""
    there = look(bucket, key)
    if there and there.rank and rank and rank.is_above(there.rank):
        try:
            storage.delete_unchanged(there.location)
        except ObjectChanged:
            return  # it was replaced in the meantime; the new object is not compared


def _unless_higher(
    bucket: str,
    key: str,
    rank: Rank,
    attempt: Callable[[Published | None], None],
    *,
    is_new: bool = False,
) -> Rank | None:
    for number in range(_TRIES):
        there = None if is_new and number == 0 else look(bucket, key)
        if there and there.rank and there.rank.is_above(rank):
            return there.rank
        try:
            attempt(there)
        except ObjectChanged:
            continue
        return None
    raise TransientError(f"s3://{bucket}/{key} keeps changing. Retry later.")
