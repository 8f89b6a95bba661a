"""The messages of SQS and SNS as documents for the folder of `pipectl up --data`, and back.

A queue's document lists its messages. All of them are visible after a restart: those who had
received one are gone, or have a receipt handle that is no longer valid. A topic's document lists
what it has published.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from moto.sns.models import sns_backends
from moto.sqs.models import Message, sqs_backends

from pipectl.embedded.data_folder import DataFolder, Name
from pipectl.embedded.saving import Kept
from pipectl.embedded.template import ACCOUNT, REGION

QUEUE, TOPIC = "queue", "topic"

# moto's attributes of a message that are kept as they are.
_ATTRIBUTES = (
    *("id", "body", "sender_id", "sent_timestamp", "approximate_first_receive_timestamp"),
    *("approximate_receive_count", "deduplication_id", "group_id", "sequence_number"),
    "delayed_until",
)


def listed() -> list[Kept]:
    """All queues and topics."""
    # Dead-letter queues last, so that a message that is just being moved is in one of the lists.
    queues = sorted(_queues().values(), key=lambda queue: queue.dead_letter_queue is None)
    kept = []
    for queue in queues:
        messages = [_described(message) for message in list(queue._messages)]
        kept.append(Kept.of(Name(QUEUE, queue.name), messages))
    for arn, topic in list(_topics().items()):
        sent = list(topic.sent_notifications)
        kept.append(Kept(Name(TOPIC, arn), partial(_encoded, sent), version=len(sent)))
    return kept


def restore(folder: DataFolder) -> None:
    """Put the messages into the queues and topics, without delivering any.

    Raises `PipectlError` if the stack does not have a queue or topic with messages.
    """
    for name, messages in folder.documents(QUEUE):
        queue = _found(_queues(), name, messages, folder)
        for message in messages:
            queue.add_message(_message(message))
    for arn, sent in folder.documents(TOPIC):
        topic = _found(_topics(), arn, sent, folder)
        for one in sent:
            topic.sent_notifications.append(tuple(_decoded(one)))


def _queues() -> dict[str, Any]:
    queues: dict[str, Any] = sqs_backends[ACCOUNT][REGION].queues
    return queues


def _topics() -> dict[str, Any]:
    topics: dict[str, Any] = sns_backends[ACCOUNT][REGION].topics
    return topics


def _found(present: Mapping[str, Any], name: str, messages: Any, folder: DataFolder) -> Any:
    if name not in present and messages:
        raise folder.of_another_stack(name)
    return present.get(name)


def _described(message: Any) -> dict[str, Any]:
    return {
        **{name: getattr(message, name) for name in _ATTRIBUTES},
        "message_attributes": _encoded(message.message_attributes),
        "system_attributes": _encoded(message.system_attributes),
    }


def _message(document: Mapping[str, Any]) -> Any:
    message: Any = Message(
        document["id"], document["body"], _decoded(document["system_attributes"])
    )
    for name in _ATTRIBUTES:
        setattr(message, name, document[name])
    message.message_attributes = _decoded(document["message_attributes"])
    return message


# JSON has no bytes, which values of attributes can be. No name of an attribute contains a space.
_BYTES = "base64 of"


def _encoded(value: Any) -> Any:
    if isinstance(value, bytes):
        return {_BYTES: base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {name: _encoded(item) for name, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_encoded(item) for item in value]
    return value


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {_BYTES}:
        return base64.b64decode(value[_BYTES])
    return {name: _decoded(item) for name, item in value.items()}
