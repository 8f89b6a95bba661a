"""The memory of a step does not grow with the number of splits."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from shared import storage


def head_of(bucket: str, key: str) -> Any:
    content = json.dumps(key).encode()
    return storage._Head(bucket, key, "etag", len(content), content)


def test_documents_are_read_only_so_far_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    lock = threading.Lock()

    def note(bucket: str, key: str) -> Any:
        with lock:
            read.append(key)
        return head_of(bucket, key)

    monkeypatch.setattr(storage, "_read_head", note)
    keys = [f"{number:05d}" for number in range(10_000)]

    documents = storage.read_documents("bucket", keys)

    assert [next(documents) for _ in range(100)] == keys[:100]
    assert len(read) <= 100 + storage.SMALL_READS


def test_all_documents_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_read_head", head_of)
    keys = [f"{number:05d}" for number in range(200)]

    assert list(storage.read_documents("bucket", keys)) == keys
