"""Sends a tiny file of a separate dataset through a stack, and removes every trace of it."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipectl.client.metadata_items import MetadataItem, MetadataItems
from pipectl.client.object_versions import delete_versions, versions_below
from pipectl.errors import PipectlError
from shared.errors import error_code
from shared.job import Source
from shared.keys import (
    CORRECTIONS_PREFIX,
    PROCESSED_PREFIX,
    RAW_PREFIX,
    REJECTED_PREFIX,
    REPORTS_PREFIX,
    contract_key,
    work_of,
)
from tabular.writing.athena_columns import athena_name

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
    """Delete all versions of the file, its contract and its outputs, its table and its item."""
    folder = f"{smoke.dataset}/"
    inputs, outputs = stack.output("InputBucketName"), stack.output("OutputBucketName")
    uploaded = (RAW_PREFIX, PROCESSED_PREFIX, CORRECTIONS_PREFIX)
    made = (PROCESSED_PREFIX, REJECTED_PREFIX, REPORTS_PREFIX, CORRECTIONS_PREFIX)
    places = [
        (inputs, contract_key(smoke.dataset)),
        *((inputs, f"{prefix}{folder}") for prefix in uploaded),
        *((outputs, f"{prefix}{folder}") for prefix in made),
        (outputs, work_of(smoke.file_id)),
    ]
    for bucket, prefix in places:
        delete_versions(stack, versions_below(stack, bucket, prefix))
    remove_table(stack, smoke.dataset)
    stack.client("dynamodb").delete_item(
        TableName=stack.output("MetadataTableName"), Key={"file_id": {"S": smoke.file_id}}
    )


def remove_table(stack: Stack, dataset: str) -> None:
    """Delete the dataset's table from the stack's Glue database, if there are both."""
    database = stack.deployment.parameters.get("GlueDatabase")
    if not database:
        return
    try:
        stack.client("glue").delete_table(DatabaseName=database, Name=athena_name(dataset))
    except ClientError as error:
        if error_code(error) != "EntityNotFoundException":
            raise


def _lines(stack: Stack, item: MetadataItem, name: str) -> list[dict[str, Any]]:
    key = item.get(name)
    if not key:
        return []
    answer = stack.client("s3").get_object(Bucket=stack.output("OutputBucketName"), Key=key)
    return [json.loads(line) for line in answer["Body"].read().splitlines()]
