"""The bytes that WriteOutput reads of a file's parts, and the output that it makes of them."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import polars as pl
import pytest

from shared import storage
from shared.compose import compose
from shared.errors import InternalError, SourceChanged
from shared.job import Location
from tabular.writing.output_formats import FORMATS
from tests.unit.functions.documents import OUTPUT_BUCKET
from write_output.assemble import assemble

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PARQUET, JSON_LINES = FORMATS["parquet"], FORMATS["jsonl"]


def stored(s3: S3Client, name: str, body: bytes) -> Location:
    put = s3.put_object(Bucket=OUTPUT_BUCKET, Key=name, Body=body)
    return Location(OUTPUT_BUCKET, name, None, put["ETag"].strip('"'), len(body))


def part_of(rows: range, columns: int = 1) -> bytes:
    file = BytesIO()
    pl.DataFrame({f"c{number}": list(rows) for number in range(columns)}).write_parquet(file)
    return file.getvalue()


@pytest.fixture
def requests(buckets: S3Client, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ranges that are read."""
    ranges: list[str] = []
    read = storage.read_range

    def counted(source: Location, start: int, length: int) -> bytes:
        ranges.append(f"{source.key} {start}")
        return read(source, start, length)

    monkeypatch.setattr("write_output.assemble.read_range", counted)
    return ranges


def test_json_lines_and_a_single_part_are_the_output_as_they_are(
    buckets: S3Client, requests: list[str]
) -> None:
    one, two = stored(buckets, "1", b"a"), stored(buckets, "2", b"b")
    assert assemble([one, two], JSON_LINES) == [one, two]
    assert assemble([one], PARQUET) == [one]
    assert requests == []


def test_a_hundred_parquet_parts_take_one_read_each_and_become_one_file(
    buckets: S3Client, requests: list[str]
) -> None:
    parts = [
        stored(buckets, f"{number:03}", part_of(range(number * 10, number * 10 + 10)))
        for number in range(100)
    ]
    compose(assemble(parts, PARQUET), OUTPUT_BUCKET, "whole.parquet")
    whole = buckets.get_object(Bucket=OUTPUT_BUCKET, Key="whole.parquet")["Body"].read()
    assert pl.read_parquet(BytesIO(whole))["c0"].to_list() == list(range(1000))
    assert len(requests) == 100


def test_parts_with_long_footers_take_two_reads(buckets: S3Client, requests: list[str]) -> None:
    parts = [stored(buckets, str(number), part_of(range(3), 800)) for number in range(2)]
    compose(assemble(parts, PARQUET), OUTPUT_BUCKET, "whole.parquet")
    whole = buckets.get_object(Bucket=OUTPUT_BUCKET, Key="whole.parquet")["Body"].read()
    assert pl.read_parquet(BytesIO(whole))["c799"].to_list() == [0, 1, 2] * 2
    assert len(requests) == 4


def test_parts_that_do_not_fit_are_an_error_that_names_the_part(buckets: S3Client) -> None:
    one, other = stored(buckets, "1", part_of(range(3))), stored(buckets, "2", part_of(range(3), 2))
    junk = stored(buckets, "3", b"x" * 100)
    with pytest.raises(InternalError, match="part 1: its schema is not that of part 0"):
        assemble([one, other], PARQUET)
    with pytest.raises(InternalError, match="part 2: it does not end like a Parquet file"):
        assemble([one, one, junk], PARQUET)


def test_a_part_that_changes_meanwhile_is_an_error(buckets: S3Client) -> None:
    one = stored(buckets, "1", part_of(range(3)))
    stored(buckets, "1", part_of(range(4)))
    with pytest.raises(SourceChanged):
        assemble([one, one], PARQUET)
