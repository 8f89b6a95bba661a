"""Notify and NotifyFailure: what the topic's subscribers get, and how often."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.app import handler
from notify.message import CAUSE_LENGTH, Notification, failure_notification, success_notification
from shared.errors import InternalError, RecordOutdated, TransientError
from shared.job import Execution, Job
from shared.metadata import read_item, write_item
from tests.unit.functions import documents
from tests.unit.functions.conftest import Fault, Logs, Subscriber, client_error
from tests.unit.functions.documents import FILE_ID, METADATA_TABLE, OUTPUT_BUCKET, SOURCE
from tests.unit.functions.properties import quickly

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
MESSAGE_BYTES = 256 * 1024


def success(document: dict[str, Any] | None = None) -> Notification:
    document = document or documents.recorded()
    execution = Execution.from_context(documents.execution(document["attempt"]))
    return success_notification(Job.from_document(document), execution, "dev", OUTPUT_BUCKET)


def failed(message: str = "There is no header.", **source: Any) -> Notification:
    failure = documents.failure("EmptyFile", message)
    document = documents.job(source={**SOURCE, **source}, failure=failure)
    execution = Execution.from_context(documents.execution())
    return failure_notification(Job.from_document(document), execution, "dev")


def test_a_success_tells_people_what_and_where() -> None:
    text = success().text
    assert f"File ID: {FILE_ID}\n" in text
    assert f"Source: s3://{SOURCE['bucket']}/{SOURCE['key']}\n" in text
    assert f"Output: s3://{OUTPUT_BUCKET}/{documents.OUTPUT['processed_key']}\n" in text
    assert f"Summary: s3://{OUTPUT_BUCKET}/{documents.SUMMARY['summary_key']}\n" in text
    assert f"Rejected: s3://{OUTPUT_BUCKET}/{documents.OUTPUT['rejected_key']}\n" in text
    assert "- Records Processed: 197\n- Errors: 3\n- Status: succeeded\n" in text
    assert "- Bytes Read: 34567\n- Bytes Written: 54321\n- Time: 7.5 s\n" in text
    assert "Contract: contracts/orders.json, version v7\n" in text
    assert "Processed At: 2026-03-01T08:00:02.114Z\n" in text
    assert f"Execution: {documents.execution()['Id']}\n" in text


def test_a_success_tells_machines_the_same() -> None:
    document = success().document
    assert document["status"] == "succeeded"
    assert document["outputs"]["rejected"] == (
        f"s3://{OUTPUT_BUCKET}/{documents.OUTPUT['rejected_key']}"
    )
    assert (document["record_count"], document["processed_count"]) == (200, 197)
    assert document["error_count"] == 3
    assert (document["source_bytes"], document["output_bytes"]) == (34567, 54321)
    assert document["contract"] == {"key": "contracts/orders.json", "version": "v7"}
    assert document["duration_ms"] == 7500


def test_rejects_are_not_mentioned_where_there_are_none() -> None:
    clean = {**documents.OUTPUT, "error_count": 0, "rejected_key": None}
    notice = success(documents.recorded(output=clean))
    assert "Rejected" not in notice.text
    assert "correct a copy" not in notice.text
    assert notice.document["outputs"]["rejected"] is None
    assert notice.attributes["has_rejects"] == "false"
    assert success().attributes["has_rejects"] == "true"


def test_a_failure_tells_what_is_wrong_where_and_how_to_run_it_again() -> None:
    notice = failed()
    assert (
        "Status: failed\nError: EmptyFile\nStep: ParseCsv\nCause: There is no header.\n"
        in notice.text
    )
    assert "Correct the file and upload it again." in notice.text
    assert "pipectl rerun" not in notice.text
    assert "- Redrive" not in notice.text
    assert notice.document["contract"] is None
    assert notice.document["error"] == {
        "code": "EmptyFile",
        "message": "There is no header.",
        "state": "ParseCsv",
        "remedy": "upload",
    }
    assert notice.subject == "Data Pipeline: orders 2026-03.csv FAILED, EmptyFile"


@pytest.mark.parametrize("error", ["InternalError", "HeaderMismatch", "States.Timeout"])
def test_a_failure_that_a_rerun_can_help_says_how(error: str) -> None:
    document = documents.job(failure=documents.failure(error))
    execution = Execution.from_context(documents.execution())
    text = failure_notification(Job.from_document(document), execution, "dev").text
    assert f"- Run `pipectl rerun {FILE_ID}`\n" in text
    assert "- Choose Redrive on the execution's page" in text
    assert "upload it again" not in text


def test_subscribers_can_filter_by_attributes() -> None:
    assert success().attributes == {
        "status": "succeeded",
        "environment": "dev",
        "dataset": "orders",
        "file_id": FILE_ID,
        "notification_id": f"{FILE_ID}.succeeded",
        "has_rejects": "true",
    }
    assert failed().attributes["status"] == "failed"
    assert failed().attributes["error"] == "EmptyFile"


@pytest.mark.parametrize(
    ("dataset", "attribute"),
    [
        ("orders\n\t\x00\x7f\x85", r"orders\n\t\x00\x7f\x85"),
        ("a\ud800b\uffff", r"a\ud800b\uffff"),
        ("Größe-日本 \u200b", r"Größe-日本 \u200b"),
    ],
)
def test_an_attribute_has_no_character_that_sns_refuses(dataset: str, attribute: str) -> None:
    assert failed(dataset=dataset).attributes["dataset"] == attribute


@given(st.text(max_size=300))
@quickly
def test_a_subject_is_one_that_sns_takes(name: str) -> None:
    for notice in (
        failed(key=f"raw/orders/{name}.csv"),
        success(documents.recorded(source={**SOURCE, "key": f"raw/orders/{name}.csv"})),
    ):
        assert len(notice.subject) < 100
        assert all(" " <= character <= "~" for character in notice.subject)
        assert notice.subject.startswith("Data Pipeline: ")


def test_a_long_subject_keeps_its_outcome() -> None:
    subject = failed(key=f"raw/orders/{'a' * 300}.csv").subject
    assert len(subject) == 99
    assert subject.endswith(".csv FAILED, EmptyFile")


def test_people_get_text_and_machines_get_json() -> None:
    notice = success()
    by_protocol = notice.by_protocol()
    assert by_protocol["default"] == notice.text
    assert {json.dumps(json.loads(by_protocol[name])) for name in ("lambda", "sqs", "https")} == {
        json.dumps(notice.document)
    }


@pytest.mark.parametrize("character", ["\x01", '"', "\\", "😀", "x"])
def test_the_longest_cause_fits_into_a_message(character: str) -> None:
    # A cause has at most 32,768 characters.
    notice = failed(character * 32_768)
    assert len(json.dumps(notice.by_protocol(), ensure_ascii=False).encode()) < MESSAGE_BYTES
    assert len(notice.document["error"]["message"]) <= CAUSE_LENGTH


def test_a_repeat_bears_the_same_id_and_another_attempt_another_one() -> None:
    assert success().notification_id == success().notification_id == f"{FILE_ID}.succeeded"
    assert success(documents.recorded(2)).notification_id == f"{FILE_ID}-r2.succeeded"


RECORDED: dict[str, Any] = {"file_id": FILE_ID, "revision": 1, "status": "succeeded"}


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch, subscriber: Subscriber, table: Table) -> Subscriber:
    monkeypatch.setenv("ENVIRONMENT", "dev")
    monkeypatch.setenv("OUTPUT_BUCKET", OUTPUT_BUCKET)
    write_item(METADATA_TABLE, RECORDED, replaces=None)
    return subscriber


def notify(document: dict[str, Any], outcome: str, redrives: int | None = None) -> dict[str, Any]:
    return handler(documents.payload(document, redrives=redrives, outcome=outcome), None)


def failed_document(redrives: int | None = None) -> dict[str, Any]:
    return documents.job(failure=documents.failure(redrives=redrives))


def ids(messages: list[dict[str, Any]]) -> list[str]:
    return [json.loads(message["Message"])["notification_id"] for message in messages]


def test_a_success_is_published(topic: Subscriber, logs: Logs) -> None:
    result = notify(documents.recorded(), "succeeded")
    (message,) = topic.messages()
    assert message["Subject"] == "Data Pipeline: orders 2026-03.csv processed, 3 rejected"
    assert json.loads(message["Message"]) == success().document
    assert message["MessageAttributes"]["status"] == {"Type": "String", "Value": "succeeded"}
    assert result == {
        "notification_id": f"{FILE_ID}.succeeded",
        "message_id": message["MessageId"],
    }


def test_a_success_is_told_once_however_often_the_step_runs(topic: Subscriber, logs: Logs) -> None:
    first = notify(documents.recorded(), "succeeded")
    again = notify(documents.recorded(), "succeeded", redrives=1)
    assert again == first
    assert len(topic.messages()) == 1
    assert logs[-2]["message"] == "already notified"


def test_the_success_of_another_attempt_is_news(topic: Subscriber, logs: Logs) -> None:
    notify(documents.recorded(), "succeeded")
    notify(documents.recorded(2), "succeeded")
    assert ids(topic.messages()) == [f"{FILE_ID}.succeeded", f"{FILE_ID}-r2.succeeded"]


def test_after_a_crash_before_the_mark_the_repeat_bears_the_same_id(
    topic: Subscriber, logs: Logs, fault: Fault
) -> None:
    fault("UpdateItem", client_error("InternalServerError", "UpdateItem", status=500))
    with pytest.raises(TransientError):
        notify(documents.recorded(), "succeeded")
    notify(documents.recorded(), "succeeded")
    assert ids(topic.messages()) == [f"{FILE_ID}.succeeded"] * 2


def test_a_failure_is_told_for_every_run(topic: Subscriber, logs: Logs) -> None:
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


def test_a_success_that_the_item_does_not_tell_is_not_told(
    topic: Subscriber, logs: Logs, table: Table
) -> None:
    # As after an abort behind RecordMetadata, and a redrive.
    table.put_item(Item={**RECORDED, "status": "failed"})
    with pytest.raises(RecordOutdated):
        notify(documents.recorded(), "succeeded")
    assert topic.messages() == []


def test_each_execution_tells_its_success_once_whatever_another_one_does(
    topic: Subscriber, logs: Logs
) -> None:
    for attempt in (1, 2):
        notify(documents.recorded(attempt), "succeeded")
    assert ids(topic.messages()) == [f"{FILE_ID}.succeeded", f"{FILE_ID}-r2.succeeded"]
    # As after a failure behind Notify, when the first one is redriven.
    for attempt in (1, 2):
        notify(documents.recorded(attempt), "succeeded", redrives=1)
    assert topic.messages() == []


@pytest.mark.parametrize(
    ("code", "error"), [("Throttled", TransientError), ("AuthorizationError", InternalError)]
)
def test_a_topic_that_does_not_take_it_leaves_no_mark(
    topic: Subscriber, logs: Logs, fault: Fault, code: str, error: type[Exception]
) -> None:
    fault("Publish", client_error(code, "Publish", status=403))
    with pytest.raises(error):
        notify(documents.recorded(), "succeeded")
    assert "notified" not in (read_item(METADATA_TABLE, FILE_ID) or {})
