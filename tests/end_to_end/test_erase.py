"""`pipectl erase` leaves no byte of a file in the stack; a stack with every protection works."""

from __future__ import annotations

import pytest

from pipectl.client.stack_choice import Stack
from pipectl.embedded.process import StackProcess
from pipectl.operate.erase_file import erase, plan_erasure
from tests.end_to_end.pipeline import Pipeline

NAME = "Ada-Lovelace-4711"
CONTRACT = {
    "schema": {
        "fields": [{"name": "name", "type": "string"}, {"name": "amount", "type": "integer"}]
    }
}
# One processed record, one rejected one.
FILE = f"name,amount\n{NAME},1\n{NAME},x\n".encode()
KEY = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000000"


def test_nothing_with_a_cell_of_the_file_is_left(pipeline: Pipeline) -> None:
    others = _versions(pipeline)
    pipeline.put_contract("erased-people", CONTRACT)
    first = pipeline.run(FILE, "people.csv", "erased-people")
    second = pipeline.run(FILE + f"{NAME},2\n".encode(), "people.csv", "erased-people")
    assert (first.execution.status, second.execution.status) == ("succeeded", "succeeded")
    assert _objects_with_the_name(pipeline, others) != []

    stack = Stack(pipeline.deployment)
    erase(stack, plan_erasure(stack, first.file_id))

    assert _objects_with_the_name(pipeline, others) == []
    for outcome in (first, second):
        item = pipeline.item(outcome.file_id)
        assert item["erased_by"]
        assert NAME not in str(item)


@pytest.mark.long  # a stack of its own
def test_a_stack_with_every_protection_processes_a_file() -> None:
    parameters = {
        "KmsKeyArn": KEY,
        "RawRetentionDays": "30",
        "ReplacedRetentionDays": "7",
        "ProcessedRetentionDays": "31",
        "RejectedRetentionDays": "32",
        "CorrectionsRetentionDays": "33",
        "ReportsRetentionDays": "34",
        "RolePath": "/pipelines/",
        "PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/limits",
        "UploaderArns": "arn:aws:iam::210987654321:role/sender",
    }
    with StackProcess(parameters=parameters) as stack:
        pipeline = Pipeline(stack)
        pipeline.put_contract("people", CONTRACT)
        assert pipeline.run(FILE, "people.csv", "people").execution.status == "succeeded"
        s3 = pipeline.deployment.client("s3")
        for name in ("InputBucketName", "OutputBucketName"):
            answer = s3.get_bucket_encryption(Bucket=pipeline.outputs[name])
            (rule,) = answer["ServerSideEncryptionConfiguration"]["Rules"]
            assert rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == KEY


def _versions(pipeline: Pipeline) -> set[tuple[str, str, str]]:
    """Bucket, key and version of all objects of both buckets."""
    s3 = pipeline.deployment.client("s3")
    found = set()
    for output in ("InputBucketName", "OutputBucketName"):
        bucket = pipeline.outputs[output]
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            found |= {(bucket, one["Key"], one["VersionId"]) for one in page.get("Versions", [])}
    return found


def _objects_with_the_name(pipeline: Pipeline, others: set[tuple[str, str, str]]) -> list[str]:
    """Every version of every object whose content has the name, but for those of other tests.

    An output bucket without versions has each object's present content.
    """
    s3 = pipeline.deployment.client("s3")
    found = []
    for bucket, key, version in sorted(_versions(pipeline) - others):
        place = {"Bucket": bucket, "Key": key}
        if version != "null":
            place["VersionId"] = version
        if NAME.encode() in s3.get_object(**place)["Body"].read():  # type: ignore[arg-type]
            found.append(f"{bucket}/{key}")
    return found
