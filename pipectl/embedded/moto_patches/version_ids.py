"""A patch that gives the same content the same version ID in every stack.

A file's ID is derived from the bucket, the key and the version ID. moto draws version IDs at
random, so one file would have another ID in every `pipectl run`.
"""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

from moto.s3.models import FakeKey

from pipectl.embedded.moto_patches.table import PatchSettings, replaces


@replaces(FakeKey, "__init__", "13aec4032ea6")
def _derived_version(
    original: Callable[..., None], _settings: PatchSettings
) -> Callable[..., None]:
    """Derive the version ID from bucket, key, content, and how often that was uploaded before."""
    uploaded: Counter[bytes] = Counter()
    lock = threading.Lock()

    def init(
        self: Any, name: str, value: bytes, *args: Any, version_id: str | None = None, **more: Any
    ) -> None:
        if version_id and version_id != "null":
            content = hashlib.sha256(value).hexdigest()
            identity = "\0".join((str(more.get("bucket_name")), name, content)).encode()
            with lock:
                number = uploaded[identity]
                uploaded[identity] += 1
            digest = hashlib.sha256(b"%b\0%d" % (identity, number)).digest()
            version_id = str(uuid.UUID(bytes=digest[:16], version=4))
        original(self, name, value, *args, version_id=version_id, **more)

    return init
