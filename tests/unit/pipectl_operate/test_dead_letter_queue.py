"""What a message in the dead-letter queue is about."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipectl.client.dead_letter_queue import DeadLetter, FailedInvocation, read_dead_letter

FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:data-pipeline-webhook-dev:$LATEST"
ANSWER = {"errorType": "WebhookRefused", "errorMessage": "The webhook answered 403."}
NOTIFICATION = {"Records": [{"EventSource": "aws:sns", "Sns": {"Subject": "Data Pipeline: a"}}]}


def record(event: Any, response: Any = ANSWER, condition: str = "RetriesExhausted") -> Any:
    """What Lambda sends when the last attempt at an event has failed."""
    document = {
        "version": "1.0",
        "timestamp": "2026-03-01T08:00:00.000Z",
        "requestContext": {
            "requestId": "3b0c7e5d-2c1b-4d52-9f4e-0b1b7d2b7e66",
            "functionArn": FUNCTION,
            "condition": condition,
            "approximateInvokeCount": 3,
        },
        "requestPayload": event,
    }
    return document if response is None else {**document, "responsePayload": response}


def dead_letter(document: Any) -> DeadLetter:
    body = json.dumps(document)
    return read_dead_letter({"MessageId": "m1", "ReceiptHandle": "r1", "Body": body})


@pytest.mark.parametrize(
    ("document", "code", "message", "about"),
    [
        (record(NOTIFICATION), "WebhookRefused", "The webhook answered 403.", "Data Pipeline: a"),
        (
            record(NOTIFICATION, None, "EventAgeExceeded"),
            "EventAgeExceeded",
            "",
            "Data Pipeline: a",
        ),
        (
            record({"detail": {"executionArn": "arn:x"}}),
            ANSWER["errorType"],
            "The webhook answered 403.",
            "arn:x",
        ),
        (record({"Records": [{"Sns": {"Subject": None}}]}, {}), "RetriesExhausted", "", ""),
        (record(None, {}), "RetriesExhausted", "", ""),
    ],
)
def test_a_failed_invocation_names_its_function_its_error_and_its_event(
    document: Any, code: str, message: str, about: str
) -> None:
    found = dead_letter(document)
    assert found.kind == "failed_invocation"
    assert found.file_ids == ()
    assert found.invocation == FailedInvocation("data-pipeline-webhook-dev", code, message, about)


@pytest.mark.parametrize(
    ("event", "about"),
    [
        ({"source": "aws.states", "detail": {"executionArn": "arn:x"}}, "arn:x"),
        ({"source": "aws.events", "detail": {}}, ""),
    ],
)
def test_an_event_that_was_not_delivered_names_its_function_and_the_error(
    event: Any, about: str
) -> None:
    attributes = {
        "TARGET_ARN": FUNCTION.removesuffix(":$LATEST"),
        "ERROR_CODE": "NO_PERMISSIONS",
        "ERROR_MESSAGE": "not authorized",
    }
    found = read_dead_letter(
        {
            "MessageId": "m1",
            "ReceiptHandle": "r1",
            "Body": json.dumps(event),
            "MessageAttributes": {key: {"StringValue": it} for key, it in attributes.items()},
        }
    )
    assert found.kind == "failed_invocation"
    assert found.invocation == FailedInvocation(
        "data-pipeline-webhook-dev", "NO_PERMISSIONS", "not authorized", about
    )


@pytest.mark.parametrize(
    "document",
    [
        {"requestContext": {}},
        {"requestContext": {"functionArn": "data-pipeline"}},
        record({"Records": []}),
        record("text"),
        record(NOTIFICATION, "text"),
    ],
)
def test_a_record_that_is_not_from_lambda_is_unknown(document: Any) -> None:
    assert dead_letter(document).kind == "unknown"
