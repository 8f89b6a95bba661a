"""Webhook: posts notifications and alarms to a secret https address."""

from __future__ import annotations

import http.client
import io
import json
import ssl
import traceback
import urllib.request
from email.message import Message
from typing import Any
from urllib.error import URLError
from urllib.response import addinfourl

import pytest

from notify.message import failure_notification, success_notification
from shared.errors import SettingsError
from shared.job import Execution, Job
from tests.unit.functions import documents
from tests.unit.functions.conftest import Event, Logs
from webhook.app import TIMEOUT_SECONDS, WebhookRefused, handler
from webhook.post import body_of

ADDRESS = "https://chat.example/services/T0/secret"


class FakeServer:
    """Answers in the place of the network, below urllib's own handling of answers."""

    def __init__(self) -> None:
        self.requests: list[urllib.request.Request] = []
        self.answer: int | Exception = 200
        self.location = ""

    def open(self, request: urllib.request.Request) -> addinfourl:
        self.requests.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        headers = Message()
        if self.location:
            headers["Location"] = self.location
        response = addinfourl(io.BytesIO(), headers, request.full_url, self.answer)
        response.msg = http.client.responses[self.answer]  # type: ignore[attr-defined]
        return response

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(bytes(request.data)) for request in self.requests]  # type: ignore[arg-type]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    fake = FakeServer()
    monkeypatch.setenv("WEBHOOK_URL", ADDRESS)
    monkeypatch.setattr(urllib.request.HTTPSHandler, "https_open", fake.open)
    monkeypatch.setattr(urllib.request.HTTPHandler, "http_open", fake.open)
    return fake


def sns(message: str, subject: str | None = "Subject") -> dict[str, Any]:
    return {"Records": [{"Sns": {"MessageId": "m1", "Subject": subject, "Message": message}}]}


def refused(event: dict[str, Any]) -> str:
    with pytest.raises(WebhookRefused) as caught:
        handler(event, None)
    # What the runtime logs of an unhandled error.
    assert "secret" not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


def test_an_alarm_is_posted_as_json(event: Event, server: FakeServer, logs: Logs) -> None:
    handler(event("webhook-alarm"), None)
    (request,) = server.requests
    assert request.full_url == ADDRESS
    assert request.get_method() == "POST"
    assert request.get_header("Content-type") == "application/json"
    assert request.timeout == TIMEOUT_SECONDS
    (body,) = server.bodies
    assert body["subject"] == 'ALARM: "pipeline-dlq-alarm-dev" in EU (Frankfurt)'
    assert body["text"].startswith('`ALARM: "pipeline-dlq-alarm-dev"')
    assert "Threshold Crossed" in body["text"]
    assert body["notification"]["AlarmName"] == "pipeline-dlq-alarm-dev"
    assert logs[-1]["status"] == 200


def test_a_success_is_posted_with_its_counts(server: FakeServer, logs: Logs) -> None:
    told = success_notification(
        Job.from_document(documents.recorded()),
        Execution.from_context(documents.execution()),
        "dev",
        documents.OUTPUT_BUCKET,
    )
    handler(sns(told.by_protocol()["lambda"], told.subject), None)
    (body,) = server.bodies
    assert body["text"].splitlines() == [
        f"`{told.subject}`",
        f"Source: `s3://{documents.SOURCE['bucket']}/{documents.SOURCE['key']}`",
        f"File ID: `{documents.FILE_ID}`",
        "197 processed, 3 rejected",
    ]
    assert body["notification"] == told.document


def test_a_failure_is_posted_with_its_reason(server: FakeServer, logs: Logs) -> None:
    document = documents.job(failure=documents.failure("EmptyFile", "There is no header."))
    execution = Execution.from_context(documents.execution())
    told = failure_notification(Job.from_document(document), execution, "dev")
    handler(sns(told.by_protocol()["lambda"], told.subject), None)
    assert server.bodies[0]["text"].endswith("`EmptyFile in ParseCsv`: `There is no header.`")


@pytest.mark.parametrize("message", ["plain words", "[1, 2]", "12"])
def test_what_is_no_notification_is_posted_as_it_is(message: str) -> None:
    body = json.loads(body_of({"Message": message, "Subject": "Hello"}))
    assert body == {
        "text": f"`Hello`\n`{message}`",
        "subject": "Hello",
        "notification": {"message": message},
    }


@pytest.mark.parametrize("subject", [None, ""])
def test_a_message_without_a_subject_has_one_in_the_chat(subject: str | None) -> None:
    assert json.loads(body_of({"Message": "x", "Subject": subject}))["subject"] == "Notification"
    assert json.loads(body_of({"Message": "x"}))["subject"] == "Notification"


@pytest.mark.parametrize("address", ["http://chat.example/secret", "file:///secret", "secret", ""])
def test_an_address_without_tls_is_refused(
    server: FakeServer, logs: Logs, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("WEBHOOK_URL", address)
    assert refused(sns("x")) == "The WebhookUrl parameter is not an https:// address."
    assert server.requests == []


@pytest.mark.parametrize(
    "address", ["https://chat.example/a secret\n", "https://chat:secret/", "https://[secret"]
)
def test_an_address_that_cannot_be_read_is_not_shown(
    logs: Logs, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("WEBHOOK_URL", address)
    assert "secret" not in refused(sns("x"))


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503])
def test_an_answer_that_is_an_error_fails_the_invocation(
    server: FakeServer, logs: Logs, status: int
) -> None:
    server.answer = status
    assert refused(sns("x")) == f"The webhook answered {status}."


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["http://chat.example/", "https://elsewhere.example/"])
def test_a_redirect_is_not_followed(
    server: FakeServer, logs: Logs, status: int, location: str
) -> None:
    server.answer = status
    server.location = location
    assert refused(sns("x")) == f"The webhook answered {status}."
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "error",
    [
        URLError("secret"),
        TimeoutError("secret"),
        ConnectionResetError("secret"),
        http.client.RemoteDisconnected("secret"),
        http.client.BadStatusLine("secret"),
        http.client.InvalidURL("secret"),
        ssl.SSLError("secret"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_answer_fails_the_invocation_without_the_address(
    server: FakeServer, logs: Logs, error: Exception
) -> None:
    server.answer = error
    assert refused(sns("x")) == f"The webhook did not answer: {type(error).__name__}."
    assert "secret" not in json.dumps(logs)


def test_the_address_is_never_logged(event: Event, server: FakeServer, logs: Logs) -> None:
    handler(event("webhook-alarm"), None)
    server.answer = 500
    refused(event("webhook-alarm"))
    assert "secret" not in json.dumps(logs)
    assert "chat.example" not in json.dumps(logs)


def test_a_function_without_an_address_says_so(
    event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WEBHOOK_URL", raising=False)
    with pytest.raises(SettingsError, match="WEBHOOK_URL"):
        handler(event("webhook-alarm"), None)
