"""Which of the project's errors an AWS error becomes."""

from __future__ import annotations

import botocore.exceptions as botocore_errors
import pytest

from shared.errors import (
    InternalError,
    KeyTooLong,
    PipelineError,
    SourceChanged,
    SourceNotFound,
    TransientError,
    aws_errors,
    error_code,
    split_details,
    with_details,
)
from tests.unit.functions.conftest import client_error


def translated(error: Exception, missing: type[PipelineError] = InternalError) -> PipelineError:
    with pytest.raises(PipelineError) as caught, aws_errors("s3://bucket/key", missing=missing):
        raise error
    return caught.value


@pytest.mark.parametrize(
    "code",
    [
        "SlowDown",
        "ThrottlingException",
        "Throttled",
        "ProvisionedThroughputExceededException",
        "TooManyRequestsException",
        "ExecutionLimitExceeded",
        "TransactionConflictException",
        "ConditionalRequestConflict",
        "RequestTimeout",
    ],
)
def test_a_busy_service_is_transient(code: str) -> None:
    assert type(translated(client_error(code))) is TransientError


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_status_that_asks_for_a_retry_is_transient_under_any_code(status: int) -> None:
    assert type(translated(client_error("NeverSeen", status=status))) is TransientError


@pytest.mark.parametrize(
    "error",
    [
        botocore_errors.EndpointConnectionError(endpoint_url="https://example"),
        botocore_errors.ConnectTimeoutError(endpoint_url="https://example"),
        botocore_errors.ReadTimeoutError(endpoint_url="https://example"),
        botocore_errors.ConnectionClosedError(endpoint_url="https://example"),
        botocore_errors.SSLError(endpoint_url="https://example", error=OSError("reset")),
        botocore_errors.ResponseStreamingError(error="broken"),
        botocore_errors.IncompleteReadError(actual_bytes=1, expected_bytes=2),
        botocore_errors.FlexibleChecksumError(error_msg="differs"),
        ConnectionResetError("reset"),
        TimeoutError("slow"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_connection_that_failed_is_transient(error: Exception) -> None:
    assert type(translated(error)) is TransientError


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchVersion", "404", "MethodNotAllowed"])
def test_a_missing_object_raises_the_callers_error(code: str) -> None:
    error = client_error(code, status=404)
    assert type(translated(error, missing=SourceNotFound)) is SourceNotFound
    assert type(translated(error)) is InternalError


@pytest.mark.parametrize("code", ["PreconditionFailed", "412"])
def test_other_content_than_announced_is_a_changed_source(code: str) -> None:
    assert type(translated(client_error(code, status=412))) is SourceChanged


@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchBucket", "ValidationException"])
def test_anything_else_is_internal(code: str) -> None:
    assert type(translated(client_error(code, status=403))) is InternalError


def test_another_error_of_botocore_is_internal() -> None:
    assert type(translated(botocore_errors.NoCredentialsError())) is InternalError


@pytest.mark.parametrize(
    "code", ["SlowDown", "NoSuchKey", "PreconditionFailed", "AccessDenied", "NeverSeen"]
)
def test_the_services_own_message_is_left_out(code: str) -> None:
    error = translated(client_error(code))
    assert "secret-cell" not in str(error)
    assert error.__suppress_context__
    assert code in str(error)
    assert "s3://bucket/key" in str(error)


def test_an_error_that_is_not_from_aws_passes_unchanged() -> None:
    with pytest.raises(KeyError), aws_errors("s3://bucket/key"):
        raise KeyError("other")


def test_the_code_of_an_error_without_one_is_unknown() -> None:
    assert error_code(botocore_errors.ClientError({}, "GetObject")) == "Unknown"


class TestDetails:
    def test_travel_in_the_messages_last_line(self) -> None:
        error = KeyTooLong("Too long.", bytes=1030, limit_bytes=1024)
        message = with_details(str(error), error.details)
        assert message == 'Too long.\nDetails: {"bytes": 1030, "limit_bytes": 1024}'
        assert split_details(message) == ("Too long.", {"bytes": 1030, "limit_bytes": 1024})

    def test_are_left_out_where_there_are_none(self) -> None:
        assert with_details("Too long.", KeyTooLong("Too long.").details) == "Too long."

    @pytest.mark.parametrize(
        "message",
        [
            "a",
            "a\nDetails: no JSON",
            'a\nDetails: {"name": "a cell"}',
            'a\nDetails: {"flag": true}',
            "a\nDetails: [1]",
            "a\nDetails: ",
        ],
    )
    def test_are_numbers_or_nothing(self, message: str) -> None:
        assert split_details(message) == (message, {})
