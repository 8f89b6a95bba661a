"""`pipectl up --data`: a stack goes on where the one before has ended."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pipectl.embedded.process import StackProcess
from tests.end_to_end.samples import orders

# The large file runs in splits.
PARAMETERS = {"SplitSizeBytes": str(64 * 1024)}
LARGE, EMPTY = orders(4000), b""


def picture(stack: StackProcess) -> dict[str, Any]:
    """What the APIs return of everything that is kept."""
    s3, states = stack.client("s3"), stack.client("stepfunctions")
    buckets = [stack.outputs[f"{which}BucketName"] for which in ("Input", "Output")]
    versions = {
        bucket: without_metadata(s3.list_object_versions(Bucket=bucket)) for bucket in buckets
    }
    heads = {
        (bucket, version["Key"], version["VersionId"]): without_metadata(
            s3.head_object(Bucket=bucket, Key=version["Key"], **version_of(version))
        )
        for bucket in buckets
        for version in versions[bucket].get("Versions", [])
    }
    machine = stack.outputs["StateMachineArn"]
    executions = states.list_executions(stateMachineArn=machine)["executions"]
    arns = [one["executionArn"] for one in executions]
    runs = [run for arn in arns for run in states.list_map_runs(executionArn=arn)["mapRuns"]]
    table = stack.outputs["MetadataTableName"]
    return {
        "versions": versions,
        "heads": heads,
        "executions": {
            arn: without_metadata(states.describe_execution(executionArn=arn)) for arn in arns
        },
        "histories": {
            arn: states.get_execution_history(executionArn=arn, maxResults=1000)["events"]
            for arn in arns
        },
        "workflows": {
            arn: states.describe_state_machine_for_execution(executionArn=arn)["definition"]
            for arn in arns
        },
        "map runs": [
            without_metadata(states.describe_map_run(mapRunArn=run["mapRunArn"])) for run in runs
        ],
        "items": stack.client("dynamodb").scan(TableName=table)["Items"],
        "dead letters": stack.dead_letters(),
        "notifications": stack.notifications(),
    }


def without_metadata(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def version_of(version: Mapping[str, Any]) -> dict[str, str]:
    """How to name a version; moto does not take the `null` of a bucket without versions."""
    return {} if version["VersionId"] == "null" else {"VersionId": version["VersionId"]}


def wait_for_executions(stack: StackProcess, number: int) -> None:
    """Wait until this number of executions has started."""
    seen, machine = 0, stack.outputs["StateMachineArn"]
    states = stack.client("stepfunctions")
    while len(states.list_executions(stateMachineArn=machine)["executions"]) < number:
        seen = stack.wait_for_change(seen, 1)


def fill(stack: StackProcess) -> None:
    """Process a large file, replace it by another version, and let a file fail twice."""
    for content in (LARGE, orders(50)):
        stack.wait_for(stack.upload(content, "raw/kept/large.csv"))
    empty = stack.upload(EMPTY, "raw/kept/empty.csv")
    failed = stack.wait_for(empty)
    stack.client("stepfunctions").redrive_execution(executionArn=failed.arn)
    stack.wait_for(empty, redrive_count=1)
    s3, bucket = stack.client("s3"), stack.outputs["InputBucketName"]
    s3.put_object(
        Bucket=bucket, Key="notes/a.txt", Body=b"a", Metadata={"owner": "Zoe"}, Tagging="team=blue"
    )
    s3.delete_object(Bucket=bucket, Key="notes/a.txt")


@pytest.mark.slow
def test_contents_are_the_same_after_a_restart(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with StackProcess(parameters=PARAMETERS, time_factor=1, data=data) as stack:
        fill(stack)
        before = picture(stack)
        stack.add_fault("data-pipeline-transform-dev", "throttle", times=1000)
        interrupted = stack.upload(orders(10), "raw/kept/interrupted.csv")
        wait_for_executions(stack, len(before["executions"]) + 1)
        stack.terminate()

    with StackProcess(parameters=PARAMETERS, data=data) as stack:
        aborted = stack.wait_for(interrupted)
        assert aborted.status == "aborted"
        after = picture(stack)
        for part in ("heads", "executions", "histories", "workflows"):
            assert before[part].items() <= after[part].items(), part
        assert after["map runs"] == before["map runs"] != []
        for part in ("items", "dead letters", "notifications"):
            assert [one for one in after[part] if one in before[part]] == before[part], part

        # The file that was being processed is not lost.
        stack.client("stepfunctions").redrive_execution(executionArn=aborted.arn)
        assert stack.wait_for(interrupted, redrive_count=1).status == "succeeded"
        # The same content once more is another version, and so another file.
        again = stack.upload(LARGE, "raw/kept/large.csv")
        assert stack.wait_for(again).status == "succeeded"


@pytest.mark.long
def test_a_crash_loses_nothing_that_is_older_than_a_save(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with StackProcess(parameters=PARAMETERS, data=data) as stack:
        fill(stack)
        before = picture(stack)
        time.sleep(5)  # longer than between two saves
        stack.crash()
    with StackProcess(parameters=PARAMETERS, data=data) as stack:
        assert picture(stack) == before
