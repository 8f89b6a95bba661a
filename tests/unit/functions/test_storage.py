"""Reading exactly the announced bytes from S3, and writing whole objects or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared import storage
from shared.errors import InternalError, SourceChanged, SourceNotFound, TransientError
from shared.job import Location
from tests.unit.functions.conftest import (
    Fault,
    Logs,
    Sent,
    client_error,
    expect_no_part_checksums,
)
from tests.unit.functions.documents import INPUT_BUCKET, OUTPUT_BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEY = "raw/orders/a.csv"


def upload(s3: S3Client, body: bytes, key: str = KEY, bucket: str = INPUT_BUCKET) -> Location:
    put = s3.put_object(Bucket=bucket, Key=key, Body=body)
    return Location(bucket, key, put.get("VersionId"), put["ETag"].strip('"'), len(body))


def read(s3: S3Client, key: str, bucket: str = OUTPUT_BUCKET) -> bytes:
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


@pytest.fixture
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "RANGE_BYTES", 4)
    monkeypatch.setattr(storage, "LOOKAHEAD_BYTES", 3)


@pytest.fixture
def five_mebibyte_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The minimum size of a part for S3 and moto."""
    monkeypatch.setattr(storage, "PART_BYTES", 5 * 1024**2)


@pytest.mark.parametrize(
    ("body", "pieces"),
    [
        (b"", []),
        (b"abc", [b"abc"]),
        (b"abcd", [b"abcd"]),
        (b"abcde", [b"abcd", b"e"]),
        (b"abcdefgh", [b"abcd", b"efgh"]),
        (b"abcdefghijkl", [b"abcd", b"efgh", b"ijkl"]),
    ],
)
def test_a_stream_is_the_object_in_pieces(
    buckets: S3Client, small_ranges: None, body: bytes, pieces: list[bytes]
) -> None:
    assert list(storage.stream(upload(buckets, body))) == pieces


@pytest.mark.parametrize(
    ("start", "end", "pieces"),
    [
        (3, None, [b"defg", b"hij"]),
        (2, 10, [b"cdef", b"ghij"]),
        (0, 99, [b"abcd", b"efgh", b"ij"]),
        (10, None, []),
        (12, None, []),
    ],
)
def test_a_stream_can_begin_and_end_anywhere(
    buckets: S3Client, small_ranges: None, start: int, end: int | None, pieces: list[bytes]
) -> None:
    assert list(storage.stream(upload(buckets, b"abcdefghij"), start, end)) == pieces


@pytest.mark.parametrize(
    ("start", "end", "pieces"),
    [
        (0, 8, [b"abcd", b"efgh", b"ij"]),
        (3, 6, [b"def", b"ghi", b"j"]),
        (5, 5, [b"fgh", b"ij"]),
    ],
)
def test_bytes_after_the_end_come_in_small_pieces(
    buckets: S3Client, small_ranges: None, start: int, end: int, pieces: list[bytes]
) -> None:
    assert list(storage.stream(upload(buckets, b"abcdefghij"), start, end)) == pieces


def test_bytes_after_the_end_are_read_only_on_demand(
    buckets: S3Client, small_ranges: None, fault: Fault
) -> None:
    fault("GetObject", None, client_error("AccessDenied"))
    stream = storage.stream(upload(buckets, b"abcdefghij"), 0, 4)
    assert next(stream) == b"abcd"
    stream.close()  # type: ignore[attr-defined]


def test_a_stream_that_is_closed_early_requests_nothing_more(
    buckets: S3Client, small_ranges: None
) -> None:
    stream = storage.stream(upload(buckets, b"abcdefghij"))
    assert next(stream) == b"abcd"
    stream.close()  # type: ignore[attr-defined]
    assert list(stream) == []


def test_an_error_during_a_download_reaches_the_reader(
    buckets: S3Client, small_ranges: None, fault: Fault
) -> None:
    stream = storage.stream(upload(buckets, b"abcdefghij"))
    fault("GetObject", None, None, client_error("SlowDown", status=503))
    assert next(stream) == b"abcd"
    assert next(stream) == b"efgh"
    with pytest.raises(TransientError):
        next(stream)


@pytest.mark.parametrize(("start", "length"), [(0, 0), (4, 1), (9, 3), (2, -1)])
def test_a_range_outside_the_object_is_empty(buckets: S3Client, start: int, length: int) -> None:
    assert storage.read_range(upload(buckets, b"abcd"), start, length) == b""


def test_an_overwritten_object_is_read_in_the_announced_version(
    buckets: S3Client, small_ranges: None
) -> None:
    announced = upload(buckets, b"first content")
    upload(buckets, b"other content")
    assert b"".join(storage.stream(announced)) == b"first content"


def test_a_deleted_object_is_read_in_the_announced_version(buckets: S3Client) -> None:
    announced = upload(buckets, b"first content")
    buckets.delete_object(Bucket=INPUT_BUCKET, Key=KEY)
    assert storage.read_range(announced, 0, 5) == b"first"


def test_a_version_that_is_gone_is_source_not_found(buckets: S3Client) -> None:
    announced = upload(buckets, b"first content")
    upload(buckets, b"other content")
    buckets.delete_object(Bucket=INPUT_BUCKET, Key=KEY, VersionId=str(announced.version_id))
    with pytest.raises(SourceNotFound, match=KEY):
        storage.read_range(announced, 0, 5)


def test_without_versions_other_content_is_source_changed(buckets: S3Client) -> None:
    announced = upload(buckets, b"first content", bucket=OUTPUT_BUCKET)
    upload(buckets, b"other content", bucket=OUTPUT_BUCKET)
    with pytest.raises(SourceChanged, match=KEY):
        storage.read_range(announced, 0, 5)


def test_a_small_object_is_one_request(buckets: S3Client, fault: Fault) -> None:
    fault("CreateMultipartUpload", client_error("AccessDenied"))
    with storage.ObjectWriter(OUTPUT_BUCKET, "work/a.jsonl") as writer:
        assert writer.write(b"one\n") == 4
        writer.write(b"two\n")
    assert read(buckets, "work/a.jsonl") == b"one\ntwo\n"
    assert writer.size == 8


def test_an_empty_object_exists(buckets: S3Client) -> None:
    with storage.ObjectWriter(OUTPUT_BUCKET, "work/a.jsonl"):
        pass
    assert read(buckets, "work/a.jsonl") == b""


def test_a_large_object_is_uploaded_in_parts_while_it_is_written(
    buckets: S3Client, five_mebibyte_parts: None
) -> None:
    chunk = bytes(range(256)) * 8192
    with storage.ObjectWriter(OUTPUT_BUCKET, "work/a.jsonl") as writer:
        for _ in range(8):
            writer.write(chunk)
        uploads = buckets.list_multipart_uploads(Bucket=OUTPUT_BUCKET)["Uploads"]
        parts = buckets.list_parts(
            Bucket=OUTPUT_BUCKET, Key="work/a.jsonl", UploadId=uploads[0]["UploadId"]
        )["Parts"]
    # The third part may still be on its way.
    assert [part["Size"] for part in parts][:2] == [5 * 1024**2, 5 * 1024**2]
    assert read(buckets, "work/a.jsonl") == chunk * 8
    assert buckets.head_object(Bucket=OUTPUT_BUCKET, Key="work/a.jsonl")["ContentType"] == (
        "application/x-ndjson"
    )


def test_an_object_of_full_parts_only_is_complete(
    buckets: S3Client, five_mebibyte_parts: None
) -> None:
    with storage.ObjectWriter(OUTPUT_BUCKET, "work/a.jsonl") as writer:
        writer.write(b"x" * (10 * 1024**2))
    assert buckets.head_object(Bucket=OUTPUT_BUCKET, Key="work/a.jsonl")["ContentLength"] == (
        10 * 1024**2
    )


def test_a_multipart_upload_is_completed_by_numbers_and_etags_alone(
    buckets: S3Client, five_mebibyte_parts: None, sent: Sent
) -> None:
    with storage.ObjectWriter(OUTPUT_BUCKET, "work/a.jsonl") as writer:
        writer.write(b"x" * (11 * 1024**2))
    expect_no_part_checksums(sent, parts=3)


def write_and_fail(size: int) -> None:
    with storage.ObjectWriter(OUTPUT_BUCKET, "work/a.jsonl") as writer:
        writer.write(b"x" * size)
        raise RuntimeError("the engine's own")


@pytest.mark.parametrize("size", [10, 6 * 1024**2], ids=["small", "large"])
def test_after_an_error_no_object_appears_and_no_upload_is_left(
    buckets: S3Client, five_mebibyte_parts: None, size: int
) -> None:
    with pytest.raises(RuntimeError, match="the engine's"):
        write_and_fail(size)
    assert "Contents" not in buckets.list_objects_v2(Bucket=OUTPUT_BUCKET)
    assert "Uploads" not in buckets.list_multipart_uploads(Bucket=OUTPUT_BUCKET)


@pytest.mark.parametrize("operation", ["UploadPart", "CompleteMultipartUpload"])
def test_an_upload_that_cannot_be_finished_is_aborted(
    buckets: S3Client, five_mebibyte_parts: None, fault: Fault, operation: str
) -> None:
    fault(operation, client_error("SlowDown", status=503))
    with (
        pytest.raises(TransientError),
        storage.ObjectWriter(OUTPUT_BUCKET, "work/a.jsonl") as writer,
    ):
        writer.write(b"x" * (6 * 1024**2))
    assert "Contents" not in buckets.list_objects_v2(Bucket=OUTPUT_BUCKET)
    assert "Uploads" not in buckets.list_multipart_uploads(Bucket=OUTPUT_BUCKET)


def test_an_upload_that_cannot_be_aborted_does_not_hide_the_first_error(
    buckets: S3Client, five_mebibyte_parts: None, fault: Fault, logs: Logs
) -> None:
    fault("AbortMultipartUpload", client_error("AccessDenied", status=403))
    with pytest.raises(RuntimeError, match="the engine's"):
        write_and_fail(6 * 1024**2)
    assert [line["message"] for line in logs] == ["upload not aborted"]


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("processed/orders/a.jsonl", "application/x-ndjson"),
        ("reports/orders/a.html", "text/html; charset=utf-8"),
        ("processed/orders/a/UPPER.CSV", "text/csv"),
        ("processed/orders/a/orders.csv.gz", "application/gzip"),
        ("processed/orders/a/orders.tsv", "text/tab-separated-values"),
        ("processed/orders/a/orders", "binary/octet-stream"),
    ],
)
def test_every_key_has_a_content_type(key: str, kind: str) -> None:
    assert storage.content_type(key) == kind


def test_documents_are_read_as_they_were_written(buckets: S3Client) -> None:
    storage.write_document(OUTPUT_BUCKET, "work/a.json", {"name": "Žluť", "n": [1, None]})
    assert storage.read_document(OUTPUT_BUCKET, "work/a.json") == {"name": "Žluť", "n": [1, None]}


def test_many_documents_come_in_the_order_of_their_keys(buckets: S3Client) -> None:
    keys = [f"work/{number}.json" for number in (3, 1, 2)]
    for key in keys:
        storage.write_document(OUTPUT_BUCKET, key, {"key": key})
    assert [document["key"] for document in storage.read_documents(OUTPUT_BUCKET, keys)] == keys


def test_a_long_document_is_read_ahead_only_in_part(
    buckets: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "SMALL_BYTES", 16)
    documents = [{"n": number, "text": "x" * number} for number in (0, 3, 4, 1000)]
    keys = [f"work/{number}.json" for number in range(4)]
    for key, document in zip(keys, documents, strict=True):
        storage.write_document(OUTPUT_BUCKET, key, document)
    assert len(storage._read_head(OUTPUT_BUCKET, keys[-1]).content) == 16
    assert list(storage.read_documents(OUTPUT_BUCKET, keys)) == documents


def test_a_missing_document_raises_the_callers_error(buckets: S3Client) -> None:
    with pytest.raises(InternalError, match=r"work/a\.json"):
        storage.read_document(OUTPUT_BUCKET, "work/a.json")
    with pytest.raises(SourceNotFound, match=r"work/a\.json"):
        storage.read_document(OUTPUT_BUCKET, "work/a.json", missing=SourceNotFound)


def test_an_optional_object_comes_with_its_version_or_is_none(buckets: S3Client) -> None:
    assert storage.read_optional(INPUT_BUCKET, "contracts/orders.json") is None
    stored = upload(buckets, b"{}", key="contracts/orders.json")
    assert storage.read_optional(INPUT_BUCKET, "contracts/orders.json") == (
        b"{}",
        stored.version_id,
    )


def test_an_optional_object_that_may_not_be_read_is_an_error(
    buckets: S3Client, fault: Fault
) -> None:
    fault("GetObject", client_error("AccessDenied", status=403))
    with pytest.raises(InternalError, match="AccessDenied"):
        storage.read_optional(INPUT_BUCKET, "contracts/orders.json")


def test_find_gives_the_location_of_an_object_or_none(buckets: S3Client) -> None:
    assert storage.find(INPUT_BUCKET, KEY) is None
    stored = upload(buckets, b"content")
    assert storage.find(INPUT_BUCKET, KEY) == stored


def test_objects_are_listed_in_the_order_of_their_keys(buckets: S3Client) -> None:
    for key in ("work/b", "work/a", "other/c"):
        upload(buckets, b"content", key=key, bucket=OUTPUT_BUCKET)
    listed = storage.list_objects(OUTPUT_BUCKET, "work/")
    assert [location.key for location in listed] == ["work/a", "work/b"]
    assert [location.size for location in listed] == [7, 7]
    assert storage.read_range(listed[0], 0, 7) == b"content"


def test_an_object_is_deleted_only_if_it_is_unchanged(buckets: S3Client) -> None:
    first = upload(buckets, b"first", key="work/a", bucket=OUTPUT_BUCKET)
    second = upload(buckets, b"second", key="work/a", bucket=OUTPUT_BUCKET)
    with pytest.raises(storage.ObjectChanged):
        storage.delete_unchanged(first)
    storage.delete_unchanged(second)
    assert storage.list_objects(OUTPUT_BUCKET, "") == []
    with pytest.raises(storage.ObjectChanged):
        storage.delete_unchanged(second)


def test_only_the_named_version_is_deleted_however_often(buckets: S3Client) -> None:
    first = upload(buckets, b"first")
    second = upload(buckets, b"second")
    storage.delete_version(first)
    storage.delete_version(first)
    assert storage.read_range(second, 0, 6) == b"second"
    with pytest.raises(SourceNotFound):
        storage.read_range(first, 0, 5)


def test_without_versions_only_the_announced_content_is_deleted(buckets: S3Client) -> None:
    first = upload(buckets, b"first", bucket=OUTPUT_BUCKET)
    second = upload(buckets, b"second", bucket=OUTPUT_BUCKET)
    storage.delete_version(first)
    assert storage.find(OUTPUT_BUCKET, KEY) == second
    storage.delete_version(second)
    assert storage.find(OUTPUT_BUCKET, KEY) is None
