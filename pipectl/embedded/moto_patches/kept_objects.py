"""S3's objects as documents for the folder of `pipectl up --data`, and back.

A document describes all versions of a key, oldest first. It keeps what S3 returns of an object, its
tags included, but neither ACLs nor multipart uploads that aren't complete.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from moto.s3.models import FakeDeleteMarker, FakeKey, s3_backends

from pipectl.embedded.data_folder import DataFolder, Name
from pipectl.embedded.moto_patches import version_ids
from pipectl.embedded.saving import Kept, ObjectGoneError
from pipectl.embedded.template import ACCOUNT, REGION

KIND, UPLOADS = "object", "uploads"

_State = tuple[str, datetime, tuple[tuple[str, str], ...]]
"""ID, time and tags of a version: what changes where its document changes."""

# moto's attributes of an object that are kept as they are.
_ATTRIBUTES = (
    *("_storage_class", "_version_id", "_is_versioned", "website_redirect_location"),
    *("checksum_algorithm", "checksum_value", "checksum_type", "checksum_parts"),
    *("encryption", "kms_key_id", "bucket_key_enabled"),
    *("lock_mode", "lock_legal_status", "lock_until"),
)


def listed() -> tuple[list[Kept], dict[str, Callable[[], bytes]]]:
    """All keys with their versions, and the contents by their digests."""
    kept, contents = [], {}
    tagger = s3_backends[ACCOUNT]["aws"].tagger
    for bucket, key, versions in _keys():
        states = []
        for version in versions:
            if isinstance(version, FakeKey):
                contents[_digest(version)] = _reader(version)
                states.append((version.version_id, version.last_modified, _tags(version, tagger)))
            else:
                states.append((version.version_id, version.last_modified, ()))
        name = Name(KIND, json.dumps([bucket, key]))
        kept.append(Kept(name, partial(_described, versions, states), version=tuple(states)))
    counts = version_ids.uploads.counts()
    kept.append(Kept.of(Name(UPLOADS, ""), counts, version=sum(counts.values())))
    return kept, contents


def restore(folder: DataFolder) -> None:
    """Put the objects into the buckets, without any events.

    Raises `PipectlError` if the stack has no such bucket.
    """
    for _, counts in folder.documents(UPLOADS):
        version_ids.uploads.restore(counts)
    buckets = _buckets()
    for name, versions in folder.documents(KIND):
        bucket, key = json.loads(name)
        if bucket not in buckets:
            raise folder.of_another_stack(f"the bucket {bucket}")
        made = [_made(buckets[bucket], key, version, folder) for version in versions]
        buckets[bucket].keys.setlist(key, made)


def _buckets() -> dict[str, Any]:
    buckets: dict[str, Any] = s3_backends[ACCOUNT]["aws"].buckets
    return buckets


def _keys() -> Iterator[tuple[str, str, list[Any]]]:
    for name, bucket in _buckets().items():
        for key in list(bucket.keys):
            versions = bucket.keys.getlist(key)
            if versions:
                yield name, key, list(versions)


def _digest(version: Any) -> str:
    """The SHA-256 digest of the content, which is computed once."""
    if "content_digest" not in version.__dict__:
        version.content_digest = hashlib.sha256(version.value).hexdigest()
    return str(version.content_digest)


def _reader(version: Any) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            return bytes(version.value)
        except ValueError:  # its file is closed
            raise ObjectGoneError(version.name) from None

    return read


def _tags(version: Any, tagger: Any) -> tuple[tuple[str, str], ...]:
    return tuple(tagger.get_tag_dict_for_resource(version.arn).items())


def _described(versions: list[Any], states: list[_State]) -> list[dict[str, Any]]:
    """The document of a key. Only the tags of a version can change, and they are in its state."""
    return [
        _object(version, tags) if isinstance(version, FakeKey) else _marker(version)
        for version, (_, _, tags) in zip(versions, states, strict=True)
    ]


def _object(version: Any, tags: Iterable[tuple[str, str]]) -> dict[str, Any]:
    return {
        "content": _digest(version),
        **{name: getattr(version, name) for name in _ATTRIBUTES},
        "etag": version.etag.strip('"'),
        "metadata": dict(version.metadata),
        "modified": version.last_modified.isoformat(),
        "expiry": version._expiry.isoformat() if version._expiry else None,
        "tags": dict(tags),
    }


def _marker(marker: Any) -> dict[str, Any]:
    return {"deleted": marker.version_id, "modified": marker.last_modified.isoformat()}


def _made(bucket: Any, key: str, document: Mapping[str, Any], folder: DataFolder) -> Any:
    """A version or delete marker of a document."""
    if "deleted" in document:
        empty = FakeKey(key, b"", ACCOUNT, REGION, bucket_name=bucket.name)
        marker = FakeDeleteMarker(empty)
        marker._version_id = document["deleted"]
        marker.last_modified = datetime.fromisoformat(document["modified"])
        return marker
    content = folder.content(document["content"])
    # Without a version ID, which would be derived anew.
    made: Any = FakeKey(key, content, ACCOUNT, REGION, bucket_name=bucket.name)
    made.content_digest = document["content"]
    for name in _ATTRIBUTES:
        setattr(made, name, document[name])
    made._etag = document["etag"]
    made._metadata.clear()
    made._metadata.update(document["metadata"])
    made.last_modified = datetime.fromisoformat(document["modified"])
    made._expiry = datetime.fromisoformat(document["expiry"]) if document["expiry"] else None
    if document["tags"]:
        tagger = s3_backends[ACCOUNT]["aws"].tagger
        tagger.tag_resource(made.arn, [{"Key": k, "Value": v} for k, v in document["tags"].items()])
    return made
