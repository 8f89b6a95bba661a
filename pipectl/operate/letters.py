"""Messages in the dead-letter queue: which files they are of, and who may take them away."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote_plus

from shared.job import Job, Source, new_job

if TYPE_CHECKING:
    from pipectl.operate.stack import Stack

Kind = Literal["state_document", "s3_event", "unknown"]

# Long enough to receive a long queue, short enough that nobody misses a message of a pipectl that
# was killed.
_HELD_SECONDS = 120

# The most that SQS takes in one call.
_BATCH = 10


@dataclass(frozen=True)
class Letter:
    """One message. `sources` are the files it is of: one, or those of an S3 event's records."""

    message_id: str
    receipt: str
    sent_at: datetime
    body: str
    kind: Kind = "unknown"
    sources: tuple[Source, ...] = ()
    document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def file_ids(self) -> tuple[str, ...]:
        """The files it is of; none where the message can't be read."""
        return tuple(source.file_id for source in self.sources)

    @property
    def attempt(self) -> int:
        """The attempt that a state document is of; 1 for an event."""
        return int(self.document.get("attempt", 1)) if self.kind == "state_document" else 1


def read_letter(message: Mapping[str, Any]) -> Letter:
    """Read a message as SQS gives it."""
    sent = int(message.get("Attributes", {}).get("SentTimestamp", 0)) / 1000
    kind, sources, document = _read_body(message["Body"])
    return Letter(
        message_id=message["MessageId"],
        receipt=message["ReceiptHandle"],
        sent_at=datetime.fromtimestamp(sent, UTC),
        body=message["Body"],
        kind=kind,
        sources=sources,
        document=document,
    )


def settled(letters: Sequence[Letter], items: Mapping[str, Mapping[str, Any]]) -> list[Letter]:
    """Those letters of whose files every one has succeeded after the letter was sent."""
    return [
        letter
        for letter in letters
        if letter.file_ids
        and all(_succeeded_after(letter.sent_at, items.get(file_id)) for file_id in letter.file_ids)
    ]


class DeadLetters:
    """The dead-letter queue of a stack."""

    def __init__(self, stack: Stack) -> None:
        self._client = stack.client("sqs")
        self._url = stack.output("DeadLetterQueueUrl")
        # A long poll asks all of the queue's servers. The embedded one is a single server.
        self._wait_seconds = 0 if stack.emulated else 1
        self._deleted: set[str] = set()

    def peek(self) -> list[Letter]:
        """All messages; they stay in the queue."""
        with self.held() as letters:
            return letters

    @contextmanager
    def held(self) -> Iterator[list[Letter]]:
        """All messages, kept from others meanwhile; those not deleted are given back at the end."""
        held = self._receive_all()
        try:
            yield list(held.values())
        finally:
            self._give_back(list(held.values()))

    def delete(self, letters: Sequence[Letter]) -> None:
        """Delete messages that are held."""
        for batch in _batches(letters):
            self._client.delete_message_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": letter.receipt}
                    for number, letter in enumerate(batch)
                ],
            )
            self._deleted.update(letter.message_id for letter in batch)

    def _receive_all(self) -> dict[str, Letter]:
        held: dict[str, Letter] = {}
        while True:
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=_BATCH,
                VisibilityTimeout=_HELD_SECONDS,
                WaitTimeSeconds=self._wait_seconds,
                AttributeNames=["SentTimestamp"],
            )
            received = [read_letter(message) for message in answer.get("Messages", [])]
            new = [letter for letter in received if letter.message_id not in held]
            # Only the last receipt of a message is good for anything.
            held |= {letter.message_id: letter for letter in received}
            if not new:
                return held

    def _give_back(self, letters: Sequence[Letter]) -> None:
        for batch in _batches([one for one in letters if one.message_id not in self._deleted]):
            self._client.change_message_visibility_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": letter.receipt, "VisibilityTimeout": 0}
                    for number, letter in enumerate(batch)
                ],
            )


def _batches(letters: Sequence[Letter]) -> Iterator[Sequence[Letter]]:
    return (letters[start : start + _BATCH] for start in range(0, len(letters), _BATCH))


def _succeeded_after(moment: datetime, item: Mapping[str, Any] | None) -> bool:
    return (
        item is not None
        and item["status"] == "succeeded"
        and datetime.fromisoformat(item["recorded_at"]) >= moment
    )


def _read_body(body: str) -> tuple[Kind, tuple[Source, ...], Mapping[str, Any]]:
    """What the starter would make of a message's body, without its checks."""
    try:
        document = json.loads(body)
        if "Records" in document:
            return "s3_event", tuple(map(_uploaded, document["Records"])), document
        job = Job.from_document(document)
        if job.source.file_id != job.file_id:
            return "unknown", (), {}
        return "state_document", (job.source,), document
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "unknown", (), {}


def _uploaded(record: Mapping[str, Any]) -> Source:
    """The file that one record of an S3 event tells of."""
    item = record["s3"]["object"]
    return new_job(
        bucket=str(record["s3"]["bucket"]["name"]),
        key=unquote_plus(str(item["key"])),
        version_id=item.get("versionId"),
        etag=str(item["eTag"]).strip('"'),
        size=int(item.get("size", 0)),
        sequencer=str(item.get("sequencer", "")),
        event_time=str(record["eventTime"]),
    ).source
