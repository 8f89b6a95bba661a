"""Encryption with a key of one's own, retention, access logs, and limits of the stack's roles."""

from __future__ import annotations

import re
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from tests.infrastructure import deployed, effective

KEY = "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000000"
BUCKETS = ("InputBucket", "OutputBucket")
RETENTION = {
    "RawRetentionDays": "11",
    "ProcessedRetentionDays": "12",
    "RejectedRetentionDays": "13",
    "CorrectionsRetentionDays": "14",
    "ReportsRetentionDays": "15",
    "ReplacedRetentionDays": "16",
}


def _properties(logical_id: str, **parameters: str) -> dict[str, Any]:
    found: dict[str, Any] = effective.resources(**parameters)[logical_id]["Properties"]
    return found


def _rules(bucket: str, **parameters: str) -> dict[str, dict[str, Any]]:
    rules = _properties(bucket, **parameters)["LifecycleConfiguration"]["Rules"]
    return {rule["Prefix"]: rule for rule in rules if "Prefix" in rule}


def _of_type(kind: str, **parameters: str) -> list[dict[str, Any]]:
    found = [it for it in effective.resources(**parameters).values() if it["Type"] == kind]
    assert found
    return [it.get("Properties", {}) for it in found]


class TestKey:
    @pytest.mark.parametrize("bucket", BUCKETS)
    def test_buckets_use_it_and_ask_for_it_rarely(self, bucket: str) -> None:
        encryption = _properties(bucket, KmsKeyArn=KEY)["BucketEncryption"]
        assert encryption["ServerSideEncryptionConfiguration"] == [
            {
                "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY},
                "BucketKeyEnabled": True,
            }
        ]

    def test_queues_topic_table_and_logs_use_it(self) -> None:
        for queue in _of_type("AWS::SQS::Queue", KmsKeyArn=KEY):
            assert queue["KmsMasterKeyId"] == KEY
            assert queue["SqsManagedSseEnabled"] is False
        for topic in _of_type("AWS::SNS::Topic", KmsKeyArn=KEY):
            assert topic["KmsMasterKeyId"] == KEY
        for table in _of_type("AWS::DynamoDB::Table", KmsKeyArn=KEY):
            assert table["SSESpecification"] == {
                "SSEEnabled": True,
                "SSEType": "KMS",
                "KMSMasterKeyId": KEY,
            }
        for group in _of_type("AWS::Logs::LogGroup", KmsKeyArn=KEY):
            assert group["KmsKeyId"] == KEY

    def test_without_it_nothing_names_a_key(self) -> None:
        named = re.findall(r"'(?:KmsKeyId|KmsMasterKeyId|KMSMasterKeyI[dD])'", str(_everything()))
        assert named == []
        assert "KeyPolicy" not in effective.resources()

    def test_every_role_may_use_it_through_the_services_that_store_data(self) -> None:
        for role in _of_type("AWS::IAM::Role", KmsKeyArn=KEY):
            assert {"Ref": "KeyPolicy"} in role["ManagedPolicyArns"]
        (statement,) = _properties("KeyPolicy", KmsKeyArn=KEY)["PolicyDocument"]["Statement"]
        assert statement["Resource"] == KEY
        assert statement["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
        services = statement["Condition"]["StringEquals"]["kms:ViaService"]
        assert [it["Fn::Sub"].partition(".")[0] for it in services] == [
            "dynamodb",
            "s3",
            "sns",
            "sqs",
        ]

    @pytest.mark.parametrize(
        ("given", "allowed"),
        [
            ("", True),
            (KEY, True),
            ("arn:aws-cn:kms:cn-north-1:123456789012:key/mrk-0a1b2c3d00004000", True),
            ("arn:aws:kms:eu-central-1:123456789012:alias/pipeline", False),
            ("alias/aws/s3", False),
        ],
    )
    def test_it_is_named_by_its_own_arn(self, given: str, allowed: bool) -> None:
        pattern = deployed.template().document["Parameters"]["KmsKeyArn"]["AllowedPattern"]
        assert bool(re.fullmatch(pattern, given)) is allowed


class TestKeyStack:
    def test_services_may_use_the_key_for_this_account_only(self) -> None:
        for statement in _key_statements():
            if "Service" not in statement["Principal"]:
                continue
            conditions = str(statement["Condition"])
            assert "AWS::AccountId" in conditions, statement["Sid"]

    def test_each_service_that_uses_it_without_a_role_is_allowed_to(self) -> None:
        services = {
            deployed.text_of(it["Principal"]["Service"])
            for it in _key_statements()
            if "Service" in it["Principal"]
        }
        assert services == {
            "s3.amazonaws.com",  # events to the queue
            "events.amazonaws.com",  # results of malware scans to the queue
            "cloudwatch.amazonaws.com",  # alarms to the topic
            "logs.${AWS::Region}.${AWS::URLSuffix}",
        }

    def test_the_input_bucket_is_the_pipelines(self) -> None:
        (events,) = [it for it in _key_statements() if it["Sid"] == "AllowBucketEvents"]
        arn = events["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::Sub"]
        name = deployed.properties("InputBucket")["BucketName"]["Fn::Sub"]
        assert arn == f"arn:${{AWS::Partition}}:s3:::{name}"

    def test_the_key_is_kept_and_rotated(self) -> None:
        key = _key_stack()["Resources"]["Key"]
        assert key["DeletionPolicy"] == "RetainExceptOnCreate"
        assert key["Properties"]["EnableKeyRotation"] is True

    def test_uploaders_are_written_as_for_the_pipelines_stack(self) -> None:
        ours = deployed.template().document["Parameters"]["UploaderArns"]["AllowedPattern"]
        assert _key_stack()["Parameters"]["UploaderArns"]["AllowedPattern"] == ours


class TestRetention:
    def test_by_default_only_replaced_versions_expire(self) -> None:
        assert [it for it in _rules("InputBucket").values() if "ExpirationInDays" in it] == []
        assert list(_rules("OutputBucket")) == ["work/"]

    def test_what_is_set_expires(self) -> None:
        expiring = [
            {prefix: rule["ExpirationInDays"] for prefix, rule in _rules(it, **RETENTION).items()}
            for it in BUCKETS
        ]
        assert expiring == [
            {"raw/": "11", "processed/": "11", "corrections/": "14"},
            {
                "work/": 15,
                "processed/": "12",
                "rejected/": "13",
                "corrections/": "14",
                "reports/": "15",
            },
        ]

    @pytest.mark.parametrize("parameters", [{}, RETENTION])
    def test_replaced_versions_expire_except_those_of_contracts(
        self, parameters: dict[str, str]
    ) -> None:
        rules = _rules("InputBucket", **parameters)
        assert set(rules) == {"raw/", "processed/", "corrections/"}
        assert {it["NoncurrentVersionExpiration"]["NoncurrentDays"] for it in rules.values()} == {
            parameters.get("ReplacedRetentionDays", "90")
        }

    @pytest.mark.parametrize("parameters", [{}, RETENTION])
    def test_a_rule_has_days_or_removes_delete_markers_as_s3_requires(
        self, parameters: dict[str, str]
    ) -> None:
        for rule in _rules("InputBucket", **parameters).values():
            assert ("ExpirationInDays" in rule) is not rule.get("ExpiredObjectDeleteMarker", False)


def test_access_logs_are_written_if_a_bucket_is_named_each_under_a_prefix_of_its_own() -> None:
    assert [it for it in BUCKETS if "LoggingConfiguration" in _properties(it)] == []
    logging = [_properties(it, AccessLogBucket="logs")["LoggingConfiguration"] for it in BUCKETS]
    assert {it["DestinationBucketName"] for it in logging} == {"logs"}
    assert len({deployed.text_of(it["LogFilePrefix"]) for it in logging}) == 2


def test_every_role_has_the_boundary_and_every_role_and_policy_the_path() -> None:
    boundary = "arn:aws:iam::123456789012:policy/limits"
    given = {"PermissionsBoundaryArn": boundary, "RolePath": "/pipelines/", "KmsKeyArn": KEY}
    for role in _of_type("AWS::IAM::Role", **given):
        assert (role["PermissionsBoundary"], role["Path"]) == (boundary, "/pipelines/")
    for policy in _of_type("AWS::IAM::ManagedPolicy", **given):
        assert policy["Path"] == "/pipelines/"
    for role in _of_type("AWS::IAM::Role"):
        assert "PermissionsBoundary" not in role
        assert role["Path"] == "/"


def _everything() -> dict[str, Any]:
    return {
        logical_id: it.get("Properties", {}) for logical_id, it in effective.resources().items()
    }


def _key_stack() -> dict[str, Any]:
    document: dict[str, Any] = yaml_parse((deployed.ROOT / "key.yaml").read_text(encoding="utf-8"))
    return document


def _key_statements() -> list[dict[str, Any]]:
    statements = _key_stack()["Resources"]["Key"]["Properties"]["KeyPolicy"]["Statement"]
    return [it["Fn::If"][1] if "Fn::If" in it else it for it in statements]
