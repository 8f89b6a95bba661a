"""Fixtures for tests of the functions: no network, no real account, AWS in this process."""

from __future__ import annotations

import json
import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.client
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import rsa
from moto import mock_aws
from moto.sns.models import Subscription

from shared import clients, observability
from shared.metadata import SOURCE_INDEX
from tests.documentation.outcome_examples import OUTCOME
from tests.unit.functions import documents

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

EVENTS = Path(__file__).parents[3] / "events"

# Set before any client or logger is made: both read it once.
os.environ.update(
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_DEFAULT_REGION=documents.REGION,
    POWERTOOLS_SERVICE_NAME="unit_tests",
    POWERTOOLS_METRICS_NAMESPACE="UnitTests",
    POWERTOOLS_LOG_LEVEL="DEBUG",
)

Event = Callable[[str], dict[str, Any]]
Logs = list[dict[str, Any]]
Fault = Callable[..., None]
Sent = list[tuple[str, set[str], bytes]]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any connection, name look-up included, fails the test that makes it."""

    def refuse(*_args: object, **_kwargs: object) -> None:
        pytest.fail("A unit test tried to reach the network.")

    for name in ("connect", "connect_ex", "sendto", "sendmsg"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


@pytest.fixture
def event() -> Event:
    """Load one of the events in `events/`."""
    return lambda name: json.loads((EVENTS / f"{name}.json").read_text())


@pytest.fixture
def logs() -> Iterator[Logs]:
    """The log lines of the test, each as the JSON that CloudWatch would get."""
    lines: Logs = []
    logger = observability.logger()
    logger.clear_state()

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.loads(logger.registered_formatter.format(record)))

    handler = Keep()
    logger.addHandler(handler)
    yield lines
    logger.handlers.remove(handler)


@cache
def _signing_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """AWS in this process, empty."""
    # A subscription would generate a key of its own to sign with, which takes a while.
    monkeypatch.setattr(Subscription, "private_key", lambda _: _signing_key())
    with mock_aws():
        yield


@pytest.fixture
def buckets(aws: None) -> S3Client:
    """The pipeline's two buckets; returns a client to look at them with."""
    client = clients.s3()
    for name in (documents.INPUT_BUCKET, documents.OUTPUT_BUCKET):
        client.create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
    client.put_bucket_versioning(
        Bucket=documents.INPUT_BUCKET, VersioningConfiguration={"Status": "Enabled"}
    )
    return client


@pytest.fixture
def table(aws: None, monkeypatch: pytest.MonkeyPatch) -> Table:
    """The metadata table."""
    monkeypatch.setenv("METADATA_TABLE", documents.METADATA_TABLE)
    metadata = clients.table(documents.METADATA_TABLE)
    metadata.meta.client.create_table(
        TableName=documents.METADATA_TABLE,
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"}
            for name in ("file_id", "source", "sequencer")
        ],
        KeySchema=[{"AttributeName": "file_id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": SOURCE_INDEX,
                "KeySchema": [
                    {"AttributeName": "source", "KeyType": "HASH"},
                    {"AttributeName": "sequencer", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return metadata


@pytest.fixture
def subscriber(aws: None, monkeypatch: pytest.MonkeyPatch) -> Subscriber:
    """The notification topic, with a queue that gets what it carries."""
    sns, sqs = clients.sns(), clients.sqs()
    topic = sns.create_topic(Name="pipeline-notifications-dev")["TopicArn"]
    queue = sqs.create_queue(QueueName="subscriber")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    monkeypatch.setenv("NOTIFICATION_TOPIC_ARN", topic)
    return Subscriber(sqs, queue)


class Subscriber:
    """A queue that is subscribed to the topic."""

    def __init__(self, sqs: SQSClient, queue_url: str) -> None:
        self._sqs = sqs
        self._queue_url = queue_url

    def messages(self) -> list[dict[str, Any]]:
        """The notifications since the last call, as SNS wraps them; each is a valid document."""
        answer = self._sqs.receive_message(QueueUrl=self._queue_url, MaxNumberOfMessages=10)
        found = [json.loads(message["Body"]) for message in answer.get("Messages", [])]
        for message in found:
            OUTCOME.validate(json.loads(message["Message"]))
        return found


@pytest.fixture
def fault(monkeypatch: pytest.MonkeyPatch) -> Fault:
    """Let the next calls of an operation raise errors, one a call; None lets that call work."""
    planned: dict[str, deque[Exception | None]] = {}
    original = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(client: Any, operation: str, parameters: Any) -> Any:
        error = planned[operation].popleft() if planned.get(operation) else None
        if error:
            raise error
        return original(client, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)

    def plan(operation: str, *errors: Exception | None) -> None:
        planned[operation] = deque(errors)

    return plan


@pytest.fixture
def sent(buckets: S3Client) -> Iterator[Sent]:
    """The requests to S3 as they leave: operation, headers in lower case, body."""
    requests: Sent = []

    def record(request: Any, event_name: str, **_: Any) -> None:
        body = request.body or b""
        requests.append(
            (
                event_name.rpartition(".")[2],
                {name.lower() for name in request.headers},
                body if isinstance(body, bytes) else b"",
            )
        )

    buckets.meta.events.register_first("before-send.s3", record)
    yield requests
    buckets.meta.events.unregister("before-send.s3", record)


def expect_no_part_checksums(sent: Sent, *, parts: int) -> None:
    """One upload was created without an algorithm, and completed without the parts' checksums."""
    created = [headers for name, headers, _ in sent if name == "CreateMultipartUpload"]
    completed = [body for name, _, body in sent if name == "CompleteMultipartUpload"]
    assert len(created) == len(completed) == 1
    assert not [header for header in created[0] if "checksum" in header]
    assert completed[0].count(b"<PartNumber>") == completed[0].count(b"<ETag>") == parts
    assert b"Checksum" not in completed[0]


def client_error(code: str, operation: str = "GetObject", *, status: int = 400) -> ClientError:
    """An error as boto3 raises it."""
    return ClientError(
        {
            "Error": {"Code": code, "Message": "the service's words: secret-cell"},
            "ResponseMetadata": {
                "HTTPStatusCode": status,
                "RequestId": "",
                "HostId": "",
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        operation,
    )
