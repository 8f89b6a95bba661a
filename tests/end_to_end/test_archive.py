"""With ArchiveSource, a processed file leaves raw/, and is still there to be run again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from pipectl.client.stack_choice import Stack
from pipectl.client.step_functions import DescribedExecution, Executions
from pipectl.embedded.process import StackProcess
from pipectl.embedded.stack import TEMPLATE

FILE = b"a,amount\nx,1\n"


@pytest.fixture(scope="module")
def stack() -> Iterator[StackProcess]:
    with StackProcess(TEMPLATE, {"ArchiveSource": "true"}) as process:
        yield process


def test_a_processed_file_is_moved_and_a_forced_attempt_reads_it_from_its_new_place(
    stack: StackProcess,
) -> None:
    first = stack.wait_for(stack.upload(FILE, "raw/orders/file.csv"))
    assert first.status == "succeeded"
    assert _uploads(stack) == []
    [archived] = _archived(stack)
    assert archived == f"processed/orders/{first.name}/file.csv"

    replay = {"file_id": first.name, "attempt": 1, "source": first.source, "force": True}
    stack.client("sqs").send_message(
        QueueUrl=stack.outputs["ProcessingQueueUrl"], MessageBody=json.dumps(replay)
    )
    second = _wait(stack, f"{first.name}-r2")

    assert second.status == "succeeded"
    assert _archived(stack) == [archived]
    assert stack.output_keys("processed/") == [f"processed/orders/{first.name}.jsonl"]


def test_a_file_that_fails_stays_where_it_is(stack: StackProcess) -> None:
    failed = stack.wait_for(stack.upload(b"a,a\n1,2\n", "raw/orders/wrong.csv"))

    assert failed.status == "failed"
    assert _uploads(stack) == ["raw/orders/wrong.csv"]


def _uploads(stack: StackProcess) -> list[str]:
    """The keys of all versions under raw/, delete markers too."""
    found = stack.client("s3").list_object_versions(
        Bucket=stack.outputs["InputBucketName"], Prefix="raw/"
    )
    return [entry["Key"] for kind in ("Versions", "DeleteMarkers") for entry in found.get(kind, [])]


def _archived(stack: StackProcess) -> list[str]:
    found = stack.client("s3").list_objects_v2(
        Bucket=stack.outputs["InputBucketName"], Prefix="processed/"
    )
    return [entry["Key"] for entry in found.get("Contents", [])]


def _wait(stack: StackProcess, name: str) -> DescribedExecution:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for execution in Executions(Stack(stack.deployment)).all():
            if execution.name == name and execution.status != "running":
                return execution
        time.sleep(0.1)
    raise AssertionError(f"{name} did not end")
