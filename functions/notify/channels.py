"""The channels that an outcome document is sent to: the SNS topic and an EventBridge bus."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from botocore.exceptions import ClientError

from notify.message import attributes_of, event_of, message_of, subject_of
from notify.outcome import Document
from shared.clients import events, sns
from shared.errors import PipelineError, TransientError, aws_errors
from shared.observability import logger

Send = Callable[[Document], str]
"""Sends the document and returns the service's ID of what it accepted."""


class NotSent(Exception):
    """Not every channel has accepted the document; `sent` are the IDs of those that have."""

    def __init__(self, error: PipelineError, sent: Mapping[str, str]) -> None:
        super().__init__(str(error))
        self.error = error
        self.sent = dict(sent)


def send(
    document: Document, channels: Mapping[str, Send], sent: Mapping[str, str]
) -> dict[str, str]:
    """Send the document to each channel that is not in `sent`; the IDs of all channels.

    A channel that fails doesn't keep the document from the others. Then it raises `NotSent`, with a
    `TransientError` if a retry can help.
    """
    ids = dict(sent)
    errors: list[PipelineError] = []
    for name, send_to in channels.items():
        if name in ids:
            continue
        try:
            ids[name] = send_to(document)
        except PipelineError as error:
            logger().warning("not sent", extra={"channel": name, "error": type(error).__name__})
            errors.append(error)
    if errors:
        # The sort is stable: without a transient error the first one is raised.
        errors.sort(key=lambda error: not isinstance(error, TransientError))
        raise NotSent(errors[0], ids)
    return ids


def to_topic(topic_arn: str) -> Send:
    """Publishes to the topic; returns the message ID."""

    def publish(document: Document) -> str:
        with aws_errors("the notification topic"):
            response = sns().publish(
                TopicArn=topic_arn,
                Subject=subject_of(document),
                Message=message_of(document),
                MessageStructure="json",
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in attributes_of(document).items()
                },
            )
        return response["MessageId"]

    return publish


def to_bus(bus: str) -> Send:
    """Puts an event on the bus; returns the event's ID."""

    def put(document: Document) -> str:
        with aws_errors(f"the event bus {bus}"):
            response = events().put_events(Entries=[event_of(document, bus)])
            (entry,) = response["Entries"]
            # PutEvents answers 200 even if it didn't accept the entry.
            if response["FailedEntryCount"]:
                code = entry.get("ErrorCode", "Unknown")
                raise ClientError({"Error": {"Code": code}}, "PutEvents")
        return entry["EventId"]

    return put
