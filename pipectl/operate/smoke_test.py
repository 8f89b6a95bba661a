"""Sends a tiny file of a dataset of its own through a stack, and removes every trace of it."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipectl.client.metadata_items import MetadataItem, MetadataItems
from pipectl.errors import PipectlError
from shared.job import Source
from shared.keys import (
    CORRECTIONS_PREFIX,
    PROCESSED_PREFIX,
    RAW_PREFIX,
    REJECTED_PREFIX,
    REPORTS_PREFIX,
    contract_key,
)

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack

LOOK_SECONDS = 2.0
_CONTENT = b"id,name\n1,smoke\nx,rejected\n"
_CONTRACT = {
    "schema": {"fields": [{"name": "id", "type": "integer"}, {"name": "name", "type": "string"}]},
    "pipeline": {"outputFormat": "jsonl", "record": "envelope", "maxRejectPercent": 60},
}
_DATA = {"id": 1, "name": "smoke"}
_COUNTS = {"record_count": 2, "processed_count": 1, "error_count": 1}
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
_BATCH = 1000


@dataclass(frozen=True)
class SmokeTest:
    """The file that was sent: its dataset, key and id."""

    dataset: str
    key: str
    file_id: str


def send(stack: Stack) -> SmokeTest:
    """Upload a contract and a file with one good and one bad record, under a new name."""
    dataset = f"smoke-{secrets.token_hex(6)}"
    key = f"{RAW_PREFIX}{dataset}/smoke.csv"
    bucket = stack.output("InputBucketName")
    s3 = stack.client("s3")
    s3.put_object(Bucket=bucket, Key=contract_key(dataset), Body=json.dumps(_CONTRACT).encode())
    answer = s3.put_object(Bucket=bucket, Key=key, Body=_CONTENT)
    version = answer.get("VersionId")
    if not version:
        raise PipectlError(
            f"The bucket {bucket} is not versioned. Deploy the stack's own template."
        )
    source = Source(bucket, key, version, answer["ETag"], len(_CONTENT), "", "", dataset)
    return SmokeTest(dataset, key, source.file_id)


def wait_for(
    stack: Stack, smoke: SmokeTest, seconds: float, sleep: Callable[[float], None] = time.sleep
) -> MetadataItem:
    """The file's metadata item, once it has one. Raises PipectlError if there is none in time."""
    items = MetadataItems(stack)
    deadline = time.monotonic() + seconds
    while True:
        item = items.get([smoke.file_id]).get(smoke.file_id)
        if item is not None:
            return item
        if time.monotonic() > deadline:
            raise PipectlError(
                f"The file has no outcome after {seconds:g} seconds. See `pipectl failures` and"
                f" `pipectl show {smoke.file_id}`, or wait longer with --timeout."
            )
        sleep(LOOK_SECONDS)


def problems_of(stack: Stack, item: MetadataItem) -> list[str]:
    """What is wrong with the outcome; empty if all is as it should be."""
    if item["status"] != "succeeded":
        error = item.get("error") or {}
        return [f"the file {item['status']}: {error.get('code')}. {error.get('message')}"]
    found = {name: item.get(name) for name in _COUNTS}
    if found != _COUNTS:
        return [f"the counts are {found} instead of {_COUNTS}"]
    records = _lines(stack, item, "output_key")
    rejects = _lines(stack, item, "rejected_key")
    problems = []
    if [record.get("data") for record in records] != [_DATA]:
        problems.append(f"{item['output_key']} does not have the one processed record")
    if [reject.get("row") for reject in rejects] != [2]:
        problems.append(f"{item['rejected_key']} does not have the one rejected record")
    if not item.get("summary_key"):
        problems.append("there is no summary")
    return problems


def remove(stack: Stack, smoke: SmokeTest) -> None:
    """Delete all versions of the file, its contract and its outputs, and its metadata item."""
    folder = f"{smoke.dataset}/"
    _delete(
        stack,
        stack.output("InputBucketName"),
        (
            contract_key(smoke.dataset),
            *(f"{prefix}{folder}" for prefix in (RAW_PREFIX, PROCESSED_PREFIX, CORRECTIONS_PREFIX)),
        ),
    )
    prefixes = (PROCESSED_PREFIX, REJECTED_PREFIX, REPORTS_PREFIX, CORRECTIONS_PREFIX)
    _delete(
        stack,
        stack.output("OutputBucketName"),
        (*(f"{prefix}{folder}" for prefix in prefixes), f"work/{smoke.file_id}/"),
    )
    stack.client("dynamodb").delete_item(
        TableName=stack.output("MetadataTableName"), Key={"file_id": {"S": smoke.file_id}}
    )


def _lines(stack: Stack, item: MetadataItem, name: str) -> list[dict[str, Any]]:
    key = item.get(name)
    if not key:
        return []
    answer = stack.client("s3").get_object(Bucket=stack.output("OutputBucketName"), Key=key)
    return [json.loads(line) for line in answer["Body"].read().splitlines()]


def _delete(stack: Stack, bucket: str, prefixes: Iterable[str]) -> None:
    """Delete all versions and delete markers below these prefixes."""
    s3 = stack.client("s3")
    for prefix in prefixes:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
            found: list[Any] = [
                {"Key": one["Key"], "VersionId": one["VersionId"]}
                for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
            ]
            for start in range(0, len(found), _BATCH):
                answer = s3.delete_objects(
                    Bucket=bucket, Delete={"Objects": found[start : start + _BATCH]}
                )
                if answer.get("Errors"):
                    refused = answer["Errors"][0]
                    where, why = refused.get("Key"), refused.get("Message")
                    raise PipectlError(f"s3://{bucket}/{where} can't be deleted: {why}.")
