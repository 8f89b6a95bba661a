"""Rights on the embedded AWS: of users, of sessions of roles, and of services."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipectl.client.deployment import Deployment
from pipectl.embedded.process import StackProcess
from pipectl.embedded.rights.enforcement import Refusal
from pipectl.embedded.template import ACCOUNT, REGION

HERE = f"{REGION}:{ACCOUNT}"
BUCKET = "arn:aws:s3:::probe-notes"
MACHINE = f"arn:aws:states:{HERE}:stateMachine:probe-machine"


def allow(action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [*statements]})


def with_key(probe: StackProcess, access_key: str) -> Any:
    """The clients of whoever has an access key."""
    return Deployment.embedded(str(probe.deployment.endpoint), REGION, "probe", access_key).client


def user(probe: StackProcess, *statements: dict[str, Any]) -> tuple[str, Any]:
    """The ARN of a new user with these statements, and the user's clients."""
    iam, name = probe.client("iam"), f"user-{uuid.uuid4()}"
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    if statements:
        policy = document(*statements)
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    return arn, with_key(probe, key)


def role(probe: StackProcess, trust: dict[str, Any], *statements: dict[str, Any]) -> str:
    """The ARN of a new role."""
    iam, name = probe.client("iam"), f"role-{uuid.uuid4()}"
    trusting = {"Effect": "Allow", "Action": "sts:AssumeRole", **trust}
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trusting))
    if statements:
        policy = document(*statements)
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
    arn: str = made["Role"]["Arn"]
    return arn


def refused(probe: StackProcess, text: str, patience: float = 10) -> Refusal:
    """Wait for the refusal whose message has a text."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = [it for it in probe.refusals() if text in it.message]
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError(f"nothing was refused for {text}")


QUEUE_URL = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/probe-queue"
CALLS: list[tuple[str, Callable[[Any], Any], str, int, str, str]] = [
    ("s3", lambda c: c.get_object(Bucket="probe-notes", Key="a"),
     "AccessDenied", 403, "s3:GetObject", f'"{BUCKET}/a"'),
    ("s3", lambda c: c.list_objects_v2(Bucket="probe-notes"),
     "AccessDenied", 403, "s3:ListBucket", f'"{BUCKET}"'),
    ("sqs", lambda c: c.send_message(QueueUrl=QUEUE_URL, MessageBody="a"),
     "AccessDenied", 403, "sqs:SendMessage", f"arn:aws:sqs:{HERE}:probe-queue"),
    ("sns", lambda c: c.publish(TopicArn=f"arn:aws:sns:{HERE}:other", Message="a"),
     "AuthorizationError", 403, "sns:Publish", f"arn:aws:sns:{HERE}:other"),
    ("lambda", lambda c: c.invoke(FunctionName="probe-actor"),
     "AccessDeniedException", 403, "lambda:InvokeFunction",
     f"arn:aws:lambda:{HERE}:function:probe-actor"),
    ("stepfunctions", lambda c: c.start_execution(stateMachineArn=MACHINE),
     "AccessDeniedException", 400, "states:StartExecution", MACHINE),
    ("dynamodb", lambda c: c.get_item(TableName="t", Key={"k": {"S": "v"}}),
     "AccessDeniedException", 400, "dynamodb:GetItem", f"arn:aws:dynamodb:{HERE}:table/t"),
    ("events", lambda c: c.put_events(Entries=[{"Source": "a", "DetailType": "b", "Detail": "{}"}]),
     "AccessDeniedException", 400, "events:PutEvents", f"arn:aws:events:{HERE}:event-bus/default"),
    ("glue", lambda c: c.get_table(DatabaseName="d", Name="t"),
     "AccessDeniedException", 400, "glue:GetTable", f"arn:aws:glue:{HERE}:catalog"),
    ("secretsmanager", lambda c: c.get_secret_value(SecretId="s"),
     "AccessDeniedException", 400, "secretsmanager:GetSecretValue",
     f"arn:aws:secretsmanager:{HERE}:secret:s-??????"),
    ("kms", lambda c: c.decrypt(CiphertextBlob=b"a", KeyId="k"),
     "AccessDeniedException", 400, "kms:Decrypt", f"arn:aws:kms:{HERE}:key/k"),
    ("cloudformation", lambda c: c.describe_stacks(StackName="data-pipeline"),
     "AccessDenied", 403, "cloudformation:DescribeStacks",
     f"arn:aws:cloudformation:{HERE}:stack/data-pipeline/*"),
]  # fmt: skip


@pytest.fixture(scope="module")
def nobody(probe: StackProcess) -> tuple[str, Any]:
    return user(probe)


@pytest.mark.parametrize(("service", "call", "code", "status", "action", "resource"), CALLS)
def test_every_service_refuses_in_its_own_protocol(  # noqa: PLR0917  # the columns of a table
    nobody: tuple[str, Any],
    service: str,
    call: Callable[[Any], Any],
    code: str,
    status: int,
    action: str,
    resource: str,
) -> None:
    arn, client = nobody
    with pytest.raises(ClientError) as refusal:
        call(client(service))
    answer = refusal.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
    kind = "resource-based" if service == "kms" else "identity-based"
    assert answer["Error"]["Message"] == (
        f"User: {arn} is not authorized to perform: {action} on resource: {resource} because no"
        f" {kind} policy allows the {action} action"
    )


def test_a_head_request_is_refused_without_a_text(nobody: tuple[str, Any]) -> None:
    with pytest.raises(ClientError, match="403"):
        nobody[1]("s3").head_object(Bucket="probe-notes", Key="a")


def test_an_operation_that_is_not_known_is_refused_and_named(nobody: tuple[str, Any]) -> None:
    with pytest.raises(ClientError, match=r"perform: s3:GET bucket \?cors because"):
        nobody[1]("s3").get_bucket_cors(Bucket="probe-notes")


def test_everybody_may_ask_who_they_are(nobody: tuple[str, Any]) -> None:
    assert nobody[1]("sts").get_caller_identity()["Account"] == ACCOUNT


@pytest.mark.parametrize("method", ["get_object", "head_object"])
def test_a_missing_object_is_denied_without_the_permission_to_list(
    probe: StackProcess, method: str
) -> None:
    reading = allow("s3:GetObject", f"{BUCKET}/*")
    listing = allow("s3:ListBucket", BUCKET)
    some = allow("s3:ListBucket", BUCKET, Condition={"StringLike": {"s3:prefix": "*"}})
    codes = []
    for statements in ([reading], [reading, some], [reading, listing]):
        s3 = user(probe, *statements)[1]("s3")
        with pytest.raises(ClientError) as refusal:
            getattr(s3, method)(Bucket="probe-notes", Key="nowhere")
        codes.append(refusal.value.response["ResponseMetadata"]["HTTPStatusCode"])
    # A condition on the prefix is not met: reading an object has none.
    assert codes == [403, 403, 404]


def test_a_policy_that_changes_has_its_effect_at_once(probe: StackProcess) -> None:
    arn, client = user(probe, allow("s3:PutObject", f"{BUCKET}/*"))
    client("s3").put_object(Bucket="probe-notes", Key="rights/a", Body=b"a")
    probe.client("iam").delete_user_policy(UserName=arn.rpartition("/")[2], PolicyName="own")
    with pytest.raises(ClientError, match="s3:PutObject"):
        client("s3").put_object(Bucket="probe-notes", Key="rights/a", Body=b"a")


def test_a_bucket_policy_allows_and_denies(probe: StackProcess) -> None:
    admin, (arn, client) = probe.client("s3"), user(probe)
    admin.create_bucket(Bucket="probe-policies")
    everything = "arn:aws:s3:::probe-policies/*"
    allowed = allow("s3:PutObject", everything, Principal={"AWS": arn})
    denied = allow("s3:PutObject", f"{everything[:-1]}never", Principal="*") | {"Effect": "Deny"}
    plain = {"Bool": {"aws:SecureTransport": "false"}}
    plain_http = allow("s3:*", everything, Principal="*", Condition=plain) | {"Effect": "Deny"}
    admin.put_bucket_policy(Bucket="probe-policies", Policy=document(allowed, denied, plain_http))
    client("s3").put_object(Bucket="probe-policies", Key="a", Body=b"a")
    for s3 in (client("s3"), admin):
        with pytest.raises(ClientError, match="with an explicit deny in a resource-based policy"):
            s3.put_object(Bucket="probe-policies", Key="never", Body=b"a")


def test_a_session_of_a_role_has_the_rights_of_the_role(probe: StackProcess) -> None:
    arn, client = user(probe, allow("sts:AssumeRole", "*"))
    trusting = role(probe, {"Principal": {"AWS": arn}}, allow("s3:ListBucket", BUCKET))
    other = role(probe, {"Principal": {"Service": "lambda.amazonaws.com"}})
    with pytest.raises(ClientError, match="because no role trust policy allows the sts:AssumeRole"):
        client("sts").assume_role(RoleArn=other, RoleSessionName="me")
    session = client("sts").assume_role(RoleArn=trusting, RoleSessionName="me")["Credentials"]
    assumed = with_key(probe, session["AccessKeyId"])
    assert assumed("s3").list_objects_v2(Bucket="probe-notes")["Name"] == "probe-notes"
    name = trusting.rpartition("/")[2]
    user_text = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{name}/me is not authorized"
    with pytest.raises(ClientError, match=user_text):
        assumed("s3").get_object(Bucket="probe-notes", Key="a")


def test_a_permissions_boundary_limits_a_role(probe: StackProcess) -> None:
    iam = probe.client("iam")
    trusting = role(
        probe, {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}, allow("s3:*", "*")
    )
    policy = iam.create_policy(
        PolicyName=f"limit-{uuid.uuid4()}", PolicyDocument=document(allow("s3:ListBucket", "*"))
    )["Policy"]["Arn"]
    iam.put_role_permissions_boundary(
        RoleName=trusting.rpartition("/")[2], PermissionsBoundary=policy
    )
    session = probe.client("sts").assume_role(RoleArn=trusting, RoleSessionName="me")
    s3 = with_key(probe, session["Credentials"]["AccessKeyId"])("s3")
    s3.list_objects_v2(Bucket="probe-notes")
    with pytest.raises(
        ClientError, match="because no permissions boundary allows the s3:GetObject"
    ):
        s3.get_object(Bucket="probe-notes", Key="a")


# Services


def test_a_bucket_sends_no_events_to_a_queue_that_does_not_allow_it(probe: StackProcess) -> None:
    s3, sqs = probe.client("s3"), probe.client("sqs")
    url = sqs.create_queue(QueueName="probe-closed")["QueueUrl"]
    queue = f"arn:aws:sqs:{HERE}:probe-closed"
    s3.create_bucket(Bucket="probe-sender")
    s3.put_bucket_notification_configuration(
        Bucket="probe-sender",
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": queue, "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    s3.put_object(Bucket="probe-sender", Key="a", Body=b"a")
    refusal = refused(probe, queue)
    assert refusal.message.startswith(
        "User: s3.amazonaws.com is not authorized to perform: sqs:Send"
    )
    assert refusal.remedy == (
        f'Add to the policy of {queue}: {{"Effect": "Allow", "Principal": {{"Service":'
        f' "s3.amazonaws.com"}}, "Action": "sqs:SendMessage", "Resource": "{queue}"}}'
    )
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_a_topic_and_a_rule_reach_only_what_allows_them(probe: StackProcess) -> None:
    sns, events, sqs = (probe.client(name) for name in ("sns", "events", "sqs"))
    url = sqs.create_queue(QueueName="probe-unreached")["QueueUrl"]
    queue = f"arn:aws:sqs:{HERE}:probe-unreached"
    topic = sns.create_topic(Name="probe-unheard")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    sns.publish(TopicArn=topic, Message="a")
    pattern = json.dumps({"source": ["probe-unheard"]})
    events.put_rule(Name="probe-unheard", EventPattern=pattern)
    actor = f"arn:aws:lambda:{HERE}:function:probe-actor"
    targets = [{"Id": "queue", "Arn": queue}, {"Id": "function", "Arn": actor}]
    events.put_targets(Rule="probe-unheard", Targets=targets)
    events.put_events(Entries=[{"Source": "probe-unheard", "DetailType": "a", "Detail": "{}"}])
    for service, target in (("sns", queue), ("events", queue), ("events", actor)):
        refused(probe, f"User: {service}.amazonaws.com is not authorized to perform: ")
        assert any(
            f"{service}.amazonaws.com" in it.message and target in it.message
            for it in probe.refusals()
        )
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


STATES = {"Principal": {"Service": "states.amazonaws.com"}}
INVOKE = allow("lambda:InvokeFunction", "*")
RUN_CHILDREN = allow(["states:StartExecution", "states:DescribeExecution"], "*")


def run(probe: StackProcess, role_arn: str, name: str, state: dict[str, Any]) -> dict[str, Any]:
    """What a state machine of one state ends with."""
    sfn = probe.client("stepfunctions")
    definition = {"StartAt": "Only", "States": {"Only": {**state, "End": True}}}
    machine = sfn.create_state_machine(
        name=name, definition=json.dumps(definition), roleArn=role_arn
    )["stateMachineArn"]
    arn = sfn.start_execution(stateMachineArn=machine, input='{"items": [1]}')["executionArn"]
    deadline = time.monotonic() + 20
    while (found := sfn.describe_execution(executionArn=arn))["status"] == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    described: dict[str, Any] = found
    return described


TASK = {
    "Type": "Task",
    "Resource": "arn:aws:states:::lambda:invoke",
    "Parameters": {"FunctionName": "probe-actor", "Payload": {}},
}


@pytest.mark.parametrize(("statements", "status"), [([], "FAILED"), ([INVOKE], "SUCCEEDED")])
def test_a_state_has_the_rights_of_the_machines_role(
    probe: StackProcess, statements: list[dict[str, Any]], status: str
) -> None:
    name = f"probe-{uuid.uuid4()}"
    ended = run(probe, role(probe, STATES, *statements), name, TASK)
    assert ended["status"] == status
    if status == "FAILED":
        assert ended["error"].startswith("Lambda.")
        assert "/states is not authorized to perform: lambda:InvokeFunction" in ended["cause"]


SPLITS = {
    "Type": "Map",
    "Label": "Each",
    "ItemsPath": "$.items",
    "ItemProcessor": {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Item",
        "States": {"Item": {"Type": "Pass", "End": True}},
    },
}


@pytest.mark.parametrize(
    ("sources", "statements", "text"),
    [
        (["{0}", "{0}/*"], [RUN_CHILDREN], None),
        (["{0}", "{0}/*"], [], "is not authorized to perform: states:StartExecution"),
        (["{0}"], [RUN_CHILDREN], "states.amazonaws.com is not authorized to perform: sts:"),
    ],
)  # fmt: skip
def test_the_executions_of_a_map_need_the_role_and_its_trust(
    probe: StackProcess, sources: list[str], statements: list[dict[str, Any]], text: str | None
) -> None:
    """They belong to the machine `<name>/<label>`."""
    name = f"probe-{uuid.uuid4()}"
    machine = f"arn:aws:states:{HERE}:stateMachine:{name}"
    from_machine = {"ArnLike": {"aws:SourceArn": [source.format(machine) for source in sources]}}
    trusting = role(probe, {**STATES, "Condition": from_machine}, *statements)
    ended = run(probe, trusting, name, SPLITS)
    assert ended["status"] == ("SUCCEEDED" if text is None else "FAILED")
    if text is not None:
        assert any(text in it.message for it in probe.refusals())
