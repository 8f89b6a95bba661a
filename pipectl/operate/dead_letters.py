"""Moves dead letters back to the processing queue, or deletes them with a recorded reason."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipectl.client.dead_letter_queue import DeadLetter, DeadLetterQueue
from pipectl.client.message_batches import batches, send_batch
from pipectl.errors import PipectlError
from shared.job import iso

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack

DISCARDED_PREFIX = "dead-letters/"
"""In the output bucket: one object for each discarded message, with the reason."""
MOST_REASON = 500


@dataclass(frozen=True)
class Discarded:
    """A message that was deleted, and the key of its record in the output bucket."""

    letter: DeadLetter
    key: str


def replayable(letter: DeadLetter) -> bool:
    """Whether the starter can read the message."""
    return letter.kind in ("state_document", "s3_event", "scan_result")


def replay(stack: Stack, message_ids: Sequence[str]) -> Iterator[DeadLetter]:
    """Move messages back to the processing queue, where the starter reads them; yields each.

    A message is deleted after it was sent, so an error in between leaves it in both queues: the
    starter starts no file twice. Raises `PipectlError` if a message isn't there, or isn't one that
    the starter can read; then nothing is moved. If SQS refuses messages, the others are moved, and
    the error at the end names those that stay in the dead-letter queue.
    """
    queue = DeadLetterQueue(stack)
    with queue.held() as held:
        chosen = _chosen(held, message_ids)
        for letter in chosen:
            if not replayable(letter):
                raise PipectlError(
                    f"The message {letter.message_id} is not one that the starter can read, so it"
                    " can't be replayed. See the log of the function that it is about, then"
                    " discard it."
                )
        sqs, url = stack.client("sqs"), stack.output("ProcessingQueueUrl")
        refused: dict[str, str] = {}
        for batch in batches(chosen, lambda letter: letter.body):
            errors = send_batch(sqs, url, [letter.body for letter in batch])
            refused |= {batch[position].message_id: error for position, error in errors.items()}
            moved = [letter for letter in batch if letter.message_id not in refused]
            queue.delete(moved)
            yield from moved
    if refused:
        raise PipectlError(
            f"SQS refused {len(refused)} of {len(chosen)} messages, which stay in the dead-letter"
            " queue:",
            *(f"{message_id}: {error}" for message_id, error in refused.items()),
        )


def discard(stack: Stack, message_ids: Sequence[str], reason: str) -> list[Discarded]:
    """Delete messages after their bodies and the reason were written to the output bucket.

    Raises `PipectlError` without a reason, or if a message isn't there; then nothing is deleted.
    """
    reason = reason.strip()
    if not reason:
        raise PipectlError("Give a reason: it is recorded with the message.")
    if len(reason) > MOST_REASON:
        raise PipectlError(f"The reason has more than {MOST_REASON} characters. Shorten it.")
    queue = DeadLetterQueue(stack)
    discarded = []
    with queue.held() as held:
        for letter in _chosen(held, message_ids):
            now = datetime.now(UTC)
            key = f"{DISCARDED_PREFIX}{now:%Y-%m-%d}/{letter.message_id}.json"
            record = {
                "message_id": letter.message_id,
                "sent_at": iso(letter.sent_at),
                "discarded_at": iso(now),
                "reason": reason,
                "file_ids": list(letter.file_ids),
                "body": letter.body,
            }
            stack.client("s3").put_object(
                Bucket=stack.output("OutputBucketName"),
                Key=key,
                Body=json.dumps(record, indent=2).encode(),
                ContentType="application/json",
            )
            queue.delete([letter])
            discarded.append(Discarded(letter, key))
    return discarded


def _chosen(held: Sequence[DeadLetter], message_ids: Sequence[str]) -> list[DeadLetter]:
    by_id = {letter.message_id: letter for letter in held}
    missing = [one for one in message_ids if one not in by_id]
    if missing:
        raise PipectlError(
            f"There is no message {missing[0]} in the dead-letter queue. Someone else may be"
            " reading it: try again in two minutes."
        )
    return [by_id[one] for one in message_ids]
