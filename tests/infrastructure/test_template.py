"""The deployed resources, read from the translated template."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import boto3
import pytest

from shared.scans import DETAIL_TYPE
from starter.app import MAX_RECEIVES
from tabular.writing.output_formats import DEFAULT_FORMAT, FORMATS
from tests.infrastructure import deployed, effective

# A resource's logical ID -> its type and its physical name.
NAMED = {
    "InputBucket": (
        "AWS::S3::Bucket",
        "data-pipeline-input-${AWS::AccountId}-${AWS::Region}-${Environment}",
    ),
    "OutputBucket": (
        "AWS::S3::Bucket",
        "data-pipeline-output-${AWS::AccountId}-${AWS::Region}-${Environment}",
    ),
    "ProcessingQueue": ("AWS::SQS::Queue", "data-processing-queue-${Environment}"),
    "DeadLetterQueue": ("AWS::SQS::Queue", "data-processing-dlq-${Environment}"),
    "MetadataTable": ("AWS::DynamoDB::Table", "pipeline-metadata-${Environment}"),
    "NotificationTopic": ("AWS::SNS::Topic", "pipeline-notifications-${Environment}"),
    "DLQAlarm": ("AWS::CloudWatch::Alarm", "pipeline-dlq-alarm-${Environment}"),
    "PipelineStateMachine": ("AWS::StepFunctions::StateMachine", "data-pipeline-${Environment}"),
}
NAME_PROPERTIES = {
    "AWS::S3::Bucket": "BucketName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
}
# Function -> its folder: ParseCsv is in functions/parse_csv.
STEPS = {
    "".join(word.capitalize() for word in path.parent.name.split("_")): path.parent.name
    for path in sorted((deployed.ROOT / "functions").glob("*/app.py"))
}
# Variables that libraries read. All others are the function's settings.
LIBRARY_VARIABLES = {
    "POLARS_MAX_THREADS",
    "POWERTOOLS_LOG_LEVEL",
    "POWERTOOLS_METRICS_NAMESPACE",
    "POWERTOOLS_SERVICE_NAME",
}
# Prints the folders among its arguments that can't be imported without the layer's libraries.
IMPORT_WITHOUT_ENGINE = """
import importlib, sys
sys.modules.update(polars=None, orjson=None)
for folder in sys.argv[1:]:
    try:
        importlib.import_module(f"{folder}.app")
    except ModuleNotFoundError as error:
        if error.name not in ("polars", "orjson"):
            raise
        print(folder)
"""


def _variables(function: Mapping[str, Any]) -> set[str]:
    return set(function["Environment"]["Variables"])


@pytest.mark.parametrize("logical_id", NAMED)
def test_a_resource_has_its_type_and_name(logical_id: str) -> None:
    kind, name = NAMED[logical_id]
    assert deployed.resource(logical_id)["Type"] == kind
    assert deployed.properties(logical_id)[NAME_PROPERTIES[kind]] == {"Fn::Sub": name}


ENGINE_FOR_PATTERNS = {"parse_csv"}
"""It imports the engine only for contracts with patterns, not when its module is imported."""


class TestFunctions:
    def test_every_folder_with_a_handler_has_a_function(self) -> None:
        assert set(deployed.functions()) == set(STEPS)

    @pytest.mark.parametrize(("step", "folder"), STEPS.items())
    def test_name_handler_and_service_follow_from_the_folder(self, step: str, folder: str) -> None:
        function = deployed.functions()[step]
        kebab = folder.replace("_", "-")
        assert function["FunctionName"] == {"Fn::Sub": f"data-pipeline-{kebab}-${{Environment}}"}
        assert function["Handler"] == f"{folder}.app.handler"
        assert function["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] == folder

    @pytest.mark.parametrize("step", STEPS)
    def test_it_runs_on_arm64_and_python_3_13_and_is_traced(self, step: str) -> None:
        function = deployed.functions()[step]
        assert function["Architectures"] == ["arm64"]
        assert function["Runtime"] == "python3.13"
        assert function["TracingConfig"] == {"Mode": "Active"}

    @pytest.mark.parametrize(("step", "folder"), STEPS.items())
    def test_it_logs_json_to_a_group_of_its_own_with_retention(
        self, step: str, folder: str
    ) -> None:
        logging = deployed.functions()[step]["LoggingConfig"]
        assert logging["LogFormat"] == "JSON"
        assert logging["LogGroup"] == {"Ref": f"{step}LogGroup"}
        kebab = folder.replace("_", "-")
        group = deployed.properties(f"{step}LogGroup")
        # Which key is in test_data_protection.py.
        assert {name: it for name, it in group.items() if name != "KmsKeyId"} == {
            "LogGroupName": {"Fn::Sub": f"/aws/lambda/data-pipeline-{kebab}-${{Environment}}"},
            "RetentionInDays": {"Ref": "LogRetentionDays"},
        }

    @pytest.mark.parametrize(("step", "folder"), STEPS.items())
    def test_its_variables_are_exactly_those_that_its_settings_read(
        self, step: str, folder: str
    ) -> None:
        settings = getattr(importlib.import_module(f"{folder}.app"), "Settings", None)
        read = {field.name.upper() for field in fields(settings)} if settings else set()
        assert _variables(deployed.functions()[step]) - LIBRARY_VARIABLES == read

    def test_exactly_the_functions_that_need_the_engine_have_its_layer(self) -> None:
        carrying = {STEPS[step] for step, it in deployed.functions().items() if it.get("Layers")}
        printed = subprocess.run(
            [sys.executable, "-c", IMPORT_WITHOUT_ENGINE, *STEPS.values()],
            cwd=deployed.ROOT / "functions",
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        assert set(printed.split()) | ENGINE_FOR_PATTERNS == carrying


class TestQueues:
    def test_a_message_stays_hidden_for_six_times_the_starters_timeout(self) -> None:
        timeout = deployed.functions()["Starter"]["Timeout"]
        assert deployed.properties("ProcessingQueue")["VisibilityTimeout"] >= 6 * timeout

    def test_a_message_that_cannot_be_handled_moves_to_the_dead_letter_queue(self) -> None:
        redrive = deployed.properties("ProcessingQueue")["RedrivePolicy"]
        assert deployed.text_of(redrive["deadLetterTargetArn"]) == "DeadLetterQueue.Arn"
        assert redrive["maxReceiveCount"] > MAX_RECEIVES

    def test_a_message_waits_for_hours_while_the_starter_is_throttled(self) -> None:
        queue = deployed.properties("ProcessingQueue")
        seconds = queue["VisibilityTimeout"] * queue["RedrivePolicy"]["maxReceiveCount"]
        assert 4 * 3600 <= seconds < queue["MessageRetentionPeriod"]

    def test_the_dead_letter_queue_keeps_messages_for_14_days_and_longer_than_the_other(
        self,
    ) -> None:
        dead = deployed.properties("DeadLetterQueue")["MessageRetentionPeriod"]
        assert dead == 14 * 24 * 3600
        assert deployed.properties("ProcessingQueue")["MessageRetentionPeriod"] < dead

    @pytest.mark.parametrize("queue", ["ProcessingQueue", "DeadLetterQueue"])
    def test_messages_are_encrypted(self, queue: str) -> None:
        properties = effective.resources()[queue]["Properties"]
        assert properties["SqsManagedSseEnabled"] is True

    def test_the_starter_takes_batches_and_reports_single_failures(self) -> None:
        mapping = deployed.properties("StarterFunctionQueue")
        assert deployed.text_of(mapping["EventSourceArn"]) == "ProcessingQueue.Arn"
        assert mapping["BatchSize"] == 10
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["ScalingConfig"]["MaximumConcurrency"] >= 2


class TestBuckets:
    def test_its_name_is_short_enough_in_every_region_and_environment(self) -> None:
        regions = {
            region
            for partition in boto3.Session().get_available_partitions()
            for region in boto3.Session().get_available_regions("s3", partition)
        }
        pattern = deployed.template().document["Parameters"]["Environment"]["AllowedPattern"]
        longest = max(length for length in range(64) if re.match(pattern, "x" * length))
        names = [
            deployed.properties(bucket)["BucketName"]["Fn::Sub"]
            .replace("${AWS::AccountId}", "1" * 12)
            .replace("${AWS::Region}", region)
            .replace("${Environment}", "x" * longest)
            for bucket in ("InputBucket", "OutputBucket")
            for region in regions
        ]
        assert "us-isof-south-1" in regions
        assert [name for name in names if len(name) > 63] == []

    @pytest.mark.parametrize(
        ("name", "allowed"),
        [
            *((name, True) for name in ("dev", "production", "team-a-dev", "x1", "plan", "an-x")),
            *((name, False) for name in ("an", "dev-an", "s3alias", "a--b", "a-", "A1", "1a", "a")),
        ],
    )
    def test_an_environment_never_gives_a_bucket_a_name_that_s3_reserves(
        self, name: str, allowed: bool
    ) -> None:
        pattern = deployed.template().document["Parameters"]["Environment"]["AllowedPattern"]
        assert bool(re.fullmatch(pattern, name)) is allowed

    @pytest.mark.parametrize("bucket", ["InputBucket", "OutputBucket"])
    def test_a_bucket_that_stays_keeps_its_policy(self, bucket: str) -> None:
        policy = deployed.resource(f"{bucket}Policy")
        kept = ("DeletionPolicy", "UpdateReplacePolicy")
        assert {it: policy[it] for it in kept} == {it: deployed.resource(bucket)[it] for it in kept}

    @pytest.mark.parametrize("bucket", ["InputBucket", "OutputBucket"])
    def test_nothing_is_public_or_unencrypted(self, bucket: str) -> None:
        properties = effective.resources()[bucket]["Properties"]
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        assert properties["OwnershipControls"] == {
            "Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]
        }
        (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}

    @pytest.mark.parametrize("resource", ["InputBucket", "OutputBucket", "MetadataTable"])
    def test_resources_with_data_outlive_the_stack_but_not_a_failed_first_deployment(
        self, resource: str
    ) -> None:
        assert deployed.resource(resource)["DeletionPolicy"] == "RetainExceptOnCreate"
        assert deployed.resource(resource)["UpdateReplacePolicy"] == "Retain"

    def test_the_input_bucket_keeps_versions(self) -> None:
        versioning = deployed.properties("InputBucket")["VersioningConfiguration"]
        assert versioning == {"Status": "Enabled"}

    def test_the_input_bucket_waits_for_the_queues_policy(self) -> None:
        assert "ProcessingQueuePolicy" in deployed.as_list(
            deployed.resource("InputBucket")["DependsOn"]
        )

    def test_every_upload_under_raw_is_notified(self) -> None:
        configurations = _notifications()
        filters = [it["Filter"]["S3Key"]["Rules"] for it in configurations]
        assert [{"Name": "prefix", "Value": "raw/"}] in filters
        assert {it["Event"] for it in configurations} == {"s3:ObjectCreated:*"}
        assert {deployed.text_of(it["Queue"]) for it in configurations} == {"ProcessingQueue.Arn"}

    def test_scan_results_take_the_place_of_the_notifications_if_the_parameter_is_set(self) -> None:
        prefixes = [
            it["Filter"]["S3Key"]["Rules"][0]["Value"]
            for it in _notifications(StartOnScanResult="true")
        ]
        assert prefixes == ["corrections/"]
        rule = effective.resources(StartOnScanResult="true")["ScanResultRule"]["Properties"]
        sample = json.loads((deployed.ROOT / "events/starter-scan-result.json").read_text())
        event = json.loads(sample["Records"][0]["body"])
        pattern = rule["EventPattern"]
        assert event["source"] in pattern["source"]
        assert event["detail-type"] in pattern["detail-type"] == [DETAIL_TYPE]
        assert pattern["detail"] == {
            "s3ObjectDetails": {
                "bucketName": [{"Ref": "InputBucket"}],
                "objectKey": [{"prefix": "raw/"}],
            }
        }
        (target,) = rule["Targets"]
        assert deployed.text_of(target["Arn"]) == "ProcessingQueue.Arn"
        assert deployed.text_of(target["DeadLetterConfig"]["Arn"]) == "DeadLetterQueue.Arn"
        assert "ScanResultRule" not in effective.resources()

    def test_no_notifications_overlap(self) -> None:
        prefixes = [it["Filter"]["S3Key"]["Rules"][0]["Value"] for it in _notifications()]
        overlaps = [
            (one, other)
            for one in prefixes
            for other in prefixes
            if one != other and other.startswith(one)
        ]
        assert overlaps == []

    def test_work_is_removed_a_day_after_the_last_possible_redrive(self) -> None:
        properties = effective.resources()["OutputBucket"]["Properties"]
        rules = properties["LifecycleConfiguration"]["Rules"]
        expiring = [it for it in rules if "ExpirationInDays" in it]
        assert [(it["Prefix"], it["ExpirationInDays"]) for it in expiring] == [("work/", 15)]


class TestTable:
    def test_it_is_paid_by_request_recoverable_and_encrypted(self) -> None:
        table = effective.resources()["MetadataTable"]["Properties"]
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["SSESpecification"] == {"SSEEnabled": True}

    def test_it_is_protected_from_deletion_if_the_parameter_is_set(self) -> None:
        protection = deployed.properties("MetadataTable")["DeletionProtectionEnabled"]
        assert protection == {"Fn::If": ["HasTableDeletionProtection", True, False]}
        condition = deployed.template().document["Conditions"]["HasTableDeletionProtection"]
        assert condition == {"Fn::Equals": [{"Ref": "TableDeletionProtection"}, "true"]}

    def test_its_indexes_answer_days_histories_and_failures(self) -> None:
        indexes = deployed.properties("MetadataTable")["GlobalSecondaryIndexes"]
        keys = {
            index["IndexName"]: [(it["AttributeName"], it["KeyType"]) for it in index["KeySchema"]]
            for index in indexes
        }
        assert keys == {
            "processed-at-index": [("processed_on", "HASH"), ("processed_at", "RANGE")],
            "source-index": [("source", "HASH"), ("sequencer", "RANGE")],
            "failures-index": [("failed_on", "HASH"), ("failed_at", "RANGE")],
        }
        assert {index["Projection"]["ProjectionType"] for index in indexes} == {"ALL"}


class TestNotifications:
    def test_the_alarm_reports_the_first_message_in_the_dead_letter_queue(self) -> None:
        alarm = deployed.properties("DLQAlarm")
        assert alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
        (dimension,) = alarm["Dimensions"]
        assert deployed.text_of(dimension["Value"]) == "DeadLetterQueue.QueueName"
        assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (
            1,
            "GreaterThanOrEqualToThreshold",
        )

    def test_email_is_sent_only_if_an_address_is_given(self) -> None:
        assert deployed.resource("EmailSubscription")["Condition"] == "HasNotificationEmail"
        condition = deployed.template().document["Conditions"]["HasNotificationEmail"]
        assert condition == {"Fn::Not": [{"Fn::Equals": [{"Ref": "NotificationEmail"}, ""]}]}

    @pytest.mark.parametrize(
        "resource",
        [
            "WebhookFunction",
            "WebhookRole",
            "WebhookLogGroup",
            "WebhookSubscription",
            "WebhookPermission",
        ],
    )
    def test_the_webhook_exists_only_if_a_secret_is_given(self, resource: str) -> None:
        assert deployed.resource(resource)["Condition"] == "HasWebhook"

    @pytest.mark.parametrize(
        ("given", "allowed"),
        [
            ("", True),
            ("chat", True),
            ("pipeline/chat-webhook_2@x.y+z=", True),
            ("arn:aws:secretsmanager:eu-central-1:123456789012:secret:chat-a1B2c3", True),
            ("arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:a/chat-a1B2c3", True),
            ("arn:aws:secretsmanager:eu-central-1:123456789012:secret:chat", False),
            ("arn:aws:ssm:eu-central-1:123456789012:parameter/chat", False),
            ("https://chat.example/services/T0/B0", False),
            ("*", False),
            ("chat*", False),
        ],
    )
    def test_the_webhook_is_given_by_the_name_or_arn_of_its_secret(
        self, given: str, allowed: bool
    ) -> None:
        pattern = deployed.template().document["Parameters"]["WebhookSecret"]["AllowedPattern"]
        assert bool(re.fullmatch(pattern, given)) is allowed

    @pytest.mark.parametrize(
        ("given", "allowed"),
        [
            ("default", True),
            ("my-bus.v2/files_x", True),
            ("", False),
            ("arn:aws:events:eu-central-1:123456789012:event-bus/files", False),
            ("*", False),
        ],
    )
    def test_the_bus_is_given_by_its_name(self, given: str, allowed: bool) -> None:
        pattern = deployed.template().document["Parameters"]["EventBusName"]["AllowedPattern"]
        assert bool(re.fullmatch(pattern, given)) is allowed

    @pytest.mark.parametrize("step", ["Webhook", "Uncaught"])
    def test_an_event_that_could_not_be_handled_goes_to_the_dead_letter_queue(
        self, step: str
    ) -> None:
        config = deployed.properties(f"{step}FunctionEventInvokeConfig")
        assert config["MaximumRetryAttempts"] == 2
        assert config["DestinationConfig"] == {
            "OnFailure": {"Destination": {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}}
        }

    def test_only_the_topic_may_invoke_the_webhook(self) -> None:
        permission = deployed.properties("WebhookPermission")
        assert permission["Principal"] == "sns.amazonaws.com"
        assert permission["SourceArn"] == {"Ref": "NotificationTopic"}


class TestStateMachine:
    def test_it_is_standard_logged_and_traced(self) -> None:
        machine = deployed.properties("PipelineStateMachine")
        assert machine["StateMachineType"] == "STANDARD"
        assert machine["LoggingConfiguration"]["Level"] == "ALL"
        assert machine["TracingConfiguration"] == {"Enabled": True}

    def test_its_logs_are_removed_with_time(self) -> None:
        group = deployed.properties("PipelineStateMachineLogGroup")
        assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}

    def test_executions_that_end_without_success_invoke_uncaught(self) -> None:
        pattern = deployed.properties("UncaughtRule")["EventPattern"]["detail"]
        assert pattern["stateMachineArn"] == [{"Ref": "PipelineStateMachine"}]
        assert set(pattern["status"]) == {"FAILED", "TIMED_OUT", "ABORTED"}

    def test_only_the_rule_may_invoke_uncaught_by_event(self) -> None:
        permission = deployed.properties("UncaughtPermission")
        assert permission["Principal"] == "events.amazonaws.com"
        assert deployed.text_of(permission["SourceArn"]) == "UncaughtRule.Arn"


def test_the_outputs_are_the_resources_that_an_operator_needs() -> None:
    """And policies, which are in test_policies_for_people.py."""
    outputs = deployed.template().document["Outputs"]
    referred = {name: it["Value"]["Ref"] for name, it in outputs.items()}
    assert {name: it for name, it in referred.items() if not it.endswith("Policy")} == {
        "InputBucketName": "InputBucket",
        "OutputBucketName": "OutputBucket",
        "ProcessingQueueUrl": "ProcessingQueue",
        "DeadLetterQueueUrl": "DeadLetterQueue",
        "NotificationTopicArn": "NotificationTopic",
        "StateMachineArn": "PipelineStateMachine",
        "MetadataTableName": "MetadataTable",
    }


def test_no_parameter_hides_its_value() -> None:
    """`sam deploy --guided` asks for a NoEcho parameter until it gets a value."""
    parameters = deployed.template().document["Parameters"]
    assert [name for name, it in parameters.items() if "NoEcho" in it] == []


def test_every_parameter_has_a_default_and_a_description() -> None:
    parameters = deployed.template().document["Parameters"]
    incomplete = [
        name for name, it in parameters.items() if not {"Default", "Description"} <= set(it)
    ]
    assert incomplete == []


def _notifications(**parameters: str) -> list[dict[str, Any]]:
    bucket = effective.resources(**parameters)["InputBucket"]["Properties"]
    configurations: list[dict[str, Any]] = bucket["NotificationConfiguration"][
        "QueueConfigurations"
    ]
    return configurations


def test_the_stack_can_choose_every_output_format_of_the_engine() -> None:
    parameter = deployed.template().document["Parameters"]["OutputFormat"]
    assert parameter["AllowedValues"] == list(FORMATS)
    assert parameter["Default"] == DEFAULT_FORMAT
