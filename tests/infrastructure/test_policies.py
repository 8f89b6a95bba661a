"""The permissions that the template grants, as far as it alone shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from notify.message import DETAIL_TYPES, EVENT_SOURCE
from tests.infrastructure import deployed, effective

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


@pytest.mark.parametrize("step", deployed.functions())
def test_a_function_may_write_its_own_log_and_no_other(step: str) -> None:
    logs = {grant for grant in deployed.grants(f"{step}Role") if grant.startswith("logs:")}
    assert logs == _own_logs(step)


def test_every_function_has_a_role_of_its_own() -> None:
    roles = {step: deployed.text_of(it["Role"]) for step, it in deployed.functions().items()}
    assert roles == {step: f"{step}Role.Arn" for step in roles}


@pytest.mark.parametrize("role", sorted(deployed.template().resources("AWS::IAM::Role")))
def test_no_role_has_a_managed_policy_except_the_tracing_policy(role: str) -> None:
    managed = [
        deployed.text_of(arn)
        for arn in effective.resources(WebhookSecret="a")[role]["Properties"]["ManagedPolicyArns"]
    ]
    assert managed in ([], ["TracingPolicy"])


def test_only_actions_without_resource_types_are_granted_on_everything() -> None:
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
def test_requests_without_tls_are_denied(policy: str, resources: list[str]) -> None:
    (denied,) = [it for it in _policy(policy) if it["Effect"] == "Deny"]
    assert denied["Principal"] == "*"
    assert denied["Condition"] == PLAIN_HTTP
    assert [deployed.text_of(it) for it in deployed.as_list(denied["Resource"])] == resources


def test_only_the_input_bucket_of_this_account_may_send_events_to_the_queue() -> None:
    policy = effective.resources()["ProcessingQueuePolicy"]["Properties"]["PolicyDocument"]
    (allowed,) = [it for it in policy["Statement"] if it["Effect"] == "Allow"]
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


SCANS = {"StartOnScanResult": "true"}


RULES = ("FreshnessRule", "ScanResultRule", "UncaughtRule")


@pytest.mark.parametrize(
    ("queue", "parameters", "rules"),
    [
        ("ProcessingQueue", {}, set()),
        ("ProcessingQueue", SCANS, {"ScanResultRule"}),
        ("DeadLetterQueue", {}, {"FreshnessRule", "UncaughtRule"}),
        ("DeadLetterQueue", SCANS, {"FreshnessRule", "UncaughtRule", "ScanResultRule"}),
    ],
)
def test_only_rules_of_the_stack_may_send_to_the_queues(
    queue: str, parameters: dict[str, str], rules: set[str]
) -> None:
    resources = effective.resources(**parameters)
    statements = resources[f"{queue}Policy"]["Properties"]["PolicyDocument"]["Statement"]
    allowed = [it for it in statements if "events.amazonaws.com" in str(it["Principal"])]
    assert {it["Action"] for it in allowed} <= {"sqs:SendMessage"}
    assert {deployed.text_of(it["Resource"]) for it in allowed} <= {f"{queue}.Arn"}
    conditions = [it["Condition"] for it in allowed]
    account = {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert all(it["StringEquals"] == account for it in conditions)
    found = {
        _rule_of(arn, resources)
        for condition in conditions
        for arn in _list(condition["ArnEquals"]["aws:SourceArn"])
    }
    assert found == rules


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _rule_of(arn: Mapping[str, Any], resources: Mapping[str, Any]) -> str:
    """The logical ID of the rule whose ARN this is: by reference, or made of its whole name."""
    if "Fn::GetAtt" in arn:
        return str(arn["Fn::GetAtt"][0])
    prefix = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/"
    names = {
        resources[rule]["Properties"]["Name"]["Fn::Sub"]: rule
        for rule in RULES
        if rule in resources
    }
    return names[arn["Fn::Sub"].removeprefix(prefix)]


@pytest.mark.parametrize("rule", RULES)
def test_an_event_that_a_rule_can_not_deliver_goes_to_the_dead_letter_queue(rule: str) -> None:
    (target,) = effective.resources(**SCANS)[rule]["Properties"]["Targets"]
    assert deployed.text_of(target["DeadLetterConfig"]["Arn"]) == "DeadLetterQueue.Arn"


def test_a_check_of_freshness_is_not_retried_beyond_the_next_one() -> None:
    rule = deployed.properties("FreshnessRule")
    assert rule["ScheduleExpression"] == "rate(15 minutes)"
    assert rule["Targets"][0]["RetryPolicy"] == {"MaximumEventAgeInSeconds": 15 * 60}


@pytest.mark.parametrize(
    ("role", "sids"),
    [
        ("StarterRole", {"DescribeScannedFiles", "DistinguishMissingFiles"}),
        ("ParseCsvRole", {"ReadScanResults"}),
    ],
)
def test_scans_add_permissions_only_if_files_start_by_them(role: str, sids: set[str]) -> None:
    def statements(**parameters: str) -> set[str]:
        (policy,) = effective.resources(**parameters)[role]["Properties"]["Policies"]
        return {it["Sid"] for it in policy["PolicyDocument"]["Statement"]}

    assert statements(**SCANS) - statements() == sids


@pytest.mark.parametrize("role", ["UploadPolicy", "ContractOwnerPolicy", "OperatorPolicy"])
def test_nobody_may_write_the_tag_by_which_a_scan_lets_a_file_pass(role: str) -> None:
    assert "ObjectTagging" not in str(deployed.properties(role)).replace("GetObjectTagging", "")


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


def test_only_alarms_of_this_account_may_publish_besides_the_roles() -> None:
    """Which alarms is checked in test_alarms.py."""
    (allowed,) = [it for it in _policy("NotificationTopicPolicy") if it["Effect"] == "Allow"]
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allowed["Action"] == "sns:Publish"
    assert allowed["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}


def test_notify_may_put_the_three_kinds_of_events_on_this_bus_alone() -> None:
    (statement,) = [it for it in deployed.statements("NotifyRole") if it["Sid"] == "PutEvents"]
    assert statement["Action"] == "events:PutEvents"
    bus = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/${EventBusName}"
    assert statement["Resource"] == {"Fn::Sub": bus}
    assert statement["Condition"] == {
        "StringEquals": {
            "events:source": EVENT_SOURCE,
            "events:detail-type": [*DETAIL_TYPES.values()],
        }
    }
    granted = {
        role
        for role in deployed.template().resources("AWS::IAM::Role")
        if any(it.startswith("events:") for it in deployed.grants(role))
    }
    assert granted == {"NotifyRole"}


def _policy(logical_id: str) -> list[dict[str, Any]]:
    """A policy's statements, without those that depend on a condition."""
    statements: list[dict[str, Any]] = deployed.properties(logical_id)["PolicyDocument"][
        "Statement"
    ]
    return [it for it in statements if "Fn::If" not in it]
