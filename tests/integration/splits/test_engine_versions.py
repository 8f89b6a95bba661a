"""No file is published from parts of two engines; a redrive makes the wrong parts again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

import transform.app
import transform.stamp
from shared.errors import MixedParts
from shared.remedies import remedy_of
from tests.integration.splits import files as cut
from tests.integration.splits.steps import Steps, StepsRun, UploadedFile, upload
from tests.integration.splits.test_generated_files import KIB, table

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BODY = table(cut.PLAIN + cut.MULTI_LINE, 100)
NEWER = {**transform.stamp.engine(), "polars": "99.0.0", "hash": "0"}

InSplits = Callable[[int], Steps]


@pytest.fixture
def steps(in_splits: InSplits) -> Steps:
    return in_splits(KIB)


@pytest.fixture
def uploaded(s3: S3Client) -> UploadedFile:
    return upload(s3, BODY, cut.CONTRACT)


@pytest.fixture
def layer_update(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Another version of Polars, as the functions see it."""

    def update() -> None:
        for module in (transform.app, transform.stamp):
            monkeypatch.setattr(module, "engine", lambda: NEWER)

    return update


def change(steps: Steps, uploaded: UploadedFile, split: int, content: str, change: Any) -> None:
    key = steps.work(uploaded).part(split, content)
    document = json.loads(steps.s3.get_object(Bucket=steps.bucket, Key=key)["Body"].read())
    steps.s3.put_object(Bucket=steps.bucket, Key=key, Body=json.dumps(document | change).encode())


def test_another_engine_transforms_all_splits(
    steps: Steps, uploaded: UploadedFile, transformed: list[int], layer_update: Callable[[], None]
) -> None:
    run = steps.run(uploaded)
    transformed.clear()
    layer_update()
    steps.run(uploaded, resume=run, from_state="TransformSplits")
    assert transformed == list(range(run.splits))


@pytest.mark.parametrize("found", [{"engine": NEWER}, {"engine": None}])
def test_parts_that_do_not_match_are_found_before_publication_and_made_again(
    steps: Steps, uploaded: UploadedFile, transformed: list[int], found: dict[str, Any]
) -> None:
    before, expected = before_publication(steps, uploaded)
    change(steps, uploaded, 1, "report.json", {"stamp": "another", **found})
    with pytest.raises(MixedParts) as raised:
        steps.run(uploaded, resume=before, from_state="WriteOutput")
    assert "Nothing was published" in str(raised.value)
    assert steps.outputs(uploaded) == {}
    transformed.clear()
    assert remedy_of("MixedParts") == "start_over"
    steps.run(uploaded)
    assert transformed == [1]
    assert steps.outputs(uploaded) == expected


@pytest.mark.parametrize("content", ["jsonl", "statistics.json"])
def test_a_missing_part_is_found_before_publication_and_made_again(
    steps: Steps, uploaded: UploadedFile, transformed: list[int], content: str
) -> None:
    before, expected = before_publication(steps, uploaded)
    key = steps.work(uploaded).part(1, content)
    steps.s3.delete_object(Bucket=steps.bucket, Key=key)
    with pytest.raises(MixedParts, match="1 parts are missing"):
        steps.run(uploaded, resume=before, from_state="WriteOutput")
    assert steps.outputs(uploaded) == {}
    transformed.clear()
    steps.run(uploaded)
    assert transformed == [1]
    assert steps.outputs(uploaded) == expected


def test_an_update_between_publication_and_summary_is_fixed_by_starting_over(
    steps: Steps, uploaded: UploadedFile, transformed: list[int]
) -> None:
    run = steps.run(uploaded)
    expected = steps.outputs(uploaded)
    for split in range(run.splits):
        change(steps, uploaded, split, "statistics.json", {"hash": "0"})
        change(steps, uploaded, split, "report.json", {"stamp": "another"})
    with pytest.raises(MixedParts, match="another version of the engine"):
        steps.run(uploaded, resume=run, from_state="Summarize")
    transformed.clear()
    steps.run(uploaded)
    assert transformed == list(range(run.splits))
    assert steps.outputs(uploaded) == expected


def before_publication(steps: Steps, uploaded: UploadedFile) -> tuple[StepsRun, dict[str, bytes]]:
    """A run as WriteOutput gets it, all parts being there, and what will be published of it."""
    run = steps.run(uploaded)
    outputs = steps.outputs(uploaded)
    for key in outputs:
        steps.s3.delete_object(Bucket=steps.bucket, Key=key)
    for result in ("output", "summary"):
        del run.document[result]
    return run, outputs
