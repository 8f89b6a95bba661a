"""One address for every service, over connections that stay open."""

from __future__ import annotations

import http.client
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from pipectl.client.controls import TOKEN_HEADER
from pipectl.embedded.process import StackProcess


def connection(probe: StackProcess) -> http.client.HTTPConnection:
    """A connection to the stack's endpoint."""
    return http.client.HTTPConnection(urlsplit(probe.deployment.endpoint or "").netloc, timeout=10)


def test_an_unread_body_does_not_corrupt_the_next_request(probe: StackProcess) -> None:
    wire = connection(probe)
    headers = {TOKEN_HEADER: probe.token}
    for _ in range(3):
        wire.request("POST", "/_embedded/no-such-thing", body=b"x" * 100_000, headers=headers)
        answer = wire.getresponse()
        assert (answer.status, answer.read()) == (404, b"{}")
    wire.request("GET", "/_embedded/failed-deliveries", headers=headers)
    assert wire.getresponse().status == 200


def test_head_returns_the_length_of_what_get_would_send(probe: StackProcess) -> None:
    key = f"in/{uuid.uuid4()}"
    probe.upload(b"12345", key)
    head = probe.client("s3").head_object(Bucket=probe.outputs["InputBucketName"], Key=key)
    assert head["ContentLength"] == 5


def test_large_objects_come_back_as_they_were_put(probe: StackProcess) -> None:
    content = bytes(range(256)) * 40_000
    key = f"in/{uuid.uuid4()}"
    probe.upload(content, key)
    bucket, s3 = probe.outputs["InputBucketName"], probe.client("s3")
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == content
    part = s3.get_object(Bucket=bucket, Key=key, Range="bytes=1000-1999")["Body"].read()
    assert part == content[1000:2000]


def test_resources_of_the_template_exist_and_conditional_ones_do_not(
    probe: StackProcess,
) -> None:
    subscriptions = probe.client("sns").list_subscriptions_by_topic(
        TopicArn=probe.outputs["Topic"]
    )["Subscriptions"]
    assert [subscription["Protocol"] for subscription in subscriptions] == ["lambda"]
    versioning = probe.client("s3").get_bucket_versioning(Bucket=probe.outputs["InputBucketName"])
    assert versioning["Status"] == "Enabled"
    stack = probe.client("cloudformation").describe_stacks(StackName="data-pipeline")["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"


@pytest.mark.parametrize(
    ("service", "target", "call"),
    [
        ("s3", "s3:GET", lambda s3: s3.list_buckets()),
        ("sns", "sns:ListTopics", lambda sns: sns.list_topics()),
        ("sqs", "sqs:ListQueues", lambda sqs: sqs.list_queues()),
        ("stepfunctions", "stepfunctions:ListStateMachines", lambda s: s.list_state_machines()),
        ("dynamodb", "dynamodb:ListTables", lambda dynamodb: dynamodb.list_tables()),
    ],
)
def test_a_refused_call_is_answered_in_the_services_own_protocol(
    probe: StackProcess, service: str, target: str, call: Callable[[Any], Any]
) -> None:
    probe.add_fault(target, "access-denied")
    with pytest.raises(ClientError) as refusal:
        call(probe.client(service))
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert refusal.value.response["Error"]["Code"].startswith("AccessDenied")
    call(probe.client(service))
