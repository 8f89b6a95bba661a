"""Who may do what. A permission that is added or lost changes one of these tables."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.infrastructure import deployed

# The secret of this name or ARN; the six characters are those that its ARN ends with.
WEBHOOK_SECRET = json.dumps(
    {
        "Fn::If": [
            "HasWebhookSecretArn",
            {"Ref": "WebhookSecret"},
            {
                "Fn::Sub": "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:"
                "secret:${WebhookSecret}-??????"
            },
        ]
    }
)
GRANTS = {
    "Starter": {
        "dynamodb:GetItem MetadataTable.Arn",
        "dynamodb:Query ${MetadataTable.Arn}/index/source-index",
        "sqs:DeleteMessage ProcessingQueue.Arn",
        "sqs:GetQueueAttributes ProcessingQueue.Arn",
        "sqs:ReceiveMessage ProcessingQueue.Arn",
        "sqs:SendMessage DeadLetterQueue.Arn",
        "states:DescribeExecution states:execution:data-pipeline-${Environment}:*",
        "states:StartExecution PipelineStateMachine",
    },
    "ParseCsv": {
        "dynamodb:GetItem MetadataTable.Arn",
        "s3:GetObject ${InputBucket.Arn}/contracts/*",
        "s3:GetObject ${InputBucket.Arn}/processed/*",
        "s3:GetObjectVersion ${InputBucket.Arn}/processed/*",
        "s3:GetObject ${OutputBucket.Arn}/rejected/*",
        "s3:GetObjectVersion ${InputBucket.Arn}/raw/*",
        "s3:ListBucket InputBucket.Arn",
        "s3:ListBucketVersions InputBucket.Arn",
        "s3:ListBucket OutputBucket.Arn",
        "s3:PutObject ${OutputBucket.Arn}/work/*",
    },
    "MeasureSplit": {
        "s3:GetObject ${OutputBucket.Arn}/work/*",
        "s3:GetObjectVersion ${InputBucket.Arn}/processed/*",
        "s3:GetObjectVersion ${InputBucket.Arn}/raw/*",
        "s3:ListBucket InputBucket.Arn",
        "s3:PutObject ${OutputBucket.Arn}/work/*",
    },
    "NumberSplits": {
        "s3:GetObject ${OutputBucket.Arn}/work/*",
        "s3:PutObject ${OutputBucket.Arn}/work/*",
    },
    "Transform": {
        "s3:AbortMultipartUpload ${OutputBucket.Arn}/work/*",
        "s3:GetObject ${OutputBucket.Arn}/work/*",
        "s3:GetObjectVersion ${InputBucket.Arn}/processed/*",
        "s3:GetObjectVersion ${InputBucket.Arn}/raw/*",
        "s3:ListBucket InputBucket.Arn",
        "s3:ListBucket OutputBucket.Arn",
        "s3:PutObject ${OutputBucket.Arn}/work/*",
    },
    "WriteOutput": {
        "s3:DeleteObject ${OutputBucket.Arn}/processed/*",
        "s3:DeleteObject ${OutputBucket.Arn}/rejected/*",
        "s3:GetObject ${OutputBucket.Arn}/rejected/*",
        "s3:GetObject ${OutputBucket.Arn}/work/*",
        "s3:ListBucket OutputBucket.Arn",
        "s3:PutObject ${OutputBucket.Arn}/processed/*",
        "s3:PutObject ${OutputBucket.Arn}/rejected/*",
    },
    "Summarize": {
        "s3:GetObject ${OutputBucket.Arn}/work/*",
        "s3:PutObject ${OutputBucket.Arn}/reports/*",
    },
    "RecordMetadata": {
        "dynamodb:GetItem MetadataTable.Arn",
        "dynamodb:PutItem MetadataTable.Arn",
        "s3:ListBucket InputBucket.Arn",
    },
    "Notify": {
        "dynamodb:GetItem MetadataTable.Arn",
        "dynamodb:UpdateItem MetadataTable.Arn",
        "sns:Publish NotificationTopic",
    },
    "ArchiveSource": {
        "dynamodb:UpdateItem MetadataTable.Arn",
        "s3:DeleteObjectVersion ${InputBucket.Arn}/raw/*",
        "s3:GetObject ${InputBucket.Arn}/processed/*",
        "s3:GetObjectVersion ${InputBucket.Arn}/raw/*",
        "s3:GetObjectVersionTagging ${InputBucket.Arn}/raw/*",
        "s3:ListBucket InputBucket.Arn",
        "s3:PutObject ${InputBucket.Arn}/processed/*",
        "s3:PutObjectTagging ${InputBucket.Arn}/processed/*",
    },
    "SplitFailure": {
        "s3:GetObject ${OutputBucket.Arn}/work/*",
        "s3:ListBucket OutputBucket.Arn",
    },
    "FailureGate": set(),
    "Uncaught": {
        "dynamodb:GetItem MetadataTable.Arn",
        "lambda:InvokeFunction NotifyFunction.Arn",
        "lambda:InvokeFunction RecordMetadataFunction.Arn",
        "sqs:SendMessage DeadLetterQueue.Arn",
        "states:DescribeExecution states:execution:data-pipeline-${Environment}:*",
        "states:GetExecutionHistory states:execution:data-pipeline-${Environment}:*",
    },
    "Webhook": {
        f"secretsmanager:GetSecretValue {WEBHOOK_SECRET}",
        "sqs:SendMessage DeadLetterQueue.Arn",
    },
}

STATE_MACHINE_GRANTS = {
    "lambda:InvokeFunction ArchiveSourceFunction.Arn",
    "lambda:InvokeFunction FailureGateFunction.Arn",
    "lambda:InvokeFunction MeasureSplitFunction.Arn",
    "lambda:InvokeFunction NotifyFunction.Arn",
    "lambda:InvokeFunction NumberSplitsFunction.Arn",
    "lambda:InvokeFunction ParseCsvFunction.Arn",
    "lambda:InvokeFunction RecordMetadataFunction.Arn",
    "lambda:InvokeFunction SplitFailureFunction.Arn",
    "lambda:InvokeFunction SummarizeFunction.Arn",
    "lambda:InvokeFunction TransformFunction.Arn",
    "lambda:InvokeFunction WriteOutputFunction.Arn",
    "logs:CreateLogDelivery *",
    "logs:DeleteLogDelivery *",
    "logs:DescribeLogGroups *",
    "logs:DescribeResourcePolicies *",
    "logs:GetLogDelivery *",
    "logs:ListLogDeliveries *",
    "logs:PutResourcePolicy *",
    "logs:UpdateLogDelivery *",
    "s3:AbortMultipartUpload ${OutputBucket.Arn}/work/*",
    "s3:GetObject ${OutputBucket.Arn}/work/*",
    "s3:ListMultipartUploadParts ${OutputBucket.Arn}/work/*",
    "s3:PutObject ${OutputBucket.Arn}/work/*",
    "sqs:SendMessage DeadLetterQueue.Arn",
    "states:DescribeExecution states:execution:data-pipeline-${Environment}/*:*",
    "states:DescribeExecution states:execution:data-pipeline-${Environment}:*",
    "states:RedriveExecution states:execution:data-pipeline-${Environment}/*:*",
    "states:StartExecution states:stateMachine:data-pipeline-${Environment}",
    "states:StopExecution states:execution:data-pipeline-${Environment}/*:*",
    "states:StopExecution states:execution:data-pipeline-${Environment}:*",
    "xray:GetSamplingRules *",
    "xray:GetSamplingTargets *",
    "xray:PutTelemetryRecords *",
    "xray:PutTraceSegments *",
}

# The only actions granted on everything. The service authorization reference lists no resource
# types for them: https://docs.aws.amazon.com/service-authorization/latest/reference/
WITHOUT_RESOURCES = {
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}

PLAIN_HTTP = {"Bool": {"aws:SecureTransport": "false"}}


def _own_logs(step: str) -> set[str]:
    return {f"logs:{action} {step}LogGroup.Arn" for action in ("CreateLogStream", "PutLogEvents")}


def test_every_function_is_in_the_table() -> None:
    assert set(deployed.functions()) == set(GRANTS)


@pytest.mark.parametrize("step", GRANTS)
def test_a_function_may_do_what_its_step_does_and_write_its_own_log(step: str) -> None:
    assert deployed.grants(f"{step}Role") == GRANTS[step] | _own_logs(step)


def test_the_state_machine_may_run_its_steps_and_splits_and_nothing_else() -> None:
    assert deployed.grants("PipelineStateMachineRole") == STATE_MACHINE_GRANTS


def test_every_function_has_a_role_of_its_own() -> None:
    roles = {step: deployed.text_of(it["Role"]) for step, it in deployed.functions().items()}
    assert roles == {step: f"{step}Role.Arn" for step in roles}


@pytest.mark.parametrize("role", sorted(deployed.template().resources("AWS::IAM::Role")))
def test_no_role_has_a_managed_policy_but_that_for_traces(role: str) -> None:
    managed = [
        deployed.text_of(arn) for arn in deployed.properties(role).get("ManagedPolicyArns", [])
    ]
    assert managed in ([], ["TracingPolicy"])


def test_only_actions_that_know_no_resources_are_granted_on_everything() -> None:
    roles = deployed.template().resources("AWS::IAM::Role")
    granted = {grant for role in roles for grant in deployed.grants(role)}
    tracing = deployed.properties("TracingPolicy")["PolicyDocument"]["Statement"]
    granted |= {f"{action} {it['Resource']}" for it in tracing for action in it["Action"]}
    assert {grant[:-2] for grant in granted if grant.endswith(" *")} == WITHOUT_RESOURCES


def test_no_action_is_a_wildcard() -> None:
    roles = deployed.template().resources("AWS::IAM::Role")
    assert not [
        grant for role in roles for grant in deployed.grants(role) if "*" in grant.split()[0]
    ]


@pytest.mark.parametrize(
    ("policy", "resources"),
    [
        ("InputBucketPolicy", ["InputBucket.Arn", "${InputBucket.Arn}/*"]),
        ("OutputBucketPolicy", ["OutputBucket.Arn", "${OutputBucket.Arn}/*"]),
        ("ProcessingQueuePolicy", ["ProcessingQueue.Arn"]),
        ("DeadLetterQueuePolicy", ["DeadLetterQueue.Arn"]),
        ("NotificationTopicPolicy", ["NotificationTopic"]),
    ],
)
def test_nobody_gets_in_without_tls(policy: str, resources: list[str]) -> None:
    (denied,) = [it for it in _policy(policy) if it["Effect"] == "Deny"]
    assert denied["Principal"] == "*"
    assert denied["Condition"] == PLAIN_HTTP
    assert [deployed.text_of(it) for it in deployed.as_list(denied["Resource"])] == resources


def test_only_the_input_bucket_of_this_account_may_send_events_to_the_queue() -> None:
    (allowed,) = [it for it in _policy("ProcessingQueuePolicy") if it["Effect"] == "Allow"]
    assert allowed["Principal"] == {"Service": "s3.amazonaws.com"}
    assert allowed["Action"] == "sqs:SendMessage"
    assert allowed["Condition"] == {
        "ArnEquals": {
            "aws:SourceArn": {
                "Fn::Sub": "arn:${AWS::Partition}:s3:::"
                "data-pipeline-input-${AWS::AccountId}-${AWS::Region}-${Environment}"
            }
        },
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
    }


def test_the_machines_role_is_assumed_for_the_machine_and_for_its_split_executions() -> None:
    """And for Step Functions' X-Ray daemon, which sends no SourceArn; all from this account."""
    trust = deployed.properties("PipelineStateMachineRole")["AssumeRolePolicyDocument"]
    (statement,) = trust["Statement"]
    machine = (
        "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:"
        "stateMachine:data-pipeline-${Environment}"
    )
    assert statement["Condition"] == {
        "ArnLikeIfExists": {
            "aws:SourceArn": [{"Fn::Sub": machine}, {"Fn::Sub": f"{machine}/*"}],
        },
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
    }


def test_only_this_alarm_of_this_account_may_publish_besides_the_roles() -> None:
    (allowed,) = [it for it in _policy("NotificationTopicPolicy") if it["Effect"] == "Allow"]
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allowed["Action"] == "sns:Publish"
    source = allowed["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::Sub"]
    assert source.endswith(":alarm:pipeline-dlq-alarm-${Environment}")
    assert allowed["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}


def _policy(logical_id: str) -> list[dict[str, Any]]:
    statements: list[dict[str, Any]] = deployed.properties(logical_id)["PolicyDocument"][
        "Statement"
    ]
    return statements
