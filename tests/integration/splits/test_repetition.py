"""Parts that exist are not made again, unless they could differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.integration.splits import files as cut
from tests.integration.splits.steps import Steps, StepsRun, UploadedFile, put_contract, upload
from tests.integration.splits.test_generated_files import KIB, table

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BODY = table(cut.PLAIN + cut.MULTI_LINE, 400)

InSplits = Callable[[int], Steps]


@pytest.fixture
def steps(in_splits: InSplits) -> Steps:
    return in_splits(KIB)


@pytest.fixture
def uploaded(s3: S3Client) -> UploadedFile:
    return upload(s3, BODY, cut.CONTRACT)


@pytest.fixture
def finished(steps: Steps, uploaded: UploadedFile, transformed: list[int]) -> StepsRun:
    """A run of the file, after which nothing counts as transformed."""
    run = steps.run(uploaded)
    assert transformed == list(range(run.splits))
    transformed.clear()
    return run


def test_a_redrive_transforms_only_the_splits_that_failed(
    steps: Steps, uploaded: UploadedFile, finished: StepsRun, transformed: list[int]
) -> None:
    before = steps.outputs(uploaded)
    steps.remove_part(uploaded, 1)
    steps.remove_part(uploaded, 4)

    steps.run(uploaded, resume=finished, from_state="TransformSplits")

    assert transformed == [1, 4]
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
