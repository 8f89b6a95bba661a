"""Notify and NotifyFailure: notify the topic's subscribers of a file's outcome."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from notify.message import (
    Notification,
    failure_notification,
    success_notification,
    superseded_notification,
)
from shared.clients import sns
from shared.errors import aws_errors
from shared.metadata import mark_item, read_success
from shared.observability import logger
from shared.settings import from_environment
from shared.step import Task, step


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    environment: str
    notification_topic_arn: str
    metadata_table: str
    output_bucket: str


@step()
def handler(task: Task) -> dict[str, Any]:
    """Publish the notification, unless the metadata item says that it was published already.

    The payload's `outcome` is `succeeded` or `failed`. Returns the notification's ID and SNS's
    message ID. Raises `RecordOutdated` if the item no longer records the file's success, and
    `TransientError` if SNS or DynamoDB is busy.
    """
    settings = from_environment(Settings)
    if task.payload["outcome"] == "failed":
        notification = failure_notification(task.job, task.execution, settings.environment)
        return _publish(settings, notification)
    if task.job.superseded_by:
        notification = superseded_notification(task.job, task.execution, settings.environment)
    else:
        notification = success_notification(
            task.job, task.execution, settings.environment, settings.output_bucket
        )
    item = read_success(settings.metadata_table, task.job.file_id)
    # One mark for each execution, so that the success of another one doesn't cause a repetition.
    marks: dict[str, Any] = item.get("notified", {})
    mark: dict[str, Any] = marks.get(task.execution.name, {})
    # An execution's name, and so the ID, can be used again after 90 days; its start is unique.
    same = {
        "notification_id": notification.notification_id,
        "processed_at": task.execution.start_time,
    }
    if same.items() <= mark.items():
        logger().info("already notified", extra=mark)
        return {name: mark[name] for name in ("notification_id", "message_id")}
    result = _publish(settings, notification)
    # A crash between publishing and this mark repeats the message, with the same notification ID.
    marks = {**marks, task.execution.name: {**same, **result}}
    mark_item(settings.metadata_table, task.job.file_id, "notified", marks)
    return result


def _publish(settings: Settings, notification: Notification) -> dict[str, Any]:
    with aws_errors("the notification topic"):
        response = sns().publish(
            TopicArn=settings.notification_topic_arn,
            Subject=notification.subject,
            Message=json.dumps(notification.by_protocol(), ensure_ascii=False),
            MessageStructure="json",
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in notification.attributes.items()
            },
        )
    return {
        "notification_id": notification.notification_id,
        "message_id": response["MessageId"],
    }
