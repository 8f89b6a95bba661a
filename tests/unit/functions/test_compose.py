"""Objects made of other objects' bytes."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import compose as module
from shared.compose import MAX_PIECE, MIN_PIECE, Piece, compose, plan_pieces
from shared.errors import InternalError, SourceChanged, SourceNotFound, TransientError
from shared.job import Location
from tests.effort import examples
from tests.unit.functions.conftest import Fault, Sent, client_error, expect_no_part_checksums
from tests.unit.functions.documents import INPUT_BUCKET, OUTPUT_BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TARGET = "processed/orders/a.jsonl"
MIB = 1024**2

around_limits = st.one_of(
    st.integers(0, 3 * MIN_PIECE),
    st.sampled_from([0, 1, MIN_PIECE - 1, MIN_PIECE, MIN_PIECE + 1, 2 * MIN_PIECE]),
    st.sampled_from(
        [MAX_PIECE - 1, MAX_PIECE, MAX_PIECE + 1, MAX_PIECE + MIN_PIECE, 3 * MAX_PIECE]
    ),
)


def source(index: int, size: int) -> Location:
    return Location(OUTPUT_BUCKET, f"work/{index:05d}", None, "etag", size)


def planned(sizes: list[int]) -> list[Piece]:
    return list(plan_pieces([source(index, size) for index, size in enumerate(sizes)]))


@given(st.lists(around_limits, max_size=12))
@examples(20)
def test_pieces_are_all_bytes_of_the_sources_in_order(sizes: list[int]) -> None:
    slices = [slice_ for piece in planned(sizes) for slice_ in piece.slices]
    assert all(slice_.length > 0 for slice_ in slices)
    assert [key for key, _ in runs(slices)] == [
        source(index, size).key for index, size in enumerate(sizes) if size
    ]
    assert [end for _, end in runs(slices)] == [size for size in sizes if size]


def runs(slices: list[module.Slice]) -> list[tuple[str, int]]:
    """Each source with the end that its adjoining slices reach from 0."""
    ends: dict[str, int] = {}
    for slice_ in slices:
        assert isinstance(slice_.source, Location)
        assert slice_.start == ends.get(slice_.source.key, 0)
        ends[slice_.source.key] = slice_.start + slice_.length
    return list(ends.items())


@given(st.lists(around_limits, max_size=12))
@examples(20)
def test_every_piece_is_one_that_s3_takes(sizes: list[int]) -> None:
    pieces = planned(sizes)
    assert all(piece.length >= MIN_PIECE for piece in pieces[:-1])
    assert all(0 < piece.length <= MAX_PIECE for piece in pieces)


@given(st.lists(around_limits, max_size=12))
@examples(20)
def test_at_most_twice_the_minimum_size_is_downloaded_for_each_piece(sizes: list[int]) -> None:
    joined = [piece for piece in planned(sizes) if len(piece.slices) > 1]
    assert all(piece.length <= 2 * MIN_PIECE for piece in joined)


@given(st.lists(st.integers(MIN_PIECE, 3 * MIN_PIECE), min_size=1, max_size=12))
@examples(20)
def test_sources_of_the_minimum_size_are_copied_without_a_download(sizes: list[int]) -> None:
    pieces = planned(sizes)
    assert all(len(piece.slices) == 1 for piece in pieces)
    assert all(a.slices[0].source != b.slices[0].source for a, b in pairwise(pieces))


def part(s3: S3Client, index: int, body: bytes) -> Location:
    put = s3.put_object(Bucket=OUTPUT_BUCKET, Key=f"work/{index}.jsonl", Body=body)
    return Location(OUTPUT_BUCKET, f"work/{index}.jsonl", None, put["ETag"].strip('"'), len(body))


def composed(s3: S3Client) -> bytes:
    return s3.get_object(Bucket=OUTPUT_BUCKET, Key=TARGET)["Body"].read()


@pytest.mark.parametrize(
    "sizes",
    [
        [],
        [0],
        [3],
        [3, 4],
        [0, 3, 0],
        [6 * MIB],
        [6 * MIB, 2],
        [2, 6 * MIB],
        [6 * MIB, 6 * MIB],
        [3 * MIB, 3 * MIB, 3 * MIB, 7 * MIB, 1],
        [1, 5 * MIB - 1, 1],
    ],
    ids=str,
)
def test_the_object_is_the_bytes_of_its_sources(buckets: S3Client, sizes: list[int]) -> None:
    bodies = [bytes([65 + index]) * size for index, size in enumerate(sizes)]
    compose([part(buckets, *body) for body in enumerate(bodies)], OUTPUT_BUCKET, TARGET)
    assert composed(buckets) == b"".join(bodies)
    head = buckets.head_object(Bucket=OUTPUT_BUCKET, Key=TARGET)
    assert head["ContentType"] == "application/x-ndjson"


@pytest.mark.parametrize(
    ("sizes", "tail"),
    [([], 3), ([3], 2), ([3, 4], 0), ([6 * MIB], 2), ([2, 6 * MIB], 6 * MIB), ([6 * MIB], 6 * MIB)],
    ids=str,
)
def test_bytes_in_memory_follow_the_sources(buckets: S3Client, sizes: list[int], tail: int) -> None:
    bodies = [bytes([65 + index]) * size for index, size in enumerate(sizes)]
    sources = [part(buckets, *body) for body in enumerate(bodies)]
    compose([*sources, b"t" * tail], OUTPUT_BUCKET, TARGET)
    assert composed(buckets) == b"".join(bodies) + b"t" * tail


def test_composing_again_replaces_the_object(buckets: S3Client) -> None:
    compose([part(buckets, 0, b"old")], OUTPUT_BUCKET, TARGET)
    compose([part(buckets, 0, b"new")], OUTPUT_BUCKET, TARGET)
    assert composed(buckets) == b"new"


@pytest.mark.parametrize("sizes", [[3], [3, 3], [6 * MIB, 6 * MIB]], ids=str)
def test_a_source_that_is_gone_is_source_not_found(buckets: S3Client, sizes: list[int]) -> None:
    sources = [part(buckets, index, b"x" * size) for index, size in enumerate(sizes)]
    buckets.delete_object(Bucket=OUTPUT_BUCKET, Key=sources[0].key)
    with pytest.raises(SourceNotFound):
        compose(sources, OUTPUT_BUCKET, TARGET)
    assert not [found for found in listed(buckets) if found == TARGET]


@pytest.mark.parametrize("operation", ["UploadPartCopy", "CompleteMultipartUpload"])
def test_an_incomplete_object_never_appears(
    buckets: S3Client, fault: Fault, operation: str
) -> None:
    sources = [part(buckets, index, b"x" * 6 * MIB) for index in range(2)]
    fault(operation, client_error("SlowDown", operation, status=503))
    with pytest.raises(TransientError):
        compose(sources, OUTPUT_BUCKET, TARGET)
    assert TARGET not in listed(buckets)


def test_a_source_with_other_content_is_source_changed(buckets: S3Client, fault: Fault) -> None:
    # moto does not look at CopySourceIfMatch.
    fault("CopyObject", client_error("PreconditionFailed", "CopyObject", status=412))
    with pytest.raises(SourceChanged):
        compose([part(buckets, 0, b"x")], OUTPUT_BUCKET, TARGET)


def test_the_version_of_a_source_is_the_one_copied(buckets: S3Client) -> None:
    first = buckets.put_object(Bucket=INPUT_BUCKET, Key="raw/a.csv", Body=b"first")
    buckets.put_object(Bucket=INPUT_BUCKET, Key="raw/a.csv", Body=b"other")
    announced = Location(INPUT_BUCKET, "raw/a.csv", first["VersionId"], first["ETag"].strip('"'), 5)
    compose([announced], OUTPUT_BUCKET, TARGET)
    assert composed(buckets) == b"first"


def test_more_pieces_than_s3_takes_are_refused_before_anything_is_written(
    buckets: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_PIECES", 1)
    with pytest.raises(InternalError, match="2 pieces"):
        compose([source(0, MIN_PIECE), source(1, MIN_PIECE)], OUTPUT_BUCKET, TARGET)
    assert listed(buckets) == []


def test_a_multipart_upload_is_completed_by_numbers_and_etags_alone(
    buckets: S3Client, sent: Sent
) -> None:
    sources = [part(buckets, index, b"x" * 6 * MIB) for index in range(2)]
    compose(sources, OUTPUT_BUCKET, TARGET)
    expect_no_part_checksums(sent, parts=2)


def listed(s3: S3Client) -> list[str]:
    return [item["Key"] for item in s3.list_objects_v2(Bucket=OUTPUT_BUCKET).get("Contents", [])]
