"""Polls queues for functions, as Lambda's event source mappings do.

Batch size, visibility timeout, partial batch responses, maximum concurrency and the queue's own
redrive policy are applied; filters are not.
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from pipectl.embedded.lambda_service import LambdaService, ServiceError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

    from pipectl.embedded.workers import InvocationResult

_log = logging.getLogger(__name__)

# Pause after a receive that returned nothing although there was a message: it was refused, or
# another client was faster.
EMPTY_SECONDS = 0.05

# Pause after an unexpected error, each of which is logged.
PAUSE_AFTER_SURPRISE_SECONDS = 1.0

# Lambda keeps a batch whose function is throttled and retries it with growing pauses, until the
# messages' visibility timeout ends. The length of the pauses is not documented.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 10.0

# How long `stop` waits for the answer of a receive. A busy server may take longer; the thread then
# ends anyway, because the server is closed next.
STOP_SECONDS = 2.0

# How many failed deliveries are kept, to explain why a file did not start.
REMEMBERED_FAILURES = 1000


@dataclass(frozen=True)
class EventSource:
    """An event source mapping of the template, with its queue's URL and ARN."""

    queue_url: str
    queue_arn: str
    function: str
    batch_size: int
    reports_failures: bool
    maximum_concurrency: int


@dataclass(frozen=True)
class FailedDelivery:
    """A message that its function did not accept: the body, and the error's code and message."""

    body: str
    code: str
    message: str


@dataclass(frozen=True)
class Clock:
    """How fast a queue's waits pass. `sqs` ends them, which on AWS no client has to do."""

    sqs: SQSClient
    factor: float = 1.0


class Arrivals(Protocol):
    """Waits for messages of the queue, as Lambda's long polls do."""

    def wait(self) -> None:
        """Wait until a message can be received, or for `wake`."""

    def wake(self) -> None:
        """End the present wait, or the next one."""


class _ThrottledError(Exception):
    """The function was throttled until the messages' visibility timeout ended."""


class Poller:
    """Delivers one queue's messages to its function until it is stopped."""

    def __init__(
        self,
        source: EventSource,
        service: LambdaService,
        sqs: SQSClient,
        arrivals: Arrivals,
        clock: Clock,
    ) -> None:
        """`sqs` calls with the function's role, `arrivals` are those of the source's queue.

        The factor of `clock` scales the wait before a failed message is redelivered, and those of a
        throttled batch.
        """
        self._source = source
        self._service = service
        self._sqs = sqs
        self._arrivals = arrivals
        self._clock = clock
        self._stopping = threading.Event()
        self._free = threading.Semaphore(source.maximum_concurrency)
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self.failures: deque[FailedDelivery] = deque(maxlen=REMEMBERED_FAILURES)

    def start(self) -> None:
        """Start polling."""
        self._thread.start()

    def request_stop(self) -> None:
        """Take no further messages; this doesn't wait."""
        self._stopping.set()
        self._arrivals.wake()
        self._free.release()

    def stop(self) -> None:
        """Take no further messages; deliveries under way are not waited for."""
        self.request_stop()
        self._thread.join(STOP_SECONDS)

    def _poll(self) -> None:
        while True:
            self._free.acquire()
            self._arrivals.wait()
            if self._stopping.is_set():
                return
            try:
                messages = self._receive()
            except Exception:  # noqa: BLE001  # no error may end the polling
                _log.exception("Messages of %s can't be received.", self._source.queue_url)
                self._stopping.wait(PAUSE_AFTER_SURPRISE_SECONDS)
                messages = []
            if messages:
                threading.Thread(target=self._deliver, args=(messages,), daemon=True).start()
            else:
                self._free.release()
                self._stopping.wait(EMPTY_SECONDS)

    def _receive(self) -> list[MessageTypeDef]:
        try:
            answer = self._sqs.receive_message(
                QueueUrl=self._source.queue_url,
                # More than 10 would need several receives, as Lambda does them.
                MaxNumberOfMessages=min(self._source.batch_size, 10),
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        except (BotoCoreError, ClientError):
            # Receiving is refused, or the server is being closed. Lambda polls again too.
            return []
        return answer.get("Messages", [])

    def _deliver(self, messages: list[MessageTypeDef]) -> None:
        try:
            event = {"Records": [self._record(message) for message in messages]}
            try:
                refused = self._invoke(event)
            except _ThrottledError:
                self._make_visible(messages)
                return
            accepted = [m for m in messages if m["MessageId"] not in refused]
            self._delete(accepted)
            for message in messages:
                if message["MessageId"] in refused:
                    code, text = refused[message["MessageId"]]
                    self.failures.append(FailedDelivery(message["Body"], code, text))
                    self._shorten_visibility(message)
        except (BotoCoreError, ClientError):
            # Messages that are not deleted are redelivered after their visibility timeout.
            return
        finally:
            self._free.release()

    def _invoke(self, event: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
        """Invoke the function; returns the error (code, message) of failed messages by their ID."""
        everything = [record["messageId"] for record in event["Records"]]
        try:
            outcome = self._invoke_when_there_is_room(json.dumps(event).encode())
        except ServiceError as error:
            return dict.fromkeys(everything, (error.code, error.message))
        answer = json.loads(outcome.payload)
        if outcome.failed:
            return dict.fromkeys(everything, (answer["errorType"], answer["errorMessage"]))
        if not self._source.reports_failures:
            return {}
        return dict.fromkeys(
            _refused(answer, everything),
            ("MessageRefused", f"{self._source.function} could not accept the message."),
        )

    def _invoke_when_there_is_room(self, payload: bytes) -> InvocationResult:
        """Invoke the function, with retries while it is throttled.

        Raises `_ThrottledError` at the end of the visibility timeout, and `ServiceError` if Lambda
        refuses for another reason.
        """
        waited, pause = 0.0, FIRST_PAUSE_SECONDS
        while True:
            try:
                return self._service.invoke(self._source.function, payload)[0]
            except ServiceError as error:
                if not error.throttled:
                    raise
            if waited >= self._visibility_seconds():
                raise _ThrottledError
            if self._stopping.wait(max(pause * self._clock.factor, EMPTY_SECONDS)):
                raise _ThrottledError
            waited += pause
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _make_visible(self, messages: Iterable[MessageTypeDef]) -> None:
        """Make the messages visible: their visibility timeout has ended on the stack's clock."""
        for message in messages:
            self._clock.sqs.change_message_visibility(
                QueueUrl=self._source.queue_url,
                ReceiptHandle=message["ReceiptHandle"],
                VisibilityTimeout=0,
            )

    def _delete(self, messages: Iterable[MessageTypeDef]) -> None:
        entries: Any = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
            for number, message in enumerate(messages)
        ]
        if entries:
            self._sqs.delete_message_batch(QueueUrl=self._source.queue_url, Entries=entries)

    def _shorten_visibility(self, message: MessageTypeDef) -> None:
        if self._clock.factor == 1:
            return
        seconds = self._visibility_seconds() * self._clock.factor
        self._clock.sqs.change_message_visibility(
            QueueUrl=self._source.queue_url,
            ReceiptHandle=message["ReceiptHandle"],
            VisibilityTimeout=int(seconds),
        )

    def _visibility_seconds(self) -> int:
        attributes = self._sqs.get_queue_attributes(
            QueueUrl=self._source.queue_url, AttributeNames=["VisibilityTimeout"]
        )["Attributes"]
        return int(attributes["VisibilityTimeout"])

    def _record(self, message: MessageTypeDef) -> dict[str, Any]:
        attributes = message.get("MessageAttributes", {})
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": {
                name: {
                    "stringValue": value.get("StringValue"),
                    "dataType": value["DataType"],
                }
                for name, value in attributes.items()
            },
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._source.queue_arn,
            "awsRegion": self._source.queue_arn.split(":")[3],
        }


def _refused(answer: Any, everything: list[str]) -> list[str]:
    """The IDs of failed messages in a partial batch response.

    An invalid response, or an unknown ID, fails the whole batch.
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    failures = (answer or {}).get("batchItemFailures") or []
    refused = [failure.get("itemIdentifier") for failure in failures]
    return refused if set(refused) <= set(everything) else everything
