"""No change of the template replaces a resource that has data, or that others know by name.

CloudFormation replaces a resource whose logical ID, type or one of these properties changes: the
new one is empty. A change that is meant needs a way for the data, a line under *Upgrading* in the
changelog, and then the new value here.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-template-resource-type-ref.html
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from tests.infrastructure import deployed, effective

BUCKET = "AWS::S3::Bucket"
QUEUE = "AWS::SQS::Queue"
# Type -> the properties whose change means replacement, by AWS's reference pages.
REPLACED_BY = {
    BUCKET: ("BucketName", "BucketNamePrefix", "BucketNamespace", "ObjectLockEnabled"),
    "AWS::DynamoDB::Table": ("TableName", "KeySchema", "LocalSecondaryIndexes"),
    QUEUE: ("QueueName", "FifoQueue"),
    "AWS::SNS::Topic": ("TopicName", "FifoTopic"),
    "AWS::StepFunctions::StateMachine": ("StateMachineName", "StateMachineType"),
    "AWS::Logs::LogGroup": ("LogGroupName",),
}
_REGION = "${AWS::AccountId}-${AWS::Region}-${Environment}"
RECORDED: dict[str, tuple[str, dict[str, Any]]] = {
    "InputBucket": (BUCKET, {"BucketName": f"data-pipeline-input-{_REGION}"}),
    "OutputBucket": (BUCKET, {"BucketName": f"data-pipeline-output-{_REGION}"}),
    "MetadataTable": (
        "AWS::DynamoDB::Table",
        {
            "TableName": "pipeline-metadata-${Environment}",
            "KeySchema": [{"AttributeName": "file_id", "KeyType": "HASH"}],
        },
    ),
    "ProcessingQueue": (QUEUE, {"QueueName": "data-processing-queue-${Environment}"}),
    "DeadLetterQueue": (QUEUE, {"QueueName": "data-processing-dlq-${Environment}"}),
    "NotificationTopic": (
        "AWS::SNS::Topic",
        {"TopicName": "pipeline-notifications-${Environment}"},
    ),
    # Its executions, their names and the 14 days for redrives go with it.
    "PipelineStateMachine": (
        "AWS::StepFunctions::StateMachine",
        {"StateMachineName": "data-pipeline-${Environment}", "StateMachineType": "STANDARD"},
    ),
}
# Every parameter at another value than its default, where the value can change a resource.
PARAMETERS = {
    "ArchiveSource": "true",
    "KmsKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000000",
    "StartOnScanResult": "true",
    "TableDeletionProtection": "true",
    "AccessLogBucket": "access-logs",
    "GlueDatabase": "analytics",
}


def _plain(value: Any) -> Any:
    return value["Fn::Sub"] if isinstance(value, dict) and set(value) == {"Fn::Sub"} else value


def _identity(resource: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    properties = resource.get("Properties", {})
    named = REPLACED_BY[resource["Type"]]
    return resource["Type"], {
        name: _plain(properties[name]) for name in named if name in properties
    }


@pytest.mark.parametrize("parameters", [{}, PARAMETERS], ids=["defaults", "everything on"])
@pytest.mark.parametrize("logical_id", RECORDED)
def test_it_keeps_what_its_replacement_depends_on(
    logical_id: str, parameters: dict[str, str]
) -> None:
    assert _identity(effective.resources(**parameters)[logical_id]) == RECORDED[logical_id]


def test_every_resource_that_stays_when_the_stack_is_deleted_is_recorded() -> None:
    kept = {
        logical_id
        for logical_id, resource in deployed.template().document["Resources"].items()
        if "DeletionPolicy" in resource
        # A policy has no data, and each version of the layer is a resource of its own.
        and not resource["Type"].endswith(("BucketPolicy", "LayerVersion"))
    }
    assert kept <= set(RECORDED)


def test_the_key_stays_the_same() -> None:
    document = yaml_parse(Path(deployed.ROOT / "key.yaml").read_text(encoding="utf-8"))
    key = document["Resources"]["Key"]
    # Another value of one of these would need a new key, and these are the defaults.
    replacing = ("KeySpec", "KeyUsage", "MultiRegion", "Origin")
    assert key["Type"] == "AWS::KMS::Key"
    assert [name for name in replacing if name in key["Properties"]] == []
