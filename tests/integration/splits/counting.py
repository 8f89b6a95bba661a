"""Runs files on the embedded AWS and prints the requests of each one, as JSON.

A separate process, so that the requests of other tests are not counted.
"""

from __future__ import annotations

import json
import time
from typing import Any

from pipectl.client.stack_choice import Stack
from pipectl.client.step_functions import DescribedExecution, Executions
from pipectl.embedded.stack import EmbeddedStack
from tests.benchmarks.splits_recorder import CallRecorder

SPLIT_SIZE = 32 * 1024
HEADER = b"id,amount,note\n"
WAIT_SECONDS = 60
# What happens after an execution's end, on the tail of its events.
SETTLE_SECONDS = 0.7

FILES: dict[str, bytes] = {
    "small": HEADER + b"1,2,a\n2,3,b\n",
    "small with rejects": HEADER + b"1,2,a\n2,x,b\n",
    "splits with rejects": HEADER
    + b"".join(b"%d,%s,some note\n" % (n, b"x" if n % 50 == 0 else b"7") for n in range(7000)),
    "unreadable": b"id,amount,id\n1,2,3\n",
}


def main() -> None:
    """Run one file after the other."""
    counted: dict[str, Any] = {}
    recorder = CallRecorder()
    parameters = {"SplitSizeBytes": str(SPLIT_SIZE)}
    with recorder.recording(), EmbeddedStack(parameters=parameters, time_factor=0) as stack:
        # With the first file S3's test event reaches the starter.
        _run(stack, recorder, "first", FILES["small"])
        for name, body in FILES.items():
            counted[name] = _run(stack, recorder, name, body)
        stack.faults.add("data-pipeline-transform-dev", "SourceChanged")
        body = FILES["splits with rejects"]
        counted["a split fails"] = _run(stack, recorder, "a split fails", body)
    print(json.dumps(counted))


def _run(stack: EmbeddedStack, recorder: CallRecorder, name: str, body: bytes) -> dict[str, Any]:
    recorder.clear()
    published = len(stack.notifications())
    key = f"raw/{name.replace(' ', '-')}/file.csv"
    stack.deployment.client("s3").put_object(
        Bucket=stack.deployment.outputs["InputBucketName"], Key=key, Body=body
    )
    execution = _ended(stack, key)
    time.sleep(SETTLE_SECONDS)
    counts = dict(recorder.counts)
    counts["s3:PutObject"] -= 1  # the upload
    counts["sns:Publish"] = len(stack.notifications()) - published
    history = _history(stack, execution)
    return {
        "size": len(body),
        "status": execution.status,
        "counts": counts,
        "events": [event["type"] for event in history],
        "states": [
            event["stateEnteredEventDetails"]["name"]
            for event in history
            if "stateEnteredEventDetails" in event
        ],
        "item_bytes": _item_bytes(stack, execution.name),
    }


def _ended(stack: EmbeddedStack, key: str) -> DescribedExecution:
    executions = Executions(Stack(stack.deployment))
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        for execution in executions.all():
            if execution.source.get("key") == key and execution.status != "running":
                return execution
        time.sleep(0.2)
    raise TimeoutError(f"{key} has not ended after {WAIT_SECONDS} seconds.")


def _history(stack: EmbeddedStack, execution: DescribedExecution) -> list[Any]:
    client = stack.deployment.client("stepfunctions")
    pages = client.get_paginator("get_execution_history").paginate(executionArn=execution.arn)
    return [event for page in pages for event in page["events"]]


def _item_bytes(stack: EmbeddedStack, file_id: str) -> int:
    """About what DynamoDB counts: names and values, without the types' own letters."""
    table = stack.deployment.outputs["MetadataTableName"]
    key = {"file_id": {"S": file_id}}
    found = stack.deployment.client("dynamodb").get_item(TableName=table, Key=key)
    return len(json.dumps(found["Item"]))


if __name__ == "__main__":
    main()
