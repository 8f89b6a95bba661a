"""A patch that gives the same content the same version ID in every stack.

A file's ID is derived from the bucket, the key and the version ID. moto draws version IDs at
random, so one file would have another ID in every `pipectl run`.
"""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from moto.s3.models import FakeKey

from pipectl.embedded.moto_patches.table import PatchSettings, replaces


class Uploads:
    """Counts how often the same content was uploaded under a key. For many threads."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def next(self, identity: bytes) -> int:
        """How often it was uploaded before."""
        name = identity.hex()
        with self._lock:
            self._counts[name] += 1
            return self._counts[name] - 1

    def counts(self) -> dict[str, int]:
        """The counts, by the identity in hexadecimal."""
        with self._lock:
            return dict(self._counts)

    def restore(self, counts: Mapping[str, int]) -> None:
        """Set all counts."""
        with self._lock:
            self._counts = Counter(counts)


uploads = Uploads()
"""The uploads to the stack that is up."""


@replaces(FakeKey, "__init__", "13aec4032ea6")
def _derived_version(
    original: Callable[..., None], _settings: PatchSettings
) -> Callable[..., None]:
    """Derive the version ID from bucket, key, content, and how often that was uploaded before."""
    uploads.restore({})

    def init(
        self: Any, name: str, value: bytes, *args: Any, version_id: str | None = None, **more: Any
    ) -> None:
        if version_id and version_id != "null":
            content = hashlib.sha256(value).hexdigest()
            identity = "\0".join((str(more.get("bucket_name")), name, content)).encode()
            number = uploads.next(hashlib.sha256(identity).digest())
            digest = hashlib.sha256(b"%b\0%d" % (identity, number)).digest()
            version_id = str(uuid.UUID(bytes=digest[:16], version=4))
        original(self, name, value, *args, version_id=version_id, **more)

    return init
