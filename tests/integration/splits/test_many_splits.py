"""The memory and the documents of a step do not grow with the number of splits."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from shared import storage
from tests.integration.splits.steps import SPLIT_BUCKET, Steps, upload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


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


@pytest.mark.long
def test_a_file_has_ten_thousand_splits_at_most_and_its_state_stays_small(
    s3: S3Client, in_splits: Callable[[int], Steps]
) -> None:
    # A split ends with a record, so records are short compared with the 1,101 bytes of a split.
    lines = [b"%07d,%b\n" % (number, b"x" * 11) for number in range(550_000)]
    steps = in_splits(1024)
    file = upload(s3, b"id,text\n" + b"".join(lines))
    run = steps.run(file)
    assert 9_500 < run.splits <= 10_000
    assert run.document["output"]["processed_count"] == len(lines)
    assert len(json.dumps(run.document)) < 3_000
    records = s3.get_object(Bucket=SPLIT_BUCKET, Key=run.document["output"]["processed_key"])
    assert sum(1 for _ in records["Body"].iter_lines()) == len(lines)
    steps.clear()
