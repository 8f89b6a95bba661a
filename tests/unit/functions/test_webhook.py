"""Webhook: posts notifications and alarms to a secret https address."""

from __future__ import annotations

import http.client
import io
import json
import ssl
import traceback
import urllib.request
from email.message import Message
from types import SimpleNamespace
from typing import Any
from urllib.error import URLError
from urllib.response import addinfourl

import pytest

import webhook.secret as secret_module
from notify.message import message_of, subject_of
from shared import clients
from shared.errors import InternalError, SettingsError, TransientError
from tests.documentation.outcome_examples import document_of, state_document
from tests.unit.functions import documents
from tests.unit.functions.conftest import Event, Fault, Logs, client_error
from webhook.app import TIMEOUT_SECONDS, WebhookRefused, handler
from webhook.post import body_of
from webhook.secret import MAX_AGE_SECONDS, UnusableSecret

SECRET = "chat/webhook"
# Part of every address here, and of nothing else.
KEY = "k3y-t0-ch4t"
ADDRESS = f"https://chat.example/services/T0/{KEY}"


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


class Secrets:
    """The webhook's secret, the clock that its age is measured with, and how often it was read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_800_000_000.0
        self.reads = 0
        clients.secretsmanager().create_secret(Name=SECRET, SecretString=ADDRESS)
        monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
        monkeypatch.setattr(secret_module, "_kept", {})
        monkeypatch.setattr(secret_module, "time", SimpleNamespace(time=lambda: self.now))
        original = secret_module._read

        def read(name: str) -> str:
            self.reads += 1
            return original(name)

        monkeypatch.setattr(secret_module, "_read", read)

    def put(self, value: str) -> None:
        clients.secretsmanager().put_secret_value(SecretId=SECRET, SecretString=value)


@pytest.fixture
def secrets(aws: None, monkeypatch: pytest.MonkeyPatch) -> Secrets:
    return Secrets(monkeypatch)


@pytest.fixture
def server(secrets: Secrets, monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    fake = FakeServer()
    monkeypatch.setattr(urllib.request.HTTPSHandler, "https_open", fake.open)
    monkeypatch.setattr(urllib.request.HTTPHandler, "http_open", fake.open)
    return fake


def sns(message: str, subject: str | None = "Subject") -> dict[str, Any]:
    return {"Records": [{"Sns": {"MessageId": "m1", "Subject": subject, "Message": message}}]}


def refused(event: dict[str, Any]) -> str:
    with pytest.raises((WebhookRefused, UnusableSecret)) as caught:
        handler(event, None)
    # What the runtime logs of an unhandled error.
    assert KEY not in "".join(traceback.format_exception(caught.value))
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
    assert "Runbook: docs/runbook.md#dead-letters" in body["text"]
    assert body["notification"]["AlarmName"] == "pipeline-dlq-alarm-dev"
    assert logs[-1]["status"] == 200


def as_subscribed(document: dict[str, Any]) -> dict[str, Any]:
    """The event of a document, as SNS sends it to functions."""
    return sns(json.loads(message_of(document))["default"], subject_of(document))


CONSOLE = (
    "https://eu-central-1.console.aws.amazon.com/states/home?region=eu-central-1"
    f"#/v2/executions/details/{documents.execution()['Id']}"
)


def test_a_success_is_posted_with_its_counts(server: FakeServer, logs: Logs) -> None:
    document = document_of(state_document("succeeded"), "succeeded")
    handler(as_subscribed(document), None)
    (body,) = server.bodies
    assert body["text"].splitlines() == [
        f"`{subject_of(document)}`",
        f"Source: `s3://{documents.SOURCE['bucket']}/{documents.SOURCE['key']}`",
        f"File ID: `{documents.FILE_ID}`",
        "197 processed, 3 rejected",
        CONSOLE,
    ]
    assert body["notification"] == document


def test_the_log_names_the_file_and_its_execution(server: FakeServer, logs: Logs) -> None:
    document = document_of(state_document("succeeded"), "succeeded")
    handler(as_subscribed(document), None)
    assert logs[-1]["file_id"] == documents.FILE_ID
    assert logs[-1]["execution"] == documents.execution()["Name"]
    assert logs[-1]["notification_id"] == document["notification_id"]


def test_a_failure_is_posted_with_its_reason(server: FakeServer, logs: Logs) -> None:
    state = documents.job(failure=documents.failure("EmptyFile", "There is no header."))
    handler(as_subscribed(document_of(state, "failed")), None)
    shown = server.bodies[0]["text"].splitlines()
    assert shown[-2:] == ["`EmptyFile in ParseCsv`: `There is no header.`", CONSOLE]


def test_a_superseded_file_is_posted_with_what_superseded_it(
    server: FakeServer, logs: Logs
) -> None:
    document = document_of(state_document("superseded"), "superseded")
    handler(as_subscribed(document), None)
    later = document["superseded_by"]["file_id"]
    assert server.bodies[0]["text"].splitlines()[-2] == f"Superseded by: `{later}`"


def test_only_a_page_of_the_console_becomes_a_link() -> None:
    document = document_of(state_document("succeeded"), "succeeded")
    document["links"] = {**document["links"], "execution": f"{CONSOLE} <!channel>"}
    text = json.loads(body_of({"Message": json.dumps(document)}))["text"]
    assert "http" not in text
    assert "channel" not in text


@pytest.mark.parametrize("message", ["plain words", "[1, 2]", "12"])
def test_other_messages_are_posted_unchanged(message: str) -> None:
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


@pytest.mark.parametrize(
    "value",
    [
        *(f"http://chat.example/{KEY}", f"file:///{KEY}", KEY, " "),
        *(f'{{"address": "https://chat.example/{KEY}"}}', f'{{"url": "http://{KEY}"}}', f"{{{KEY}"),
    ],
)
def test_a_secret_without_an_https_address_is_refused_without_its_value(
    server: FakeServer, secrets: Secrets, logs: Logs, value: str
) -> None:
    secrets.put(value)
    assert refused(sns("x")) == (
        "The secret chat/webhook has no https:// URL. Its value must be the URL alone, "
        'or JSON with the key "url".'
    )
    assert server.requests == []
    assert KEY not in json.dumps(logs)


@pytest.mark.parametrize("value", [f"{ADDRESS}\n", json.dumps({"url": ADDRESS})])
def test_a_secret_holds_the_address_alone_or_in_json(
    server: FakeServer, secrets: Secrets, logs: Logs, value: str
) -> None:
    secrets.put(value)
    handler(sns("x"), None)
    assert server.requests[0].full_url == ADDRESS


def test_a_missing_secret_is_named(
    server: FakeServer, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", "no/such")
    assert refused(sns("x")).startswith(
        "The secret no/such doesn't exist (ResourceNotFoundException). Create or restore it"
    )


def test_a_secret_that_is_being_deleted_is_named(server: FakeServer, logs: Logs) -> None:
    clients.secretsmanager().delete_secret(SecretId=SECRET)
    assert "doesn't exist (InvalidRequestException)" in refused(sns("x"))


def test_a_busy_secrets_manager_is_transient(server: FakeServer, logs: Logs, fault: Fault) -> None:
    fault("GetSecretValue", client_error("ThrottlingException", "GetSecretValue"))
    with pytest.raises(TransientError):
        handler(sns("x"), None)


def test_a_missing_permission_is_named(server: FakeServer, logs: Logs, fault: Fault) -> None:
    fault("GetSecretValue", client_error("AccessDeniedException", "GetSecretValue"))
    with pytest.raises(InternalError, match="the secret chat/webhook answered AccessDenied"):
        handler(sns("x"), None)


def test_the_secret_is_read_once_and_again_when_it_is_old(
    server: FakeServer, secrets: Secrets, logs: Logs
) -> None:
    handler(sns("x"), None)
    secrets.put(f"{ADDRESS}/new")
    secrets.now += MAX_AGE_SECONDS - 1
    handler(sns("x"), None)
    assert secrets.reads == 1
    secrets.now += 1
    handler(sns("x"), None)
    assert [request.full_url for request in server.requests] == [
        *(ADDRESS, ADDRESS, f"{ADDRESS}/new")
    ]
    assert secrets.reads == 2


def test_a_clock_that_is_set_back_does_not_keep_the_secret(
    server: FakeServer, secrets: Secrets, logs: Logs
) -> None:
    handler(sns("x"), None)
    secrets.now -= 1
    handler(sns("x"), None)
    assert secrets.reads == 2


def test_after_a_refusal_the_secret_is_read_again(
    server: FakeServer, secrets: Secrets, logs: Logs
) -> None:
    server.answer = 404
    refused(sns("x"))
    secrets.put(f"{ADDRESS}/rotated")
    server.answer = 200
    handler(sns("x"), None)
    assert server.requests[-1].full_url == f"{ADDRESS}/rotated"


@pytest.mark.parametrize(
    "address", [f"https://chat.example/a {KEY}\n b", f"https://chat:{KEY}/", f"https://[{KEY}"]
)
def test_an_address_that_cannot_be_read_is_not_shown(
    secrets: Secrets, logs: Logs, address: str
) -> None:
    secrets.put(address)
    assert "did not answer" in refused(sns("x"))
    assert KEY not in json.dumps(logs)


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503])
def test_an_error_response_fails_the_invocation(
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
        URLError(KEY),
        TimeoutError(KEY),
        ConnectionResetError(KEY),
        http.client.RemoteDisconnected(KEY),
        http.client.BadStatusLine(KEY),
        http.client.InvalidURL(KEY),
        ssl.SSLError(KEY),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_missing_response_fails_the_invocation_without_showing_the_address(
    server: FakeServer, logs: Logs, error: Exception
) -> None:
    server.answer = error
    assert refused(sns("x")) == f"The webhook did not answer: {type(error).__name__}."
    assert KEY not in json.dumps(logs)


def test_the_address_is_never_logged(event: Event, server: FakeServer, logs: Logs) -> None:
    handler(event("webhook-alarm"), None)
    server.answer = 500
    refused(event("webhook-alarm"))
    assert KEY not in json.dumps(logs)
    assert "chat.example" not in json.dumps(logs)


def test_a_function_without_an_address_says_so(
    event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WEBHOOK_SECRET", raising=False)
    with pytest.raises(SettingsError, match="WEBHOOK_SECRET"):
        handler(event("webhook-alarm"), None)
