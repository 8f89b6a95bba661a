"""What is posted: a `text` that chats show, and the notification for machines beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def body_of(message: Mapping[str, Any]) -> bytes:
    """The JSON body for one SNS message: `{"text", "subject", "notification"}`.

    `text` is what the incoming webhooks of common chats show. `notification` is the message's
    own JSON, from the pipeline or from a CloudWatch alarm; a message that is no JSON is kept as
    `{"message": text}`.
    """
    notification = _notification(str(message["Message"]))
    subject = message.get("Subject") or "Notification"
    body = {
        "text": "\n".join([subject, *_details(notification)]),
        "subject": subject,
        "notification": notification,
    }
    return json.dumps(body, ensure_ascii=False).encode()


def _notification(message: str) -> dict[str, Any]:
    try:
        document = json.loads(message)
    except ValueError:
        document = None
    return document if isinstance(document, dict) else {"message": message}


def _details(notification: Mapping[str, Any]) -> list[str]:
    """A few lines for a reader: those of the pipeline, of an alarm, or the text as it is."""
    if "AlarmName" in notification:
        return [str(notification.get("NewStateReason", ""))]
    if "file_id" not in notification:
        return [str(notification.get("message", ""))]
    lines = [f"Source: {notification['source']}", f"File ID: {notification['file_id']}"]
    if "error" in notification:
        error = notification["error"]
        lines.append(f"{error['code']} in {error['state']}: {error['message']}")
    else:
        lines.append(
            f"{notification['processed_count']} processed, {notification['error_count']} rejected"
        )
    return lines
