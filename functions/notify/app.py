"""Notify and NotifyFailure: tell the topic's subscribers how a file ended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from notify.message import Notification, failure_notification, success_notification
from shared.clients import sns, table
from shared.errors import aws_errors
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
    """Publish the notification. A success that the item says was told already is not told again."""
    settings = from_environment(Settings)
    if task.payload["outcome"] == "failed":
        notification = failure_notification(task.job, task.execution, settings.environment)
        return _publish(settings, notification)
    notification = success_notification(
        task.job, task.execution, settings.environment, settings.output_bucket
    )
    told = _told(settings, task.job.file_id)
    if told.get("notification_id") == notification.notification_id:
        logger().info("already told", extra=told)
        return told
    result = _publish(settings, notification)
    _mark_told(settings, task.job.file_id, result)
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


def _told(settings: Settings, file_id: str) -> dict[str, Any]:
    with aws_errors("the metadata table"):
        stored = table(settings.metadata_table).get_item(
            Key={"file_id": file_id}, ConsistentRead=True, ProjectionExpression="notified"
        )
    told: Any = stored.get("Item", {}).get("notified", {})
    return dict(told)


def _mark_told(settings: Settings, file_id: str, told: dict[str, Any]) -> None:
    """Between publishing and this mark a crash can repeat the message, under the same id."""
    with aws_errors("the metadata table"):
        table(settings.metadata_table).update_item(
            Key={"file_id": file_id},
            UpdateExpression="SET notified = :told, revision = revision + :one",
            ConditionExpression="attribute_exists(file_id)",
            ExpressionAttributeValues={":told": told, ":one": 1},
        )
