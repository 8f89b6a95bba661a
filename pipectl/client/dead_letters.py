"""Messages in the dead-letter queue: which files they are of, and who may take them away."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from shared.job import Execution, Job, Source
from shared.sources import source_of_record

if TYPE_CHECKING:
    from pipectl.client.stack import Stack

Kind = Literal["state_document", "s3_event", "failed_invocation", "unknown"]

# Long enough to receive a long queue, short enough that nobody misses a message of a pipectl that
# was killed.
_HELD_SECONDS = 120

# What reading a document raises that is not what it should be.
UNREADABLE = (
    *(ArithmeticError, AttributeError, LookupError),
    *(RecursionError, TypeError, ValueError),
)

# The most that SQS takes in one call.
_BATCH = 10


@dataclass(frozen=True)
class FailedInvocation:
    """An event that a function beside the workflow could not handle, at the last attempt either.

    `about` is the subject of the notification, or the ARN of the execution, that the event is of.
    """

    function: str
    code: str
    message: str
    about: str


@dataclass(frozen=True)
class Letter:
    """One message. `sources` are the files it is of: one, or those of an S3 event's records.

    A state document has a `job`, and an `execution` where it tells of a failure in one. The record
    of a failed invocation has an `invocation` and no sources.
    """

    message_id: str
    receipt: str
    sent_at: datetime
    body: str
    kind: Kind = "unknown"
    sources: tuple[Source, ...] = ()
    job: Job | None = None
    execution: Execution | None = None
    invocation: FailedInvocation | None = None

    @property
    def file_ids(self) -> tuple[str, ...]:
        """The files it is of; none where the message can't be read."""
        return tuple(source.file_id for source in self.sources)


def read_letter(message: Mapping[str, Any]) -> Letter:
    """Read a message as SQS gives it."""
    sent = int(message.get("Attributes", {}).get("SentTimestamp", 0)) / 1000
    letter = Letter(
        message_id=message["MessageId"],
        receipt=message["ReceiptHandle"],
        sent_at=datetime.fromtimestamp(sent, UTC),
        body=message["Body"],
    )
    return replace(letter, **_read_body(letter.body))


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


def _read_body(body: str) -> dict[str, Any]:
    """What the starter would make of a message's body, without its checks; nothing if unknown."""
    try:
        document = json.loads(body)
        if "Records" in document:
            return {
                "kind": "s3_event",
                "sources": tuple(map(source_of_record, document["Records"])),
            }
        if "requestContext" in document:
            return {"kind": "failed_invocation", "invocation": _failed_invocation(document)}
        job = Job.from_document(document)
        if job.source.file_id != job.file_id:
            return {}
        context = document["failure"]["execution"] if job.failure else None
        execution = Execution.from_context(context) if context else None
    except UNREADABLE:
        return {}
    return {
        "kind": "state_document",
        "sources": (job.source,),
        "job": job,
        "execution": execution,
    }


def _failed_invocation(record: Mapping[str, Any]) -> FailedInvocation:
    """What Lambda sends where the last attempt at an event failed.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    # Without a response the function was never reached, and the condition is all there is to say.
    response = record.get("responsePayload") or {}
    event = record.get("requestPayload") or {}
    if "Records" in event:
        about = event["Records"][0]["Sns"].get("Subject")
    else:
        about = event.get("detail", {}).get("executionArn")
    return FailedInvocation(
        function=str(record["requestContext"]["functionArn"]).split(":")[6],
        code=str(response.get("errorType") or record["requestContext"]["condition"]),
        message=str(response.get("errorMessage") or ""),
        about=str(about or ""),
    )
