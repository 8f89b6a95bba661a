"""With ArchiveSource, a processed file leaves raw/, and can still be rerun."""

from __future__ import annotations

from typing import Any

from tests.end_to_end.pipeline import Pipeline

FILE = b"a,amount\nx,1\n"


def test_a_processed_file_is_moved_and_a_forced_attempt_reads_it_from_its_new_place(
    pipeline: Pipeline,
) -> None:
    first = pipeline.run(FILE, "file.csv")
    dataset = first.item["dataset"]
    assert first.execution.status == "succeeded"
    assert _uploads(pipeline, dataset) == []
    [archived] = _archived(pipeline, dataset)
    assert archived == f"processed/{dataset}/{first.file_id}/file.csv"

    pipeline.send(
        {"file_id": first.file_id, "attempt": 1, "source": first.execution.source, "force": True}
    )
    pipeline.source_of(f"{first.file_id}-r2")  # waits until it has started
    second = pipeline.outcome(first.file_id, f"{first.file_id}-r2")

    assert second.execution.status == "succeeded"
    assert _archived(pipeline, dataset) == [archived]
    assert second.published("processed/") == [f"processed/{dataset}/file.csv.jsonl"]


def test_a_file_that_fails_stays_where_it_is(pipeline: Pipeline) -> None:
    failed = pipeline.run(b"a,a\n1,2\n", "wrong.csv")

    assert failed.execution.status == "failed"
    key = failed.item["source_key"]
    assert _uploads(pipeline, failed.item["dataset"]) == [key]


def _uploads(pipeline: Pipeline, dataset: str) -> list[str]:
    """The keys of all versions of a dataset's files under raw/, including delete markers."""
    found: Any = pipeline.deployment.client("s3").list_object_versions(
        Bucket=pipeline.outputs["InputBucketName"], Prefix=f"raw/{dataset}/"
    )
    return [entry["Key"] for kind in ("Versions", "DeleteMarkers") for entry in found.get(kind, [])]


def _archived(pipeline: Pipeline, dataset: str) -> list[str]:
    found = pipeline.deployment.client("s3").list_objects_v2(
        Bucket=pipeline.outputs["InputBucketName"], Prefix=f"processed/{dataset}/"
    )
    return [entry["Key"] for entry in found.get("Contents", [])]
