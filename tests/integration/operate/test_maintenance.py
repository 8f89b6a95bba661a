"""Maintenance of objects in the input bucket, as docs/operating.md describes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from shared.job import Source
from tests.integration.operate.conftest import DatasetFolder

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Key:
    """One key of a dataset: what is uploaded under it, and what is published of it."""

    def __init__(self, dataset: DatasetFolder) -> None:
        self.dataset = dataset
        self.key = f"raw/{dataset.name}/file.csv"
        self.bucket = dataset.stack.outputs["InputBucketName"]
        self.s3: S3Client = dataset.stack.client("s3")

    def versions(self) -> list[str]:
        """The versions of the object, the latest first."""
        listed = self.s3.list_object_versions(Bucket=self.bucket, Prefix=self.key)
        return [version["VersionId"] for version in listed.get("Versions", [])]

    def copy(self, version: str, **more: str) -> str:
        """Copy a version onto the key, and wait until it is processed; returns the file's ID."""
        copied = self.s3.copy_object(
            Bucket=self.bucket,
            Key=self.key,
            CopySource={"Bucket": self.bucket, "Key": self.key, "VersionId": version},
            MetadataDirective="REPLACE",
            **more,  # type: ignore[arg-type]
        )
        file_id = Source(
            self.bucket, self.key, copied["VersionId"], "", 0, "", "", self.dataset.name
        ).file_id
        assert self.dataset.ended(file_id)["status"] == "SUCCEEDED"
        return file_id

    def published(self) -> dict[str, list[tuple[str, str]]]:
        """Each object under `processed/`: the file and the value of each record."""
        output = self.dataset.stack.outputs["OutputBucketName"]
        prefix = f"processed/{self.dataset.name}/"
        listed = self.s3.list_objects_v2(Bucket=output, Prefix=prefix).get("Contents", [])
        found = {}
        for one in listed:
            body = self.s3.get_object(Bucket=output, Key=one["Key"])["Body"].read()
            records = [json.loads(line) for line in body.splitlines()]
            found[one["Key"]] = [(str(one["id"]), str(one["data"]["id"])) for one in records]
        return found


@pytest.fixture
def key(dataset: DatasetFolder) -> Key:
    return Key(dataset)


def test_copying_an_object_onto_itself_processes_it_again_without_duplicates(key: Key) -> None:
    first = key.dataset.run(b"id\n7\n8\n")
    again = key.copy(key.versions()[0], ServerSideEncryption="AES256")

    assert again != first
    output = f"processed/{key.dataset.name}/file.csv.jsonl"
    assert key.published() == {output: [(f"{again}-1", "7"), (f"{again}-2", "8")]}
    assert key.dataset.item(first)["status"] == "succeeded"


def test_restoring_a_version_by_copying_it_makes_it_current(key: Key) -> None:
    key.dataset.run(b"id\n1\n")
    key.dataset.run(b"id\n2\n")
    restored = key.copy(key.versions()[1])
    assert list(key.published().values()) == [[(f"{restored}-1", "1")]]


def test_deleting_the_latest_version_does_not_bring_back_the_one_before(key: Key) -> None:
    key.dataset.run(b"id\n1\n")
    second = key.dataset.run(b"id\n2\n")
    key.s3.delete_object(Bucket=key.bucket, Key=key.key, VersionId=key.versions()[0])
    key.dataset.wait_for_empty_queue()
    assert list(key.published().values()) == [[(f"{second}-1", "2")]]

    restored = key.copy(key.versions()[0])
    assert list(key.published().values()) == [[(f"{restored}-1", "1")]]


def test_deleting_an_object_leaves_its_output(key: Key) -> None:
    only = key.dataset.run(b"id\n1\n")
    key.s3.delete_object(Bucket=key.bucket, Key=key.key)
    key.dataset.wait_for_empty_queue()
    assert list(key.published().values()) == [[(f"{only}-1", "1")]]
    assert key.dataset.item(only)["status"] == "succeeded"
