"""Notify and NotifyFailure: what is sent to which channel, and how often."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from notify.app import handler
from shared import clients, keys
from shared.errors import InternalError, RecordOutdated, TransientError
from shared.metadata import read_item, write_item
from tests.documentation.outcome_examples import OUTCOME, document_of, state_document
from tests.infrastructure.deployed import ROOT
from tests.unit.functions import documents
from tests.unit.functions.conftest import Fault, Logs, Subscriber, client_error
from tests.unit.functions.documents import FILE_ID, METADATA_TABLE, OUTPUT_BUCKET

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table
    from mypy_boto3_s3 import S3Client

BUS = "files"
PAGE = (ROOT / "docs" / "outputs.md").read_text("utf-8")


RECORDED: dict[str, Any] = {"file_id": FILE_ID, "revision": 1, "status": "succeeded"}


@pytest.fixture
def topic(
    monkeypatch: pytest.MonkeyPatch, subscriber: Subscriber, table: Table, buckets: S3Client
) -> Subscriber:
    monkeypatch.setenv("ENVIRONMENT", "dev")
    monkeypatch.setenv("EVENT_BUS_NAME", BUS)
    monkeypatch.setenv("OUTPUT_BUCKET", OUTPUT_BUCKET)
    write_item(METADATA_TABLE, RECORDED, replaces=None)
    clients.events().create_event_bus(Name=BUS)
    return subscriber


class Events:
    """A queue that a rule sends the bus's events to, those of a pattern."""

    def __init__(self, name: str, pattern: dict[str, Any]) -> None:
        self._queue = clients.sqs().create_queue(QueueName=name)["QueueUrl"]
        attributes = clients.sqs().get_queue_attributes(
            QueueUrl=self._queue, AttributeNames=["QueueArn"]
        )
        clients.events().put_rule(Name=name, EventBusName=BUS, EventPattern=json.dumps(pattern))
        clients.events().put_targets(
            Rule=name,
            EventBusName=BUS,
            Targets=[{"Id": "queue", "Arn": attributes["Attributes"]["QueueArn"]}],
        )

    def events(self) -> list[dict[str, Any]]:
        """The events since the last call."""
        answer = clients.sqs().receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10)
        found = [json.loads(message["Body"]) for message in answer.get("Messages", [])]
        for event in found:
            OUTCOME.validate(event["detail"])
        return found

    def ids(self) -> list[str]:
        """The notification IDs of the events since the last call."""
        return [event["detail"]["notification_id"] for event in self.events()]


@pytest.fixture
def bus(topic: Subscriber) -> Events:
    return Events("all-files", {"source": ["data-pipeline"]})


def notify(document: dict[str, Any], outcome: str, redrives: int | None = None) -> dict[str, Any]:
    return handler(documents.payload(document, redrives=redrives, outcome=outcome), None)


def failed_document(redrives: int | None = None) -> dict[str, Any]:
    return documents.job(failure=documents.failure(redrives=redrives))


def ids(messages: list[dict[str, Any]]) -> list[str]:
    return [json.loads(message["Message"])["notification_id"] for message in messages]


def test_a_success_is_sent_to_every_channel(topic: Subscriber, bus: Events, logs: Logs) -> None:
    result = notify(documents.recorded(), "succeeded")
    (message,) = topic.messages()
    assert message["Subject"] == "Data Pipeline: orders 2026-03.csv processed, 3 rejected"
    document = document_of(documents.recorded(), "succeeded")
    assert json.loads(message["Message"]) == document
    assert message["MessageAttributes"]["status"] == {"Type": "String", "Value": "succeeded"}
    (event,) = bus.events()
    assert event["detail"] == document
    assert event["detail-type"] == "File Processed"
    assert event["resources"] == [documents.execution()["Id"]]
    assert result == {
        "notification_id": f"{FILE_ID}.succeeded",
        "message_id": message["MessageId"],
        "event_id": event["id"],
    }


def test_a_failure_is_sent_to_every_channel(topic: Subscriber, bus: Events, logs: Logs) -> None:
    notify(state_document("failed"), "failed")
    (message,) = topic.messages()
    (event,) = bus.events()
    assert message["Subject"] == "Data Pipeline: orders 2026-03.csv FAILED, TooManyRejects"
    assert event["detail-type"] == "File Failed"
    assert json.loads(message["Message"]) == event["detail"]
    assert event["detail"]["error"]["details"]["rejected"] == 16


def test_a_superseded_file_is_sent_to_every_channel(
    topic: Subscriber, bus: Events, logs: Logs, table: Table
) -> None:
    table.put_item(Item={**RECORDED, "status": "superseded"})
    first = notify(state_document("superseded"), "superseded")
    (message,) = topic.messages()
    (event,) = bus.events()
    assert message["Subject"] == "Data Pipeline: orders 2026-03.csv superseded"
    assert message["MessageAttributes"]["status"]["Value"] == "superseded"
    assert event["detail-type"] == "File Superseded"
    assert json.loads(message["Message"]) == event["detail"]
    assert notify(state_document("superseded"), "superseded", redrives=1) == first
    assert (topic.messages(), bus.events()) == ([], [])


def test_a_success_is_sent_once_however_often_the_step_runs(topic: Subscriber, logs: Logs) -> None:
    first = notify(documents.recorded(), "succeeded")
    again = notify(documents.recorded(), "succeeded", redrives=1)
    assert again == first
    assert len(topic.messages()) == 1
    assert logs[-2]["message"] == "already notified"


def test_the_success_of_another_attempt_is_sent(topic: Subscriber, logs: Logs) -> None:
    notify(documents.recorded(), "succeeded")
    notify(documents.recorded(2), "succeeded")
    assert ids(topic.messages()) == [f"{FILE_ID}.succeeded", f"{FILE_ID}-r2.succeeded"]


def test_after_a_crash_before_the_mark_the_repeat_has_the_same_id(
    topic: Subscriber, logs: Logs, fault: Fault
) -> None:
    fault("UpdateItem", client_error("InternalServerError", "UpdateItem", status=500))
    with pytest.raises(TransientError):
        notify(documents.recorded(), "succeeded")
    notify(documents.recorded(), "succeeded")
    assert ids(topic.messages()) == [f"{FILE_ID}.succeeded"] * 2


def test_a_failure_is_sent_for_every_run(topic: Subscriber, logs: Logs) -> None:
    notify(failed_document(), "failed")
    notify(failed_document(redrives=1), "failed", redrives=1)
    assert ids(topic.messages()) == [f"{FILE_ID}.failed.0", f"{FILE_ID}.failed.1"]


def test_a_failure_needs_no_item(topic: Subscriber, logs: Logs, table: Table) -> None:
    table.delete_item(Key={"file_id": FILE_ID})
    notify(failed_document(), "failed")
    assert len(topic.messages()) == 1


def test_a_failure_leaves_the_item_as_it_is(topic: Subscriber, logs: Logs) -> None:
    notify(failed_document(), "failed")
    assert read_item(METADATA_TABLE, FILE_ID) == RECORDED


def test_a_success_that_the_item_does_not_record_is_not_sent(
    topic: Subscriber, logs: Logs, table: Table
) -> None:
    # As after an abort after RecordMetadata, and a redrive.
    table.put_item(Item={**RECORDED, "status": "failed"})
    with pytest.raises(RecordOutdated):
        notify(documents.recorded(), "succeeded")
    assert topic.messages() == []


def test_each_execution_sends_its_success_once_independently_of_others(
    topic: Subscriber, logs: Logs
) -> None:
    for attempt in (1, 2):
        notify(documents.recorded(attempt), "succeeded")
    assert ids(topic.messages()) == [f"{FILE_ID}.succeeded", f"{FILE_ID}-r2.succeeded"]
    # As after a failure after Notify, when the first one is redriven.
    for attempt in (1, 2):
        notify(documents.recorded(attempt), "succeeded", redrives=1)
    assert topic.messages() == []


@pytest.mark.parametrize(
    ("code", "error"), [("Throttled", TransientError), ("AuthorizationError", InternalError)]
)
def test_a_topic_that_refuses_the_message_is_not_marked(
    topic: Subscriber, logs: Logs, fault: Fault, code: str, error: type[Exception]
) -> None:
    fault("Publish", client_error(code, "Publish", status=403))
    with pytest.raises(error):
        notify(documents.recorded(), "succeeded")
    item = read_item(METADATA_TABLE, FILE_ID)
    assert item is not None
    assert item["notified"][FILE_ID].keys() == {"notification_id", "processed_at", "event_id"}


@pytest.mark.usefixtures("logs")
@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
@pytest.mark.parametrize("failing", ["Publish", "PutEvents"])
def test_a_repeat_sends_only_to_the_channel_that_failed(
    topic: Subscriber, bus: Events, fault: Fault, failing: str, outcome: str
) -> None:
    document = failed_document() if outcome == "failed" else documents.recorded()
    fault(failing, client_error("InternalServerError", failing, status=500))
    with pytest.raises(TransientError):
        notify(document, outcome)
    counts = (len(topic.messages()), len(bus.events()))
    assert counts == ((0, 1) if failing == "Publish" else (1, 0))
    result = notify(document, outcome)
    counts = (len(topic.messages()), len(bus.events()))
    assert counts == ((1, 0) if failing == "Publish" else (0, 1))
    assert result.keys() == {"notification_id", "message_id", "event_id"}


def test_a_failure_that_every_channel_accepted_leaves_no_mark(
    topic: Subscriber, logs: Logs, buckets: S3Client
) -> None:
    notify(failed_document(), "failed")
    listed = buckets.list_objects_v2(
        Bucket=OUTPUT_BUCKET, Prefix=keys.Work(FILE_ID, FILE_ID).notified("")
    )
    assert "Contents" not in listed


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ThrottlingException", TransientError),
        ("InternalFailure", TransientError),
        ("InternalException", TransientError),
        ("NotAuthorizedForSourceException", InternalError),
    ],
)
def test_an_entry_that_eventbridge_refuses_is_an_error(
    topic: Subscriber,
    logs: Logs,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    error: type[Exception],
) -> None:
    entry = {"ErrorCode": code, "ErrorMessage": "the service's words: secret-cell"}
    answer = {"FailedEntryCount": 1, "Entries": [entry]}
    monkeypatch.setattr(clients.events(), "put_events", lambda **_: answer)
    with pytest.raises(error, match=code) as caught:
        notify(documents.recorded(), "succeeded")
    assert "secret-cell" not in str(caught.value)
    # The other channel has it.
    assert ids(topic.messages()) == [f"{FILE_ID}.succeeded"]


def test_a_retry_is_asked_for_if_it_helps_one_of_two_failing_channels(
    topic: Subscriber, logs: Logs, fault: Fault
) -> None:
    fault("Publish", client_error("AuthorizationError", "Publish", status=403))
    fault("PutEvents", client_error("ThrottlingException", "PutEvents"))
    with pytest.raises(TransientError):
        notify(documents.recorded(), "succeeded")
    assert "notified" not in (read_item(METADATA_TABLE, FILE_ID) or {})


def documented_filters() -> list[dict[str, Any]]:
    """The filter policy and the event pattern that docs/outputs.md shows."""
    section = PAGE.partition("### Filters\n")[2].partition("\n## ")[0]
    return [json.loads(block) for block in re.findall(r"```json\n(.+?)\n```", section, re.DOTALL)]


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        (documented_filters()[1], ["succeeded"]),
        ({"source": ["data-pipeline"], "detail-type": ["File Processed"]}, ["succeeded"]),
        ({"detail": {"status": ["failed", "superseded"]}}, ["failed", "superseded"]),
        (
            {"detail": {"dataset": ["orders"], "environment": ["dev"]}},
            ["succeeded", "failed", "superseded"],
        ),
        ({"detail": {"dataset": [{"anything-but": "orders"}]}}, []),
        ({"detail": {"counts": {"rejected": [{"numeric": [">", 10]}]}}}, ["failed"]),
        ({"detail": {"error": {"code": ["TooManyRejects"]}}}, ["failed"]),
    ],
)
def test_rules_can_filter_by_every_field(
    topic: Subscriber,
    logs: Logs,
    table: Table,
    pattern: dict[str, Any],
    matched: list[str],
) -> None:
    events = Events("some-files", pattern)
    for status in ("succeeded", "failed", "superseded"):
        notify(state_document(status), status)
    assert [event["detail"]["status"] for event in events.events()] == matched


@pytest.mark.parametrize(
    ("policy", "matched"),
    [
        (documented_filters()[0], ["succeeded", "failed"]),
        ({"status": ["failed"]}, ["failed"]),
        ({"status": [{"anything-but": ["superseded"]}]}, ["succeeded", "failed"]),
        ({"dataset": ["orders"], "has_rejects": ["true"]}, ["succeeded", "failed"]),
        ({"environment": ["prod"]}, []),
        ({"error": [{"exists": True}]}, ["failed"]),
    ],
)
def test_subscriptions_can_filter_by_attributes(
    topic: Subscriber,
    logs: Logs,
    policy: dict[str, Any],
    matched: list[str],
) -> None:
    sns = clients.sns()
    (subscription,) = sns.list_subscriptions()["Subscriptions"]
    sns.set_subscription_attributes(
        SubscriptionArn=subscription["SubscriptionArn"],
        AttributeName="FilterPolicy",
        AttributeValue=json.dumps(policy),
    )
    for status in ("succeeded", "failed", "superseded"):
        notify(state_document(status), status)
    received = [json.loads(message["Message"])["status"] for message in topic.messages()]
    assert received == matched
