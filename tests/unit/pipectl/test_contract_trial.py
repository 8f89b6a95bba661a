"""`pipectl contract test`: the latest files of a dataset, checked with another contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipectl.client.metadata_items import MetadataItems
from pipectl.client.stack_choice import Stack, StackChoice
from pipectl.commands.contract import command
from tests.unit.mocked_stack import mocked_deployment

BUCKET = "input"
CONTRACT = {"name": "orders", "schema": {"fields": [{"name": "id", "type": "integer"}]}}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The input bucket of a stack that the command finds."""
    outputs = {"InputBucketName": BUCKET, "MetadataTableName": "metadata"}
    with mocked_deployment(BUCKET, **outputs) as deployment:
        monkeypatch.setattr(StackChoice, "open", lambda _: Stack(deployment))
        yield deployment.client("s3")


def upload(s3: Any, key: str, content: bytes) -> str:
    return str(s3.put_object(Bucket=BUCKET, Key=key, Body=content)["ETag"]).strip('"')


def run(tmp_path: Path, *options: str) -> Any:
    path = tmp_path / "orders.json"
    path.write_text(json.dumps(CONTRACT))
    return CliRunner().invoke(command, ["test", str(path), *options])


def test_files_that_would_be_worse_off_are_named(
    bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = upload(bucket, "raw/orders/good.csv", b"id\n1\n")
    worse = upload(bucket, "raw/orders/2026/worse.csv", b"id\n1\nx\n")
    failing = upload(bucket, "raw/orders/failing.csv", b"other\n1\n")
    upload(bucket, "raw/orders/new.csv", b"id\n1\nx\n")
    upload(bucket, "raw/orders/_SUCCESS", b"")
    upload(bucket, "raw/returns/a.csv", b"x\n1\n")
    items = {
        f"{BUCKET}/raw/orders/{name}": [
            {"status": "succeeded", "error_count": 0, "source_etag": tag, "uploaded_at": "1"},
            {"status": "failed", "error_count": 9, "source_etag": "older", "uploaded_at": "2"},
        ]
        for name, tag in (("good.csv", good), ("2026/worse.csv", worse), ("failing.csv", failing))
    }
    monkeypatch.setattr(
        MetadataItems,
        "of_sources",
        lambda _, sources: {source: items.get(source, []) for source in sources},
    )
    result = run(tmp_path)
    document = json.loads(run(tmp_path, "--json").output)

    assert result.exit_code == 1
    found = {file["key"]: file for file in document["files"]}
    assert {key.removeprefix("raw/orders/"): file["worse"] for key, file in found.items()} == {
        "good.csv": False,
        "2026/worse.csv": True,
        "failing.csv": True,
        "new.csv": False,
    }
    assert found["raw/orders/2026/worse.csv"]["before"] == {"status": "succeeded", "rejected": 0}
    assert found["raw/orders/2026/worse.csv"]["now"]["rejected"] == 1
    assert found["raw/orders/2026/worse.csv"]["now"]["first_error"]["value"] == "x"
    assert found["raw/orders/new.csv"]["before"]["status"] == "never_run"
    assert "HeaderMismatch" in result.output
    assert "2 of 4 files would be worse off." in result.output
    assert len(json.loads(run(tmp_path, "--json", "--last", "1").output)["files"]) == 1


def test_a_dataset_without_files_says_so(
    bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MetadataItems, "of_sources", lambda *_: {})
    result = run(tmp_path, "--dataset", "returns")

    assert (result.exit_code, result.output) == (0, "The dataset returns has no files.\n")
