"""The dead-letter queue: its messages, and the files that they are about."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from pipectl.errors import PipectlError
from shared.job import Execution, Job, Source
from shared.scans import DETAIL_TYPE, read_scan_result
from shared.sources import source_of_record

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack

DeadLetterKind = Literal[
    "state_document", "s3_event", "scan_result", "failed_invocation", "unknown"
]

# Long enough to receive a long queue, and short enough that messages held by a pipectl that was
# killed soon come back.
_HELD_SECONDS = 120

# Raised by reading a malformed document.
UNREADABLE = (
    *(ArithmeticError, AttributeError, LookupError),
    *(RecursionError, TypeError, ValueError),
)

# What EventBridge says of an event that it could not deliver, in the message's attributes.
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
_UNDELIVERED = ("TARGET_ARN", "ERROR_CODE", "ERROR_MESSAGE")

# The maximum number of messages in one call to SQS.
_BATCH = 10


@dataclass(frozen=True)
class FailedInvocation:
    """An event that a function outside the workflow failed to handle, or that never reached it.

    `about` is the subject of the notification or the ARN of the execution in the event.
    """

    function: str
    code: str
    message: str
    about: str


@dataclass(frozen=True)
class DeadLetter:
    """One message; `sources` are the files that it is about: one, or those of an S3 event.

    A state document has a `job`, and an `execution` if it reports a failure of one. The record of a
    failed invocation has an `invocation` and no sources.
    """

    message_id: str
    receipt: str
    sent_at: datetime
    body: str
    kind: DeadLetterKind = "unknown"
    sources: tuple[Source, ...] = ()
    job: Job | None = None
    execution: Execution | None = None
    invocation: FailedInvocation | None = None

    @property
    def file_ids(self) -> tuple[str, ...]:
        """The ids of the files that it is about; empty if the message can't be read."""
        return tuple(source.file_id for source in self.sources)


def read_dead_letter(message: Mapping[str, Any]) -> DeadLetter:
    """Read a message in the form that SQS returns."""
    sent = int(message.get("Attributes", {}).get("SentTimestamp", 0)) / 1000
    dead_letter = DeadLetter(
        message_id=message["MessageId"],
        receipt=message["ReceiptHandle"],
        sent_at=datetime.fromtimestamp(sent, UTC),
        body=message["Body"],
    )
    attributes = {
        name: value.get("StringValue", "")
        for name, value in message.get("MessageAttributes", {}).items()
    }
    return replace(dead_letter, **_read_body(dead_letter.body, attributes))


def resolved(
    dead_letters: Sequence[DeadLetter], items: Mapping[str, Mapping[str, Any]]
) -> list[DeadLetter]:
    """The dead letters whose files have all succeeded since the dead letter was sent."""
    return [
        dead_letter
        for dead_letter in dead_letters
        if dead_letter.file_ids
        and all(
            _succeeded_after(dead_letter.sent_at, items.get(file_id))
            for file_id in dead_letter.file_ids
        )
    ]


class DeadLetterQueue:
    """The dead-letter queue of a stack."""

    def __init__(self, stack: Stack) -> None:
        self._client = stack.client("sqs")
        self._url = stack.output("DeadLetterQueueUrl")
        # A long poll asks all of the queue's servers. The embedded one is a single server.
        self._wait_seconds = 0 if stack.emulated else 1
        self._deleted: set[str] = set()

    def peek(self) -> list[DeadLetter]:
        """All messages; they stay in the queue."""
        with self.held() as dead_letters:
            return dead_letters

    @contextmanager
    def held(self) -> Iterator[list[DeadLetter]]:
        """All messages, invisible to others inside the block; all but deleted ones are released."""
        held = self._receive_all()
        try:
            yield list(held.values())
        finally:
            self._release(list(held.values()))

    def delete(self, dead_letters: Sequence[DeadLetter]) -> None:
        """Delete messages that are held.

        Raises `PipectlError` if SQS refuses to delete some; the others are deleted.
        """
        refused: list[str] = []
        for batch in _batches(dead_letters):
            answer = self._client.delete_message_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": dead_letter.receipt}
                    for number, dead_letter in enumerate(batch)
                ],
            )
            errors = {int(entry["Id"]): entry["Code"] for entry in answer.get("Failed", [])}
            refused += [f"{batch[number].message_id}: {code}" for number, code in errors.items()]
            self._deleted.update(
                dead_letter.message_id
                for number, dead_letter in enumerate(batch)
                if number not in errors
            )
        if refused:
            raise PipectlError(
                f"SQS did not delete {len(refused)} of {len(dead_letters)} messages from the"
                " dead-letter queue. Run the command again for them:",
                *refused,
            )

    def _receive_all(self) -> dict[str, DeadLetter]:
        held: dict[str, DeadLetter] = {}
        while True:
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=_BATCH,
                VisibilityTimeout=_HELD_SECONDS,
                WaitTimeSeconds=self._wait_seconds,
                AttributeNames=["SentTimestamp"],
                MessageAttributeNames=_UNDELIVERED,
            )
            received = [read_dead_letter(message) for message in answer.get("Messages", [])]
            new = [dead_letter for dead_letter in received if dead_letter.message_id not in held]
            # Only the latest receipt of a message is valid.
            held |= {dead_letter.message_id: dead_letter for dead_letter in received}
            if not new:
                return held

    def _release(self, dead_letters: Sequence[DeadLetter]) -> None:
        for batch in _batches([one for one in dead_letters if one.message_id not in self._deleted]):
            self._client.change_message_visibility_batch(
                QueueUrl=self._url,
                Entries=[
                    {
                        "Id": str(number),
                        "ReceiptHandle": dead_letter.receipt,
                        "VisibilityTimeout": 0,
                    }
                    for number, dead_letter in enumerate(batch)
                ],
            )


def _batches(dead_letters: Sequence[DeadLetter]) -> Iterator[Sequence[DeadLetter]]:
    return (dead_letters[start : start + _BATCH] for start in range(0, len(dead_letters), _BATCH))


def _succeeded_after(time: datetime, item: Mapping[str, Any] | None) -> bool:
    return (
        item is not None
        and item["status"] == "succeeded"
        and datetime.fromisoformat(item["recorded_at"]) >= time
    )


def _read_body(body: str, attributes: Mapping[str, str]) -> dict[str, Any]:
    """What a message's body says, read as the starter reads it; empty if it can't be read."""
    try:
        document = json.loads(body)
        if "Records" in document:
            return {
                "kind": "s3_event",
                "sources": tuple(map(source_of_record, document["Records"])),
            }
        if document.get("detail-type") == DETAIL_TYPE:
            return {"kind": "scan_result", "sources": (read_scan_result(document).source,)}
        if "TARGET_ARN" in attributes or "requestContext" in document:
            invocation = _failed_invocation(document, attributes)
            return {"kind": "failed_invocation", "invocation": invocation}
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


def _failed_invocation(
    document: Mapping[str, Any], attributes: Mapping[str, str]
) -> FailedInvocation:
    if "TARGET_ARN" in attributes:
        return _undelivered(document, attributes)
    return _failed_at_every_attempt(document)


def _failed_at_every_attempt(record: Mapping[str, Any]) -> FailedInvocation:
    """What Lambda sends when the last attempt at an event has failed.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    # Without a response the function was never reached. The condition is then all that is known.
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


def _undelivered(event: Mapping[str, Any], attributes: Mapping[str, str]) -> FailedInvocation:
    """What EventBridge sends when it could not deliver an event to a function."""
    return FailedInvocation(
        function=attributes["TARGET_ARN"].split(":")[6],
        code=attributes.get("ERROR_CODE", ""),
        message=attributes.get("ERROR_MESSAGE", ""),
        about=str(event.get("detail", {}).get("executionArn") or ""),
    )
