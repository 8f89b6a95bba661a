"""Patches that make moto's responses cheaper don't change them."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from moto.core.serialize import TimestampSerializer
from moto.moto_api._internal import mock_random
from moto.s3.models import s3_backends
from moto.s3.responses import S3Response
from moto.s3.utils import _VersionedKeyStore
from moto.stepfunctions.parser.asl.eval.program_state import (
    ProgramEnded,
    ProgramError,
    ProgramTimedOut,
)
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication

from pipectl.embedded.clock import StackClock
from pipectl.embedded.moto_patches.account import MotoAccount
from pipectl.embedded.moto_patches.all_patches import applied
from pipectl.embedded.moto_patches.application import moto_application
from pipectl.embedded.moto_patches.backends import empty_backends
from pipectl.embedded.moto_patches.events import status_event
from pipectl.embedded.moto_patches.table import REPLACEMENTS, PatchSettings
from pipectl.embedded.rights.enforcement import Rights
from pipectl.embedded.template import ACCOUNT, REGION

SETTINGS = PatchSettings(
    endpoint=lambda _service: "",
    clock=StackClock(0),
    invoke=lambda _function, _payload: None,
    changed=lambda: None,
    serve=lambda _session: None,
    rights=Rights(MotoAccount()),
    stacks=Mock(),
)
DEFINITION = {
    "StartAt": "Map",
    "States": {
        "Map": {
            "Type": "Map",
            "ItemProcessor": {
                "StartAt": "Choice",
                "States": {
                    "Choice": {
                        "Type": "Choice",
                        "Choices": [{"Variable": "$", "NumericEquals": 1, "Next": "End"}],
                        "Default": "End",
                    },
                    "End": {"Type": "Pass", "End": True},
                },
            },
            "Next": "Fail",
        },
        "Fail": {"Type": "Fail", "Error": "Broken", "Cause": "On purpose."},
    },
}


class Api:
    """moto's application, called as a server calls it."""

    def __init__(self) -> None:
        self._moto = moto_application()

    def call(self, target: str, **request: Any) -> dict[str, Any]:
        service = {"AWSStepFunctions": "states", "DynamoDB_20120810": "dynamodb"}[
            target.partition(".")[0]
        ]
        body = json.dumps(request).encode()
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "HTTP_HOST": "127.0.0.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": "application/x-amz-json-1.0",
            "HTTP_X_AMZ_TARGET": target,
            "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential=k/20260301/{REGION}/{service}/r",
        }
        answer = b"".join(self._moto(environ, lambda *_: None))
        document: dict[str, Any] = json.loads(answer)
        return document


@pytest.fixture
def api() -> Iterator[Api]:
    with empty_backends(), applied(SETTINGS):
        yield Api()


def twice(api: Api, monkeypatch: pytest.MonkeyPatch, target: str, **request: Any) -> list[Any]:
    """The answer with the patches, and without those of this module."""
    own = [one for one in REPLACEMENTS if one.make.__module__.endswith(".answers")]
    with_them = api.call(target, **request)
    assert own
    with monkeypatch.context() as patched:
        for replacement in own:
            patched.setattr(replacement.owner, replacement.name, ORIGINALS[replacement.full_name])
        return [with_them, api.call(target, **request)]


ORIGINALS = {
    replacement.full_name: getattr(replacement.owner, replacement.name)
    for replacement in REPLACEMENTS
}


def test_a_history_and_a_list_of_executions_are_the_same(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = api.call(
        "AWSStepFunctions.CreateStateMachine",
        name="m",
        definition=json.dumps(DEFINITION),
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/r",
    )["stateMachineArn"]
    arn = api.call(
        "AWSStepFunctions.StartExecution", stateMachineArn=machine, name="n", input="[1, 2]"
    )["executionArn"]
    deadline = time.monotonic() + 30
    while api.call("AWSStepFunctions.DescribeExecution", executionArn=arn)["status"] == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for target, request in (
        ("GetExecutionHistory", {"executionArn": arn}),
        ("DescribeExecution", {"executionArn": arn}),
        ("ListExecutions", {"stateMachineArn": machine}),
    ):
        quick, slow = twice(api, monkeypatch, f"AWSStepFunctions.{target}", **request)
        assert quick == slow
    assert len(api.call("AWSStepFunctions.GetExecutionHistory", executionArn=arn)["events"]) > 10


def test_an_item_is_the_same(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    target = "DynamoDB_20120810."
    api.call(
        f"{target}CreateTable",
        TableName="t",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    nested = {"M": {"a": {"N": "1"}, "b": {"L": [{"S": "x"}, {"NULL": True}, {"BOOL": False}]}}}
    item = {"id": {"S": "1"}, "nested": nested, "set": {"SS": ["x", "y"]}, "blob": {"B": "AAEC"}}
    api.call(f"{target}PutItem", TableName="t", Item=item)
    quick, slow = twice(api, monkeypatch, f"{target}GetItem", TableName="t", Key={"id": {"S": "1"}})
    assert quick == slow
    assert quick["Item"] == item


@pytest.mark.parametrize(
    "given",
    ["2026-03-01T08:00:00.123Z", "2026-03-01T10:00:00+02:00", "2026-03-01T08:00:00", 1772352000.5],
)
def test_a_time_is_the_same(given: Any) -> None:
    serializer = TimestampSerializer("unixtimestamp")
    for kind in ("unixtimestamp", "iso8601", "rfc822"):
        slow = serializer._convert_timestamp_to_str(given, kind)
        with applied(SETTINGS):
            assert serializer._convert_timestamp_to_str(given, kind) == slow


class TestListings:
    """Objects of a versioned bucket under two prefixes, one of them deleted."""

    @pytest.fixture
    def backend(self) -> Iterator[Any]:
        with empty_backends():
            backend: Any = s3_backends[ACCOUNT]["aws"]
            bucket = backend.create_bucket("bucket", REGION)
            backend.put_bucket_versioning("bucket", "Enabled")
            for key in ("raw/a/1", "raw/a/1", "raw/b/2", "raw/c", "rawer", "other/x"):
                backend.put_object("bucket", key, b"")
            backend.delete_object("bucket", "raw/c")
            yield backend, bucket

    @pytest.mark.parametrize("prefix", [None, "", "raw/", "raw/a", "raw/c", "nothing"])
    @pytest.mark.parametrize("delimiter", [None, "/"])
    def test_are_the_same(self, backend: Any, prefix: str | None, delimiter: str | None) -> None:
        s3, bucket = backend
        slow = s3.list_objects(bucket, prefix, delimiter, marker=None, max_keys=None)
        with applied(SETTINGS):
            assert s3.list_objects(bucket, prefix, delimiter, marker=None, max_keys=None) == slow

    @pytest.mark.parametrize("prefix", ["", "raw/", "raw/a", "raw/c", "nothing"])
    @pytest.mark.parametrize("delimiter", [None, "/"])
    @pytest.mark.parametrize("max_keys", [1, 1000])
    def test_of_versions_are_the_same(
        self, backend: Any, prefix: str, delimiter: str | None, max_keys: int
    ) -> None:
        s3, bucket = backend
        request = {"prefix": prefix, "delimiter": delimiter, "max_keys": max_keys}

        def listed() -> Any:
            versions, prefixes, markers, *tokens = s3.list_object_versions(bucket.name, **request)
            found = [
                [(v.name, v.version_id, v.is_latest) for v in vs] for vs in (versions, markers)
            ]
            return found, prefixes, tokens

        slow = listed()
        with applied(SETTINGS):
            assert listed() == slow

    def test_read_only_the_objects_under_the_prefix(
        self, backend: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        s3, bucket = backend
        read: list[str] = []
        original = _VersionedKeyStore.__getitem__

        def get(store: Any, key: str) -> Any:
            read.append(key)
            return original(store, key)

        monkeypatch.setattr(_VersionedKeyStore, "__getitem__", get)
        with applied(SETTINGS):
            s3.list_objects(bucket, "raw/a", None, marker=None, max_keys=None)
        assert read == ["raw/a/1"]


def test_a_member_with_a_datetime_is_the_same() -> None:
    moment = datetime(2026, 3, 1, 8, tzinfo=UTC)
    serializer = TimestampSerializer("iso8601")
    with applied(SETTINGS):
        assert serializer._convert_timestamp_to_str(moment, "iso8601") == "2026-03-01T08:00:00Z"


@pytest.mark.parametrize("lower_case", [True, False])
@pytest.mark.parametrize("include_digits", [True, False])
def test_a_random_text_has_the_length_and_the_characters(
    lower_case: bool, include_digits: bool
) -> None:
    with applied(SETTINGS):
        text = mock_random.get_random_string(500, include_digits, lower_case)
    assert len(text) == 500
    assert text.isascii()
    assert text.isalnum()
    assert any(map(str.isdigit, text)) == include_digits
    assert any(map(str.isupper, text)) != lower_case


@pytest.mark.parametrize(
    ("host", "in_name"),
    [
        ("127.0.0.1:4566", False),
        ("localhost", False),
        ("bucket.localhost:4566", True),
        ("bucket.s3.amazonaws.com", True),
        ("s3.eu-central-1.amazonaws.com", False),
    ],
)
def test_a_bucket_in_a_hosts_name_is_found_every_time(api: Api, host: str, in_name: bool) -> None:
    request = Mock(headers={"host": host})
    for _ in range(2):
        assert S3Response.subdomain_based_buckets(request) is in_name


def test_the_event_of_a_start_is_the_same_if_the_execution_has_ended_meanwhile() -> None:
    described = {
        "executionArn": "e",
        "stateMachineArn": "m",
        "name": "n",
        "input": "{}",
        "startDate": datetime(2026, 3, 1, tzinfo=UTC),
        "stopDate": datetime.now(UTC),
        "output": "{}",
    }
    execution = Mock(status="SUCCEEDED", redrive_count=0, to_describe_output=lambda: described)
    started, ended = (status_event(execution, started=it)["detail"] for it in (True, False))
    assert (started["status"], started["stopDate"], started["output"]) == ("RUNNING", None, None)
    assert started["outputDetails"] is None
    assert (ended["status"], ended["output"]) == ("SUCCEEDED", "{}")
    assert ended["stopDate"] is not None


class ReadAtAnyTime(SimpleNamespace):
    """An execution that is described at the moment in which it gets its status."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "exec_status":
            self.seen = (value, self.output, self.error, self.cause)


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(
    ("state", "seen"),
    [
        (ProgramEnded(), ("SUCCEEDED", {"a": 1}, None, None)),
        (ProgramError({"error": "E", "cause": "why"}), ("FAILED", None, "E", "why")),
        (ProgramTimedOut(), ("TIMED_OUT", None, None, None)),
    ],
)
def test_an_execution_has_its_output_or_error_before_its_status(state: Any, seen: Any) -> None:
    environment = Mock(program_state=lambda: state, states=Mock(get_input=lambda: {"a": 1}))
    worker = Mock(env=environment)
    execution: Any = ReadAtAnyTime(exec_worker=worker, output=None, error=None, cause=None)
    communication: Any = BaseExecutionWorkerCommunication(execution)
    communication._reflect_execution_status()
    assert execution.seen == seen
