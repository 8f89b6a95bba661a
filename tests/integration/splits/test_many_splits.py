"""What a step holds does not grow with the number of splits."""

from __future__ import annotations

import threading

import pytest

from shared import storage


def test_documents_are_read_only_so_far_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    lock = threading.Lock()

    def note(_bucket: str, key: str) -> str:
        with lock:
            read.append(key)
        return key

    monkeypatch.setattr(storage, "read_document", note)
    keys = [f"{number:05d}" for number in range(10_000)]

    documents = storage.read_documents("bucket", keys)

    assert [next(documents) for _ in range(100)] == keys[:100]
    assert len(read) <= 100 + storage.SMALL_READS


def test_all_documents_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "read_document", lambda _bucket, key: key)
    keys = [f"{number:05d}" for number in range(200)]

    assert list(storage.read_documents("bucket", keys)) == keys
