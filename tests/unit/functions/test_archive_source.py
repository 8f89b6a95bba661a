"""ArchiveSource: moves exactly the processed version, and loses nothing on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from archive_source.app import handler
from shared.errors import InternalError, RecordOutdated, SourceNotFound, TransientError
from shared.job import new_job
from shared.metadata import read_item, write_item
from tests.unit.functions import documents
from tests.unit.functions.conftest import Fault, Logs, client_error
from tests.unit.functions.documents import INPUT_BUCKET, METADATA_TABLE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table
    from mypy_boto3_s3 import S3Client

CONTENT = b"id\n1\n"


def processed(s3: S3Client, key: str = "raw/orders/a.csv") -> dict[str, Any]:
    """The document of a file that was uploaded, processed and recorded."""
    put = s3.put_object(Bucket=INPUT_BUCKET, Key=key, Body=CONTENT)
    job = new_job(
        bucket=INPUT_BUCKET,
        key=key,
        version_id=put["VersionId"],
        etag=put["ETag"].strip('"'),
        size=len(CONTENT),
        sequencer="0055",
        event_time="2026-03-01T08:00:00.000Z",
    )
    item = {"file_id": job.file_id, "revision": 1, "status": "succeeded"}
    write_item(METADATA_TABLE, item, replaces=None)
    source = {**job.source.__dict__}
    return {**documents.job(), "file_id": job.file_id, "source": source}


def archive(document: dict[str, Any]) -> dict[str, Any]:
    return handler(documents.payload(document), None)


def content(s3: S3Client, key: str) -> bytes:
    return s3.get_object(Bucket=INPUT_BUCKET, Key=key)["Body"].read()


def versions(s3: S3Client, key: str) -> list[str]:
    listed = s3.list_object_versions(Bucket=INPUT_BUCKET, Prefix=key)
    return [str(version["VersionId"]) for version in listed.get("Versions", [])]


@pytest.mark.parametrize("name", ["a.csv", "A.CSV", "a.csv.gz", "a.tsv"])
def test_the_file_is_moved_and_its_new_place_recorded(
    buckets: S3Client, table: Table, logs: Logs, name: str
) -> None:
    document = processed(buckets, f"raw/orders/{name}")
    result = archive(document)
    assert result["archive_key"] == f"processed/orders/{document['file_id']}/{name}"
    assert content(buckets, result["archive_key"]) == CONTENT
    assert versions(buckets, f"raw/orders/{name}") == []
    item = read_item(METADATA_TABLE, document["file_id"])
    assert item is not None
    assert item["archive"] == {
        "key": result["archive_key"],
        "version_id": result["archive_version"],
    }


def test_moving_again_changes_nothing(buckets: S3Client, table: Table, logs: Logs) -> None:
    document = processed(buckets)
    first = archive(document)
    assert archive(document) == first
    assert len(versions(buckets, first["archive_key"])) == 1


def test_a_newer_version_of_the_key_stays(buckets: S3Client, table: Table, logs: Logs) -> None:
    document = processed(buckets)
    newer = buckets.put_object(Bucket=INPUT_BUCKET, Key="raw/orders/a.csv", Body=b"newer")
    assert content(buckets, archive(document)["archive_key"]) == CONTENT
    assert versions(buckets, "raw/orders/a.csv") == [newer["VersionId"]]
    assert content(buckets, "raw/orders/a.csv") == b"newer"


@pytest.mark.parametrize("operation", ["CopyObject", "UpdateItem"])
def test_nothing_is_deleted_before_the_copy_is_there_and_recorded(
    buckets: S3Client, table: Table, logs: Logs, fault: Fault, operation: str
) -> None:
    document = processed(buckets)
    fault(operation, client_error("ServiceUnavailable", operation, status=503))
    with pytest.raises(TransientError):
        archive(document)
    assert content(buckets, "raw/orders/a.csv") == CONTENT
    archive(document)
    assert versions(buckets, "raw/orders/a.csv") == []


def test_nothing_is_deleted_if_the_item_does_not_record_the_success(
    buckets: S3Client, table: Table, logs: Logs
) -> None:
    document = processed(buckets)
    table.put_item(Item={"file_id": document["file_id"], "revision": 2, "status": "failed"})
    with pytest.raises(RecordOutdated):
        archive(document)
    assert content(buckets, "raw/orders/a.csv") == CONTENT


def test_a_file_that_is_in_neither_place_is_source_not_found(
    buckets: S3Client, table: Table, logs: Logs
) -> None:
    document = processed(buckets)
    version = document["source"]["version_id"]
    buckets.delete_object(Bucket=INPUT_BUCKET, Key="raw/orders/a.csv", VersionId=version)
    with pytest.raises(SourceNotFound):
        archive(document)


def test_a_version_that_may_not_be_deleted_is_an_error(
    buckets: S3Client, table: Table, logs: Logs, fault: Fault
) -> None:
    document = processed(buckets)
    fault("DeleteObject", client_error("AccessDenied", "DeleteObject", status=403))
    with pytest.raises(InternalError, match="AccessDenied"):
        archive(document)
    assert content(buckets, "raw/orders/a.csv") == CONTENT
