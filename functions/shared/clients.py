"""boto3 clients, created on first use and kept for the life of the execution environment."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import boto3
from botocore.config import Config

import shared.observability  # noqa: F401  # before any client: it silences boto3's loggers

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

# "standard" retries throttling and broken connections with backoff; the workflow's own Retry
# starts where these retries end. A step must not spend its whole timeout on a silent connection, so
# calls that usually answer in milliseconds get 8 s, and three attempts fit in the starter's 30 s.
_QUICK = Config(connect_timeout=3, read_timeout=8, retries={"mode": "standard", "max_attempts": 3})
# S3 can take long to answer when it copies gigabytes. The pool has one connection for each of the
# threads in which compose.py waits for copies.
_STORAGE = Config(
    connect_timeout=5,
    read_timeout=60,
    retries={"mode": "standard", "max_attempts": 4},
    max_pool_connections=64,
)
# The invoked function has a timeout of 60 s.
_INVOCATION = Config(
    connect_timeout=3, read_timeout=70, retries={"mode": "standard", "max_attempts": 1}
)


def _encode_body(params: dict[str, Any], **_event: Any) -> None:
    """Encode a form once. Otherwise botocore does it for each look at the body of a request."""
    if isinstance(params["body"], dict):
        params["body"] = urlencode(params["body"]).encode()


@cache
def events() -> EventBridgeClient:
    """The EventBridge client."""
    return boto3.client("events", config=_QUICK)


@cache
def s3() -> S3Client:
    """The S3 client."""
    return boto3.client("s3", config=_STORAGE)


@cache
def glue() -> GlueClient:
    """The Glue client."""
    return boto3.client("glue", config=_QUICK)


@cache
def secretsmanager() -> SecretsManagerClient:
    """The Secrets Manager client."""
    return boto3.client("secretsmanager", config=_QUICK)


@cache
def sns() -> SNSClient:
    """The SNS client."""
    client = boto3.client("sns", config=_QUICK)
    client.meta.events.register("before-call.sns", _encode_body)
    return client


@cache
def sqs() -> SQSClient:
    """The SQS client."""
    return boto3.client("sqs", config=_QUICK)


@cache
def awslambda() -> LambdaClient:
    """The Lambda client."""
    return boto3.client("lambda", config=_INVOCATION)


@cache
def stepfunctions() -> SFNClient:
    """The Step Functions client."""
    return boto3.client("stepfunctions", config=_QUICK)


@cache
def table(name: str) -> Table:
    """A DynamoDB table resource, whose items are plain Python values."""
    return boto3.resource("dynamodb", config=_QUICK).Table(name)
