"""Notify and NotifyFailure: report a file's outcome to the topic and to EventBridge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from notify.channels import NotSent, send, to_bus, to_topic
from notify.marks import ItemMarks, Marks, StoredMarks
from notify.outcome import StackLocation, Status, outcome_document
from shared.job import iso
from shared.metadata import read_success
from shared.observability import logger
from shared.settings import from_environment
from shared.step import Task, step


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    environment: str
    event_bus_name: str
    notification_topic_arn: str
    metadata_table: str
    output_bucket: str


@step()
def handler(task: Task) -> dict[str, Any]:
    """Send the outcome document to every channel that hasn't accepted it yet.

    The payload's `outcome` is `failed`, or anything else if the file succeeded or was superseded.
    Returns the notification's ID, SNS's message ID and EventBridge's event ID. Raises
    `RecordOutdated` if the item records a failure, and `TransientError` if a channel or DynamoDB is
    busy; the repeated step then sends the same notification ID to the channels that were left.
    """
    settings = from_environment(Settings)
    status = _status(task)
    place = StackLocation(settings.environment, settings.output_bucket)
    document = outcome_document(
        task.job, task.execution, place, status=status, ended_at=_ended_at(task, status)
    )
    notification_id = document["notification_id"]
    marks = _marks(task, settings, status, notification_id)
    # E-mails last: a bus that is slow to answer must not let the function time out between an
    # e-mail and its mark, because people would get it twice.
    channels = {
        "event_id": to_bus(settings.event_bus_name),
        "message_id": to_topic(settings.notification_topic_arn),
    }
    if channels.keys() <= marks.sent.keys():
        logger().info("already notified", extra=dict(marks.sent))
        return {"notification_id": notification_id, **marks.sent}
    try:
        sent = send(document, channels, marks.sent)
    except NotSent as error:
        if error.sent != marks.sent:
            marks.add(error.sent)
        raise error.error from None
    # A crash between sending and this mark repeats the message, with the same notification ID.
    if status != "failed":
        marks.add(sent)
    return {"notification_id": notification_id, **sent}


def _status(task: Task) -> Status:
    if task.payload["outcome"] == "failed":
        return "failed"
    return "superseded" if task.job.superseded_by else "succeeded"


def _ended_at(task: Task, status: Status) -> str:
    # Until the outcome was recorded, so that a repeated message gives the same duration. A failure
    # is recorded after it is reported.
    if status == "failed":
        return iso(datetime.now(UTC))
    return str(task.job.results["record"]["recorded_at"])


def _marks(task: Task, settings: Settings, status: Status, notification_id: str) -> Marks:
    file_id = task.job.file_id
    if status == "failed":
        return StoredMarks.read(settings.output_bucket, task.work.notified(notification_id))
    notified = None
    if not (task.is_first_run and task.job.results["record"].get("is_new")):
        notified = read_success(settings.metadata_table, file_id).get("notified", {})
    return ItemMarks(settings.metadata_table, file_id, task.execution, notification_id, notified)
