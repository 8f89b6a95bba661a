"""Notify and NotifyFailure: tell the topic's subscribers how a file ended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from notify.message import Notification, failure_notification, success_notification
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
    """Publish the notification. A success that the item says was told already is not told again.

    Raises `RecordOutdated` where the item does not tell the success any more.
    """
    settings = from_environment(Settings)
    if task.payload["outcome"] == "failed":
        notification = failure_notification(task.job, task.execution, settings.environment)
        return _publish(settings, notification)
    notification = success_notification(
        task.job, task.execution, settings.environment, settings.output_bucket
    )
    item = read_success(settings.metadata_table, task.job.file_id)
    # A mark for each execution: another one's success must not make this one's news again.
    marks: dict[str, Any] = item.get("notified", {})
    told: dict[str, Any] = marks.get(task.execution.name, {})
    # An execution's name, and so the id, is free again after 90 days; its start is not.
    same = {
        "notification_id": notification.notification_id,
        "processed_at": task.execution.start_time,
    }
    if same.items() <= told.items():
        logger().info("already told", extra=told)
        return {name: told[name] for name in ("notification_id", "message_id")}
    result = _publish(settings, notification)
    # Between publishing and this mark a crash can repeat the message, under the same id.
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
