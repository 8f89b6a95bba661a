"""Parts that exist are not made again, unless they could differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.splits import files as cut
from tests.integration.splits.conftest import noted
from tests.integration.splits.steps import Steps, StepsRun, UploadedFile, put_contract, upload
from tests.integration.splits.test_generated_files import KIB, table

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BODY = table(cut.PLAIN + cut.MULTI_LINE, 240)

InSplits = Callable[[int], Steps]


@dataclass(frozen=True)
class FirstRun:
    """A file's first run, and the objects that it has left in the output bucket."""

    uploaded: UploadedFile
    run: StepsRun
    objects: list[dict[str, Any]]


@pytest.fixture(scope="module")
def steps(in_splits: InSplits) -> Steps:
    return in_splits(KIB)


@pytest.fixture(scope="module")
def first(s3: S3Client, steps: Steps) -> FirstRun:
    uploaded = upload(s3, BODY, cut.CONTRACT)
    with pytest.MonkeyPatch.context() as monkeypatch:
        transformed = noted(monkeypatch)
        run = steps.run(uploaded)
    assert transformed == list(range(run.splits))
    objects = []
    for item in s3.list_objects_v2(Bucket=steps.bucket)["Contents"]:
        found = s3.get_object(Bucket=steps.bucket, Key=item["Key"])
        objects.append(
            {"Key": item["Key"], "Body": found["Body"].read(), "Metadata": found["Metadata"]}
        )
    return FirstRun(uploaded, run, objects)


@pytest.fixture
def uploaded(s3: S3Client, first: FirstRun) -> UploadedFile:
    """The file, with its contract."""
    put_contract(s3, first.uploaded.dataset, cut.CONTRACT)
    return first.uploaded


@pytest.fixture
def finished(s3: S3Client, steps: Steps, first: FirstRun) -> StepsRun:
    """The file's first run, with the bucket as it was after it."""
    steps.clear()
    for one in first.objects:
        s3.put_object(Bucket=steps.bucket, **one)
    return first.run


def test_a_redrive_transforms_only_the_splits_that_failed(
    steps: Steps, uploaded: UploadedFile, finished: StepsRun, transformed: list[int]
) -> None:
    before = steps.outputs(uploaded)
    steps.remove_part(uploaded, 1)
    steps.remove_part(uploaded, 3)

    steps.run(uploaded, resume=finished, from_state="TransformSplits")

    assert transformed == [1, 3]
    assert steps.outputs(uploaded) == before


def test_a_redrive_after_all_splits_transforms_none(
    steps: Steps, uploaded: UploadedFile, finished: StepsRun, transformed: list[int]
) -> None:
    steps.run(uploaded, resume=finished, from_state="TransformSplits")

    assert transformed == []


def test_starting_over_with_the_same_contract_transforms_none(
    steps: Steps, uploaded: UploadedFile, finished: StepsRun, transformed: list[int]
) -> None:
    steps.run(uploaded)

    assert transformed == []


def test_another_contract_transforms_all_splits(
    s3: S3Client, steps: Steps, uploaded: UploadedFile, finished: StepsRun, transformed: list[int]
) -> None:
    fields = [{"name": name, "type": "string"} for name in ("id", "amount", "text")]
    put_contract(s3, uploaded.dataset, {**cut.CONTRACT, "schema": {"fields": fields}})

    run = steps.run(uploaded)

    assert transformed == list(range(run.splits))


def test_another_start_transforms_all_splits(
    steps: Steps, uploaded: UploadedFile, finished: StepsRun, transformed: list[int]
) -> None:
    run = steps.run(uploaded, started="2026-03-02T08:00:00.000Z")

    assert transformed == list(range(run.splits))


def test_another_output_format_transforms_all_splits(
    steps: Steps, uploaded: UploadedFile, finished: StepsRun, transformed: list[int]
) -> None:
    run = replace(steps, output_format="parquet").run(uploaded)

    assert transformed == list(range(run.splits))


def test_another_split_size_transforms_all_splits(
    in_splits: InSplits, uploaded: UploadedFile, finished: StepsRun, transformed: list[int]
) -> None:
    run = in_splits(2 * KIB).run(uploaded)

    assert transformed == list(range(run.splits))
    assert run.splits < finished.splits
