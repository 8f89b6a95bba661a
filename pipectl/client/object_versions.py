"""Finds and deletes all versions of objects, delete markers included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipectl.errors import PipectlError

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack

# https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
_BATCH = 1000


@dataclass(frozen=True)
class ObjectVersion:
    """A version of an object, or a delete marker; its version ID is `null` without versioning."""

    bucket: str
    key: str
    version_id: str

    def to_document(self) -> dict[str, str]:
        """The version as `--json` prints it."""
        return asdict(self)


def versions_below(stack: Stack, bucket: str, prefix: str) -> Iterator[ObjectVersion]:
    """All versions and delete markers of the keys that begin with `prefix`."""
    pages = stack.client("s3").get_paginator("list_object_versions")
    for page in pages.paginate(Bucket=bucket, Prefix=prefix):
        for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            yield ObjectVersion(bucket, one["Key"], one["VersionId"])


def versions_of(stack: Stack, bucket: str, key: str) -> Iterator[ObjectVersion]:
    """All versions and delete markers of one key."""
    # S3 lists keys in order, so those of the key itself come before longer ones. Delete markers
    # and versions are in lists of their own, so a page is read whole.
    pages = stack.client("s3").get_paginator("list_object_versions")
    for page in pages.paginate(Bucket=bucket, Prefix=key):
        found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        for one in found:
            if one["Key"] == key:
                yield ObjectVersion(bucket, key, one["VersionId"])
        if any(one["Key"] != key for one in found):
            return


def delete_versions(stack: Stack, versions: Iterable[ObjectVersion]) -> None:
    """Delete versions for good, one bucket after the other in the order of their first versions.

    Raises `PipectlError` if one can't be deleted.
    """
    by_bucket: dict[str, list[ObjectVersion]] = {}
    for one in versions:
        by_bucket.setdefault(one.bucket, []).append(one)
    for bucket, found in by_bucket.items():
        for start in range(0, len(found), _BATCH):
            _delete(stack, bucket, found[start : start + _BATCH])


def _delete(stack: Stack, bucket: str, batch: list[ObjectVersion]) -> None:
    objects: list[Any] = [{"Key": one.key, "VersionId": one.version_id} for one in batch]
    answer = stack.client("s3").delete_objects(Bucket=bucket, Delete={"Objects": objects})
    if answer.get("Errors"):
        refused = answer["Errors"][0]
        where, why = refused.get("Key"), refused.get("Message")
        raise PipectlError(f"s3://{bucket}/{where} can't be deleted: {why}.")
