"""Access to the endpoint: AWS clients of this machine may use it, web pages may not."""

from __future__ import annotations

import http.client
import json
import re
import socket
import urllib.parse
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from pipectl.client.controls import TOKEN_HEADER
from pipectl.embedded.process import StackProcess
from pipectl.embedded.template import REGION

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SIGNED = {
    "Authorization": f"AWS4-HMAC-SHA256 Credential=any/20260301/{REGION}/states/aws4_request,"
    " SignedHeaders=host, Signature=any"
}


def place(probe: StackProcess) -> str:
    """Host and port of the endpoint."""
    return urlsplit(probe.deployment.endpoint or "").netloc


def request(
    probe: StackProcess,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """Send one request as it is; gives status, headers (names in lower case) and body."""
    wire = http.client.HTTPConnection(place(probe), timeout=30)
    try:
        wire.request(method, path, body, dict(headers or {}))
        answer = wire.getresponse()
        named = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, named, answer.read()
    finally:
        wire.close()


def signed(
    probe: StackProcess, method: str, path: str, headers: Mapping[str, str]
) -> dict[str, str]:
    """The headers of a request to S3 with a proper signature beside them."""
    unsent = AWSRequest(method, f"http://{place(probe)}{path}", headers=dict(headers))
    SigV4Auth(Credentials("any", "any"), "s3", REGION).add_auth(unsent)
    return dict(unsent.headers.items())


# What a page can't help sending, each beside a request that would otherwise be answered.
FROM_A_PAGE = [
    {"Host": "evil.example"},
    {"Host": "evil.example:80"},
    {"Host": "127.0.0.1.evil.example"},
    {"Host": "localhost.evil.example"},
    {"Host": ""},
    {"Host": "127.0.0.1@evil.example"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:3000"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", FROM_A_PAGE, ids=str)
def test_requests_of_a_page_are_refused_even_if_they_are_signed(
    probe: StackProcess, headers: dict[str, str]
) -> None:
    bucket = probe.outputs["InputBucketName"]
    key = f"page/{uuid.uuid4()}"
    own = signed(probe, "PUT", f"/{bucket}/{key}", {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    status, answered, body = request(probe, "PUT", f"/{bucket}/{key}", b"x", {**own, **headers})
    assert (status, b"<Code>AccessDenied</Code>" in body) == (403, True)
    assert not [name for name in answered if name.startswith("access-control-")]
    listed = probe.client("s3").list_objects_v2(Bucket=bucket, Prefix=key)
    assert listed["KeyCount"] == 0
    assert request(probe, "PUT", f"/{bucket}/{key}", b"x", own)[0] == 200


@pytest.mark.parametrize("path", ["/", "/moto-api/reset", "/_embedded/clear-faults", "/bucket/key"])
def test_a_preflight_is_refused(probe: StackProcess, path: str) -> None:
    asking = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "*"}
    for origin in ({"Origin": "http://evil.example"}, {"Origin": f"http://{place(probe)}"}, {}):
        status, headers, _ = request(probe, "OPTIONS", path, headers={**asking, **origin})
        assert status == 403
        assert not [name for name in headers if name.startswith("access-control-")]


def test_one_post_from_a_page_changes_nothing(probe: StackProcess) -> None:
    queue = probe.client("sqs").create_queue(QueueName=f"kept-{uuid.uuid4()}")["QueueUrl"]
    machine = probe.client("stepfunctions").list_state_machines()["stateMachines"]
    delete = urllib.parse.urlencode({"Action": "DeleteQueue", "QueueUrl": queue}).encode()
    plain = {"Content-Type": "text/plain"}
    # Simple requests: a page may send them without asking, and old browsers without an Origin.
    for path, body, headers in (
        ("/moto-api/reset", b"", plain),
        ("//moto-api/reset", b"", plain),
        ("/moto-api/seed?a=1", b"", FORM),
        ("/_embedded/faults", b'{"target": "sqs:ListQueues", "kind": "throttle"}', plain),
        ("/_embedded/clear-faults", b"", FORM),
        ("/", delete, FORM),
        (f"/?{delete.decode()}", b"", plain),
        (urlsplit(queue).path, delete, FORM),
        ("/2015-03-31/functions/probe-actor/invocations", b"{}", plain),
        ("/", b'{"stateMachineArn": "arn"}', plain),
    ):
        for method in ("POST", "GET"):
            assert request(probe, method, path, body, headers)[0] in (403, 404), (method, path)
    assert queue in probe.client("sqs").list_queues()["QueueUrls"]
    assert probe.client("stepfunctions").list_state_machines()["stateMachines"] == machine
    probe.client("sqs").delete_queue(QueueUrl=queue)


@pytest.mark.parametrize(
    "path",
    [
        "/moto-api/",
        "/moto-api/data.json",
        "/favicon.ico",
        "/latest/meta-data/iam/",
        "/latest/api/token",
    ],
)
def test_only_awss_api_is_served_even_with_the_token(probe: StackProcess, path: str) -> None:
    headers = {**SIGNED, TOKEN_HEADER: probe.token}
    assert request(probe, "GET", path, headers=headers)[0] == 404


@pytest.mark.parametrize("token", [None, "", "wrong", "é"])
def test_the_stacks_own_controls_need_the_token(probe: StackProcess, token: str | None) -> None:
    path = "/_embedded/notifications"
    headers = {} if token is None else {TOKEN_HEADER: token.encode().decode("latin-1")}
    assert request(probe, "GET", path, headers={**SIGNED, **headers})[0] == 403
    assert request(probe, "GET", path, headers={TOKEN_HEADER: probe.token})[0] == 200


def test_an_unsigned_request_is_refused_as_on_aws(probe: StackProcess) -> None:
    bucket, s3 = probe.outputs["InputBucketName"], probe.client("s3")
    s3.put_object(Bucket=bucket, Key="secret", Body=b"x")
    assert request(probe, "GET", f"/{bucket}/secret")[0] == 403
    headers = {"X-Amz-Target": "AWSStepFunctions.ListStateMachines"}
    status, _, body = request(probe, "POST", "/", b"{}", headers)
    assert (status, json.loads(body)["__type"]) == (403, "AccessDenied")


def test_a_page_in_a_bucket_runs_no_scripts(probe: StackProcess) -> None:
    bucket, s3 = probe.outputs["InputBucketName"], probe.client("s3")
    s3.put_object(Bucket=bucket, Key="page.html", Body=b"<script>", ContentType="text/html")
    address = urlsplit(
        s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "page.html"})
    )
    # As a browser opens a pasted address.
    browser = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}
    status, headers, _ = request(probe, "GET", f"{address.path}?{address.query}", headers=browser)
    assert status == 200
    assert headers["content-security-policy"].startswith("sandbox;")
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_presigned_urls_and_forms_work(probe: StackProcess, host: str, version: str) -> None:
    endpoint = f"http://{host}:{urlsplit(probe.deployment.endpoint or '').port}"
    s3 = boto3.Session("any", "any", region_name=REGION).client(
        "s3",
        endpoint_url=endpoint,
        config=Config(signature_version=version, s3={"addressing_style": "path"}, proxies={}),
    )
    bucket, key = probe.outputs["InputBucketName"], f"presigned/{uuid.uuid4()}"
    named = {"Bucket": bucket, "Key": key}
    put = urlsplit(s3.generate_presigned_url("put_object", named))
    host_header = {"Host": put.netloc}
    assert request(probe, "PUT", f"{put.path}?{put.query}", b"1", host_header)[0] == 200
    get = urlsplit(s3.generate_presigned_url("get_object", named))
    assert request(probe, "GET", f"{get.path}?{get.query}", headers=host_header)[2] == b"1"
    form = s3.generate_presigned_post(bucket, key)
    parts = [
        f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in form["fields"].items()
    ]
    parts.append('--edge\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n2\r\n')
    body = "".join([*parts, "--edge--\r\n"]).encode()
    kind = {"Content-Type": "multipart/form-data; boundary=edge"}
    path = urlsplit(form["url"]).path
    assert request(probe, "POST", path, body, {**kind, **host_header})[0] in (200, 204)
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"2"
    # The same form without its signature is anybody's.
    unsigned = re.sub(rb'name="(x-amz-)?signature"', b'name="other"', body)
    assert request(probe, "POST", path, unsigned, {**kind, **host_header})[0] == 403


def test_a_bucket_may_be_named_in_the_host(probe: StackProcess) -> None:
    port = urlsplit(probe.deployment.endpoint or "").port
    s3 = boto3.Session("any", "any", region_name=REGION).client(
        "s3",
        endpoint_url=f"http://localhost:{port}",
        config=Config(s3={"addressing_style": "virtual"}, proxies={}),
    )
    bucket = probe.outputs["InputBucketName"]
    address = urlsplit(s3.generate_presigned_url("list_objects_v2", {"Bucket": bucket}))
    assert address.netloc == f"{bucket}.localhost:{port}"
    path = f"{address.path}?{address.query}"
    status, _, body = request(probe, "GET", path, headers={"Host": address.netloc})
    assert (status, b"<ListBucketResult" in body) == (200, True)


def machine_of(probe: StackProcess) -> str:
    """The ARN of the stack's state machine."""
    [machine, *_] = probe.client("stepfunctions").list_state_machines()["stateMachines"]
    return str(machine["stateMachineArn"])


def test_an_execution_without_a_name_is_named_by_a_uuid(probe: StackProcess) -> None:
    client = probe.client("stepfunctions")
    arn = client.start_execution(stateMachineArn=machine_of(probe))["executionArn"]
    assert uuid.UUID(client.describe_execution(executionArn=arn)["name"])
    assert uuid.UUID(arn.rpartition(":")[2])


@pytest.mark.parametrize("name", ["a b", "a/b", "a:b", "a\x1bb", "a\nb", "x" * 81, "a*"])
def test_a_name_that_aws_refuses_is_refused(probe: StackProcess, name: str) -> None:
    with pytest.raises(ClientError) as refusal:
        probe.client("stepfunctions").start_execution(
            stateMachineArn=machine_of(probe), name=name, input="{}"
        )
    assert refusal.value.response["Error"]["Code"] == "InvalidName"


def states_request(action: str) -> dict[str, str]:
    """The headers of a call of Step Functions."""
    return {**SIGNED, "X-Amz-Target": f"AWSStepFunctions.{action}"}


HOSTILE_BODIES: list[Any] = [
    *("", "{", "[]", "null", "1", '"x"', "[" * 100_000, "\x00", '{"name": 1}', '{"name": ["x"]}'),
    *('{"stateMachineArn": null}', '{"stateMachineArn": "x", "name": {}, "input": 1}'),
    *('{"executionArn": 1}', '{"executionArn": "arn:aws"}', '{"input": "\\ud800"}'),
]


@pytest.mark.parametrize(
    "action",
    ["StartExecution", "RedriveExecution", "DescribeExecution", "ListExecutions", "Nothing", ""],
)
def test_no_request_body_ends_the_stack(probe: StackProcess, action: str) -> None:
    for body in HOSTILE_BODIES:
        status, _, _ = request(probe, "POST", "/", body.encode(), states_request(action))
        assert status >= 400 or action == "ListExecutions", body[:20]
    assert probe.client("stepfunctions").list_state_machines()["stateMachines"]


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /\x00%00%ff%c0/../.. HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n",
    ],
    ids=lambda raw: repr(raw[:40]),
)
def test_no_request_ends_the_server(probe: StackProcess, raw: bytes) -> None:
    host, _, port = place(probe).partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as wire:
        wire.sendall(raw)
        wire.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: wire.recv(65536), b""))
    assert b" 200 " not in answer.partition(b"\r\n")[0]
    assert probe.client("stepfunctions").list_state_machines()["stateMachines"]
