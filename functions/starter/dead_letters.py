"""Moves messages that can't be handled to the dead-letter queue."""

from __future__ import annotations

from shared.clients import sqs
from shared.errors import aws_errors


def move_to_dead_letter_queue(body: str, dead_letter_queue_url: str) -> None:
    """Send a message's body to the dead-letter queue, as the queue's redrive policy would.

    Raises `TransientError` if SQS is busy; the message then stays in its queue.
    """
    with aws_errors("the dead-letter queue"):
        sqs().send_message(QueueUrl=dead_letter_queue_url, MessageBody=body)
