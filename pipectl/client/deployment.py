"""A stack of the pipeline on AWS or on the embedded AWS, and the clients that reach it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, overload

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from pipectl.client.aws_errors import explained
from pipectl.errors import PipectlError
from shared.errors import error_code

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackTypeDef
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

# Uploads and downloads run in parallel.
_CONFIG = Config(retries={"mode": "standard"}, max_pool_connections=50)

# An access key of the embedded AWS: whoever has none of its other keys is the account's
# administrator.
ADMINISTRATOR = "embedded"

# The embedded AWS is on this machine and not reached through a proxy.
_EMBEDDED_CONFIG = _CONFIG.merge(Config(proxies={}))


@dataclass(frozen=True)
class Deployment:
    """One stack and how it is reached. Clients are created once and shared by all threads."""

    session: boto3.Session
    stack_name: str
    endpoint: str | None = None
    _clients: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def on_aws(
        cls, stack_name: str, *, profile: str | None = None, region: str | None = None
    ) -> Deployment:
        """A stack on AWS; profile and region default to those of the AWS CLI."""
        with explained():
            session = boto3.Session(profile_name=profile, region_name=region)
        return cls(session, stack_name)

    @classmethod
    def embedded(
        cls, endpoint: str, region: str, stack_name: str, access_key: str = ADMINISTRATOR
    ) -> Deployment:
        """A stack on the embedded AWS at this endpoint, used by the owner of an access key."""
        session = boto3.Session(
            aws_access_key_id=access_key,
            aws_secret_access_key="embedded",  # noqa: S106  # moto checks no keys
            region_name=region,
        )
        return cls(session, stack_name, endpoint)

    @overload
    def client(self, service: Literal["cloudformation"]) -> CloudFormationClient: ...
    @overload
    def client(self, service: Literal["cloudwatch"]) -> CloudWatchClient: ...
    @overload
    def client(self, service: Literal["dynamodb"]) -> DynamoDBClient: ...
    @overload
    def client(self, service: Literal["events"]) -> EventBridgeClient: ...
    @overload
    def client(self, service: Literal["glue"]) -> GlueClient: ...
    @overload
    def client(self, service: Literal["lambda"]) -> LambdaClient: ...
    @overload
    def client(self, service: Literal["s3"]) -> S3Client: ...
    @overload
    def client(self, service: Literal["sns"]) -> SNSClient: ...
    @overload
    def client(self, service: Literal["sqs"]) -> SQSClient: ...
    @overload
    def client(self, service: Literal["stepfunctions"]) -> SFNClient: ...
    def client(self, service: Any) -> Any:
        """The boto3 client of a service, always the same one."""
        with self._lock:
            if service not in self._clients:
                with explained():
                    self._clients[service] = self.session.client(
                        service,
                        endpoint_url=self.endpoint,
                        config=_CONFIG if self.endpoint is None else _EMBEDDED_CONFIG,
                    )
            return self._clients[service]

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        """The stack's outputs by name; raises `PipectlError` if there is no such stack."""
        outputs = self._description.get("Outputs", [])
        return {output["OutputKey"]: output["OutputValue"] for output in outputs}

    @cached_property
    def parameters(self) -> Mapping[str, str]:
        """The stack's parameters by name; raises `PipectlError` if there is no such stack."""
        parameters = self._description.get("Parameters", [])
        return {one["ParameterKey"]: one.get("ParameterValue", "") for one in parameters}

    @cached_property
    def _description(self) -> StackTypeDef:
        with explained():
            try:
                stacks = self.client("cloudformation").describe_stacks(StackName=self.stack_name)
            except ClientError as error:
                # CloudFormation has no specific error code for a missing stack.
                if error_code(error) != "ValidationError" or "not exist" not in str(error):
                    raise
                raise PipectlError(
                    f"There is no stack {self.stack_name} in {self.session.region_name}. Set its"
                    " name with --stack-name and its region with --region."
                ) from None
        return stacks["Stacks"][0]
