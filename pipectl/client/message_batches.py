"""Sends many messages to a queue, ten with each request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

Item = TypeVar("Item")

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
MOST_ENTRIES = 10
# All entries together. SQS accepts more since August 2025, but not everywhere: a queue's
# MaximumMessageSize may still be this.
MOST_BYTES = 256 * 1024


def batches(items: Iterable[Item], body_of: Callable[[Item], str]) -> Iterator[list[Item]]:
    """The items in batches whose messages fit into one request; a longer message is alone."""
    batch: list[Item] = []
    size = 0
    for item in items:
        added = len(body_of(item).encode())
        if batch and (len(batch) == MOST_ENTRIES or size + added > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += added
    if batch:
        yield batch


def send_batch(sqs: SQSClient, queue_url: str, bodies: Sequence[str]) -> dict[int, str]:
    """Send the messages of a batch; returns why messages were refused, by their positions.

    Raises `ClientError` if the whole request is refused: then none was sent.
    """
    answer = sqs.send_message_batch(
        QueueUrl=queue_url,
        Entries=[
            {"Id": str(position), "MessageBody": body} for position, body in enumerate(bodies)
        ],
    )
    return {
        int(refused["Id"]): f"{refused['Code']}: {refused.get('Message', 'no reason was given')}"
        for refused in answer.get("Failed", [])
    }
