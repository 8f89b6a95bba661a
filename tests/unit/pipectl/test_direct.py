"""Calls within the embedded AWS's own process reach the same application as those through HTTP."""

from __future__ import annotations

import io
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError

from pipectl.embedded.direct import DirectCalls

ENDPOINT = "http://127.0.0.1:1"  # no server listens there


class Application:
    """Answers as S3 does, and keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.error: Exception | None = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if self.error is not None:
            raise self.error
        self.requests.append(environ)
        self.bodies.append(environ["wsgi.input"].read())
        start_response("200 OK", [("ETag", '"e"'), ("x-amz-meta-a", "b"), ("Content-Length", "7")])
        return [] if environ["REQUEST_METHOD"] == "PUT" else [b"con", b"tent"]


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def direct(application: Application) -> DirectCalls:
    return DirectCalls(ENDPOINT, application)


def s3_of(direct: DirectCalls, endpoint: str = ENDPOINT) -> Any:
    session = boto3.Session(
        aws_access_key_id="k",
        aws_secret_access_key="s",
        region_name="us-east-1",
    )
    direct.serve(session)
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=2, proxies={})
    return session.client("s3", endpoint_url=endpoint, config=config)


def test_a_request_arrives_as_the_server_gives_it(
    direct: DirectCalls, application: Application
) -> None:
    answer = s3_of(direct).get_object(Bucket="bucket", Key="a b/ü?#.csv", VersionId="v&1")
    assert answer["Body"].read() == b"content"
    assert answer["Metadata"] == {"a": "b"}
    (environ,) = application.requests
    assert environ["REQUEST_METHOD"] == "GET"
    assert environ["PATH_INFO"] == "/bucket/a b/ü?#.csv".encode().decode("latin-1")
    assert environ["RAW_URI"] == "/bucket/a%20b/%C3%BC%3F%23.csv?versionId=v%261"
    assert environ["QUERY_STRING"] == "versionId=v%261"
    assert environ["HTTP_AUTHORIZATION"].startswith("AWS4-HMAC-SHA256 Credential=k/")
    assert environ["HTTP_HOST"] == "127.0.0.1:1"


def test_a_body_arrives_with_its_length_and_type(
    direct: DirectCalls, application: Application
) -> None:
    s3_of(direct).put_object(Bucket="bucket", Key="k", Body=b"given", ContentType="text/csv")
    (environ,) = application.requests
    assert (environ["CONTENT_LENGTH"], environ["CONTENT_TYPE"]) == ("5", "text/csv")
    assert application.bodies == [b"given"]


def test_the_answer_to_head_has_a_length_and_no_content(direct: DirectCalls) -> None:
    assert s3_of(direct).head_object(Bucket="bucket", Key="k")["ContentLength"] == 7


def test_an_error_of_the_application_is_an_answer(
    direct: DirectCalls, application: Application
) -> None:
    application.error = KeyError("in moto")
    with pytest.raises(ClientError) as caught:
        s3_of(direct).get_object(Bucket="bucket", Key="k")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500


def test_other_requests_go_through_http(direct: DirectCalls, application: Application) -> None:
    stream = io.BufferedReader(io.BytesIO(b"x"))
    with pytest.raises(EndpointConnectionError):
        s3_of(direct, "http://127.0.0.1:2").get_object(Bucket="bucket", Key="k")
    with pytest.raises(EndpointConnectionError):
        s3_of(direct).put_object(Bucket="bucket", Key="k", Body=stream)
    with pytest.raises(EndpointConnectionError):
        s3_of(direct).put_object(Bucket="bucket", Key="k", Metadata={"with_underscore": "x"})
    direct.close()
    with pytest.raises(EndpointConnectionError):
        s3_of(direct).get_object(Bucket="bucket", Key="k")
    assert application.requests == []
