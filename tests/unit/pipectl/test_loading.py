"""`pipectl up --load`: which files of a folder are uploaded, in which order, and which are not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from pipectl.client.deployment import Deployment
from pipectl.client.loading import Loaded, check_folder, load_folder
from pipectl.errors import UsageError

BUCKET = "input"


class FakeDeployment:
    """A deployment with nothing but an input bucket."""

    outputs = {"InputBucketName": BUCKET}  # noqa: RUF012  # never changed

    def __init__(self) -> None:
        self.s3: Any = boto3.client("s3", region_name="us-east-1")
        self.s3.create_bucket(Bucket=BUCKET)

    def client(self, _service: str) -> Any:
        return self.s3

    def keys(self) -> list[str]:
        return [one["Key"] for one in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield FakeDeployment()


def make(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def load(deployment: Deployment, folder: Path) -> Loaded:
    return load_folder(deployment, folder, lambda: False)


def test_each_file_goes_to_the_key_that_is_its_path(deployment: Any, tmp_path: Path) -> None:
    make(
        tmp_path,
        {
            "raw/orders/dt=2026-03-01/a.csv": b"id\n",
            "raw/loose.csv": b"id\n",
            "contracts/orders.json": b"{}",
            "notes.txt": b"not loaded",
        },
    )
    loaded = load(deployment, tmp_path)
    assert (loaded.contracts, loaded.files) == (1, 2)
    assert deployment.keys() == [
        "contracts/orders.json",
        "raw/loose.csv",
        "raw/orders/dt=2026-03-01/a.csv",
    ]


def test_contracts_are_there_before_the_files(deployment: Any, tmp_path: Path) -> None:
    make(tmp_path, {"raw/a.csv": b"id\n", "contracts/z.json": b"{}"})
    load_folder(deployment, tmp_path, iter([False, True]).__next__)
    assert deployment.keys() == ["contracts/z.json"]


def test_only_what_has_changed_is_uploaded_again(deployment: Any, tmp_path: Path) -> None:
    make(tmp_path, {"raw/a.csv": b"id\n1\n", "raw/b.csv": b"id\n1\n", "raw/c.csv": b"id\n1\n"})
    load(deployment, tmp_path)
    make(tmp_path, {"raw/b.csv": b"id\n2\n", "raw/c.csv": b"id\n1\n2\n"})
    loaded = load(deployment, tmp_path)
    assert (loaded.files, loaded.unchanged) == (2, 1)


def test_files_that_the_pipeline_ignores_are_named(deployment: Any, tmp_path: Path) -> None:
    make(tmp_path, {"raw/.hidden.csv": b"id\n", "raw/half.csv.tmp": b"id\n"})
    loaded = load(deployment, tmp_path)
    assert deployment.keys() == []
    assert [(path.name, reason) for path, reason in loaded.ignored] == [
        (".hidden.csv", "its name begins with ."),
        ("half.csv.tmp", "its name ends with .tmp, so it is not complete"),
    ]


def test_a_folder_without_the_layout_is_refused(tmp_path: Path) -> None:
    make(tmp_path, {"orders.csv": b"id\n"})
    with pytest.raises(UsageError, match="neither a folder raw/ nor a folder contracts/"):
        check_folder(tmp_path)
