"""Parquet of any number of splits is one object, with the records of one split."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from shared.errors import InternalError
from tabular.errors import FileTooLarge
from tabular.writing import parquet_footer
from tests.integration.splits import files as cut
from tests.integration.splits.steps import Steps, StepsRun, UploadedFile, upload
from tests.integration.splits.test_generated_files import KIB, table
from tests.unit.tabular.parquet_readers import read_by_all

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONTENT = table(cut.PLAIN + cut.MULTI_LINE, 240)


@pytest.fixture
def split(in_splits: Callable[[int], Steps]) -> Steps:
    return replace(in_splits(KIB), output_format="parquet")


def processed(steps: Steps, uploaded: UploadedFile, run: StepsRun) -> bytes:
    return steps.outputs(uploaded)[run.document["output"]["processed_key"]]


def test_one_split_and_many_are_equal_tables_in_one_object(
    s3: S3Client, whole: Steps, split: Steps, tmp_path: Path
) -> None:
    uploaded = upload(s3, CONTENT, cut.CONTRACT)
    alone = replace(whole, output_format="parquet")
    alone_run, split_run = alone.run(uploaded), split.run(uploaded)
    expected = pl.read_parquet(io.BytesIO(processed(alone, uploaded, alone_run)))
    path = tmp_path / "split.parquet"
    path.write_bytes(processed(split, uploaded, split_run))
    by_polars, by_arrow, by_duckdb = read_by_all(path)

    published = [key for key in split.outputs(uploaded) if key.startswith("processed/")]
    assert published == [f"processed/{uploaded.dataset}/file.csv.parquet"]
    assert split_run.splits > 4
    assert pq.read_metadata(path).num_row_groups == split_run.splits
    assert by_polars.equals(expected)
    assert by_arrow.equals(expected)
    assert by_duckdb.rows() == expected.rows()
    assert expected.height == split_run.document["output"]["processed_count"]
    assert path.stat().st_size == split_run.document["output"]["processed_bytes"]


def test_a_redrive_gives_the_same_bytes_and_another_attempt_others(
    s3: S3Client, split: Steps
) -> None:
    uploaded = upload(s3, CONTENT, cut.CONTRACT)
    run = split.run(uploaded)
    first = processed(split, uploaded, run)
    again = processed(split, uploaded, split.run(uploaded, resume=run, from_state="WriteOutput"))
    later = processed(split, uploaded, split.run(uploaded, started="2026-03-02T08:00:00.000Z"))

    assert again == first
    assert later != first
    assert pq.read_metadata(io.BytesIO(later)).metadata[b"processed_at"] == (
        b"2026-03-02T08:00:00.000Z"
    )


@pytest.mark.parametrize("damage", ["cut", "other"])
def test_damaged_parts_are_refused_before_anything_is_published(
    s3: S3Client, split: Steps, damage: str
) -> None:
    uploaded = upload(s3, CONTENT, cut.CONTRACT)
    run = split.run(uploaded)
    published = split.outputs(uploaded)
    for key in published:
        s3.delete_object(Bucket=split.bucket, Key=key)
    key = split.work(uploaded).part(1, "parquet")
    part = s3.get_object(Bucket=split.bucket, Key=key)["Body"].read()
    other = part.replace(b"2026-03-01T08:00:02.114Z", b"2026-03-01T08:00:02.115Z")
    s3.put_object(Bucket=split.bucket, Key=key, Body=part[:-1] if damage == "cut" else other)

    with pytest.raises(InternalError, match=r"part 1: .* Nothing was published"):
        split.run(uploaded, resume=run, from_state="WriteOutput")
    assert not [key for key in split.outputs(uploaded) if not key.startswith("reports/")]


def test_a_footer_that_is_too_long_is_an_error_before_publication(
    s3: S3Client, split: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploaded = upload(s3, CONTENT, cut.CONTRACT)
    monkeypatch.setattr(parquet_footer, "MAX_FOOTER_BYTES", 3000)

    with pytest.raises(FileTooLarge, match="more than 3,000 bytes"):
        split.run(uploaded)
    assert split.outputs(uploaded) == {}


def test_a_footer_that_is_certainly_too_long_is_an_error_before_the_transform(
    s3: S3Client, split: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploaded = upload(s3, CONTENT, cut.CONTRACT)
    transformed: list[Any] = []
    monkeypatch.setattr(parquet_footer, "MAX_FOOTER_BYTES", 100)
    monkeypatch.setattr("transform.app.transform", transformed.append)

    with pytest.raises(FileTooLarge):
        split.run(uploaded)
    assert transformed == []
    assert not [key for key in split.outputs(uploaded) if key.startswith("processed/")]
