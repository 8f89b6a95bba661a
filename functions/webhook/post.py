"""The body that is posted: a `text` that chats show, and the notification for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from shared.text import exact_json, for_chat, printable


def body_of(message: Mapping[str, Any]) -> bytes:
    """The JSON body for one SNS message: `{"text", "subject", "notification"}`.

    `text` is what the incoming webhooks of common chats show. Names and sentences in it are
    formatted as code, so that untrusted text can't mention anybody or become a link. `notification`
    is the message's own JSON, from the pipeline or from a CloudWatch alarm; a message that isn't
    JSON becomes `{"message": text}`.
    """
    notification = _notification(str(message["Message"]))
    subject = message.get("Subject") or "Notification"
    body = {
        "text": "\n".join([for_chat(subject), *_details(notification)]),
        "subject": printable(subject),
        "notification": notification,
    }
    return exact_json(body).encode()


def _notification(message: str) -> dict[str, Any]:
    try:
        document = json.loads(message)
    except ValueError:
        document = None
    return document if isinstance(document, dict) else {"message": message}


def _details(notification: Mapping[str, Any]) -> list[str]:
    """A few lines for people: about a file, about an alarm, or the message's text."""
    if "AlarmName" in notification:
        return _as_code(str(notification.get("NewStateReason", "")))
    if "file_id" not in notification:
        return _as_code(str(notification.get("message", "")))
    lines = [
        f"Source: {for_chat(notification['source'])}",
        f"File ID: {for_chat(notification['file_id'])}",
    ]
    if "error" in notification:
        error = notification["error"]
        where = for_chat(f"{error['code']} in {error['state']}")
        lines.append(f"{where}: {for_chat(error['message'])}")
    else:
        lines.append(
            f"{notification['processed_count']} processed, {notification['error_count']} rejected"
        )
    return lines


def _as_code(text: str) -> list[str]:
    """The lines of a text, each formatted for a chat."""
    return [for_chat(line) for line in text.splitlines()]
