"""The body that is posted: a `text` that chats show, and the notification for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared.text import exact_json, for_chat, printable

# Only this becomes a link. An execution that was started by hand can have any name.
_CONSOLE_PAGE = re.compile(
    r"https://[a-z0-9.-]+/states/home\?region=[a-z0-9-]+#/v2/executions/details/[\w:-]+", re.ASCII
)


def body_of(message: Mapping[str, Any]) -> bytes:
    """The JSON body for one SNS message: `{"text", "subject", "notification"}`.

    `text` is what the incoming webhooks of common chats show. Names and sentences in it are
    formatted as code, so that untrusted text can't mention anybody or become a link. `notification`
    is the message's own JSON, the pipeline's outcome document or a CloudWatch alarm; a message that
    isn't JSON becomes `{"message": text}`.
    """
    notification = _notification(str(message["Message"]))
    subject = message.get("Subject") or "Notification"
    body = {
        "text": "\n".join([for_chat(subject), *_details(notification)]),
        "subject": printable(subject),
        "notification": notification,
    }
    return exact_json(body).encode()


def about(message: Mapping[str, Any]) -> dict[str, str]:
    """The file, execution and notification that an SNS message is about, for the log."""
    notification = _notification(str(message["Message"]))
    if "execution" not in notification:
        return {}
    return {
        "file_id": notification["file_id"],
        "execution": notification["execution"]["name"],
        "notification_id": notification["notification_id"],
    }


def _notification(message: str) -> dict[str, Any]:
    try:
        document = json.loads(message)
    except ValueError:
        document = None
    return document if isinstance(document, dict) else {"message": message}


def _details(notification: Mapping[str, Any]) -> list[str]:
    """A few lines for people: about a file, about an alarm, or the message's text."""
    if "AlarmName" in notification:
        texts = (notification.get("AlarmDescription"), notification.get("NewStateReason"))
        return [line for text in texts for line in _as_code(str(text or ""))]
    if "file_id" not in notification:
        return _as_code(str(notification.get("message", "")))
    return [*_about_file(notification)]


def _about_file(document: Mapping[str, Any]) -> Iterator[str]:
    """The lines about a file, from its outcome document."""
    yield f"Source: {for_chat(document['source']['uri'])}"
    yield f"File ID: {for_chat(document['file_id'])}"
    error, counts = document["error"], document["counts"]
    if error:
        where = for_chat(f"{error['code']} in {error['state']}")
        yield f"{where}: {for_chat(error['message'])}"
    elif document["superseded_by"]:
        yield f"Superseded by: {for_chat(document['superseded_by']['file_id'])}"
    elif counts:
        yield f"{counts['processed']} processed, {counts['rejected']} rejected"
    link = str(document["links"]["execution"])
    if _CONSOLE_PAGE.fullmatch(link):
        yield link


def _as_code(text: str) -> list[str]:
    """The lines of a text, each formatted for a chat."""
    return [for_chat(line) for line in text.splitlines()]
