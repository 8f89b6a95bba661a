"""Starter: start one execution for each uploaded file that the queue announces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)

from shared.errors import PipelineError, TransientError
from shared.observability import logger, metrics, place_of
from shared.scans import ScanResult
from shared.settings import from_environment
from shared.step import guarded
from starter.dead_letters import move_to_dead_letter_queue
from starter.launch import TooManyAttempts, UnknownFile, launch
from starter.messages import Entry, Ignored, Request, UnknownMessage, Upload, entries_of
from starter.scanned_object import job_of
from tabular.file_names import IgnoredNames, why_ignored

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

# A message that fails, other than for a busy service, moves to the dead-letter queue at this
# receive. The queue's own limit is far higher, to allow messages to wait for a busy service, or for
# the starter itself, which Lambda throttles in a small account.
MAX_RECEIVES = 3

# Errors that are raised on purpose. Their messages have no data of a file, so they may be logged.
_EXPLAINED = (PipelineError, TooManyAttempts, UnknownFile, UnknownMessage)


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    input_bucket: str
    state_machine_arn: str
    metadata_table: str
    dead_letter_queue_url: str
    ignored_names: IgnoredNames


@guarded()
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Process each message independently: a failed one is redelivered on its own.

    At its third receive a message that fails moves to the dead-letter queue, unless the error is a
    `TransientError`. Returns SQS's partial batch response: the messages to deliver again.
    """
    settings = from_environment(Settings)
    # A new processor for each invocation, because it must report only that invocation's failures.
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    return process_partial_response(
        event=event,
        record_handler=partial(_handle, settings=settings),
        processor=processor,
        context=context,
    )


class UnstartedRecords(Exception):
    """Executions for some records of a message could not be started."""


def _handle(record: SQSRecord, *, settings: Settings) -> None:
    """Start a message's executions, or move it to the dead-letter queue.

    Raises the error if the message is to be delivered again.
    After a redelivery, executions that were started are recognised as duplicates.
    """
    receives = record.attributes.approximate_receive_count
    log = {"message_id": record.message_id, "receives": receives}
    try:
        _start_all(record.body, settings, log)
    except Exception as error:
        if isinstance(error, TransientError) or int(receives) < MAX_RECEIVES:
            raise
        move_to_dead_letter_queue(record.body, settings.dead_letter_queue_url)
        logger().error("message moved to the dead-letter queue", extra=log)


def _start_all(body: str, settings: Settings, log: Mapping[str, str]) -> None:
    """Start each part of a message independently; raises if any could not be started."""
    with _logged(log):
        entries = entries_of(body, settings.input_bucket, settings.ignored_names)
    errors = []
    for entry in entries:
        part = {**log, "record": entry.place} if entry.total > 1 else log
        try:
            with _logged(part):
                _launch(entry, settings, part)
        except Exception as error:  # noqa: BLE001  # raised again below
            errors.append((entry.place, error))
    if len(errors) == 1 and len(entries) == 1:
        raise errors[0][1]
    if errors:
        what = " ".join(f"{place}: {_words(error)}" for place, error in errors)
        # A busy service decides: the message waits for it even if its other parts are malformed.
        is_transient = any(isinstance(error, TransientError) for _, error in errors)
        raise (TransientError if is_transient else UnstartedRecords)(f"Not started: {what}")
    if not entries:
        logger().info("nothing to start", extra=log)


def _launch(entry: Entry, settings: Settings, log: Mapping[str, str]) -> None:
    if isinstance(entry.request, UnknownMessage):
        raise entry.request
    request: Request = entry.request
    if isinstance(request, ScanResult):
        request = _upload_of(request, settings.ignored_names)
    if isinstance(request, Ignored):
        _ignore(request, log)
        return
    launched = launch(request, settings.state_machine_arn, settings.metadata_table)
    job = launched.job
    found = {"file_id": job.file_id, "attempt": job.attempt, "execution": job.execution_name}
    logger().info(launched.outcome, extra={**log, **found})


def _upload_of(result: ScanResult, ignored: IgnoredNames) -> Upload | Ignored:
    """The upload that a scan result reports. Reads the object's size and time from S3."""
    job = job_of(result)
    reason = why_ignored(job.source.key, job.source.size, ignored)
    return Upload(job) if reason is None else Ignored(job.source, reason)


def _ignore(ignored: Ignored, log: Mapping[str, str]) -> None:
    """Log and count an object that starts nothing, so that none disappears silently."""
    source = ignored.source
    found = {"key": source.key, "version_id": source.version_id, "reason": ignored.reason}
    logger().info("ignored", extra={**log, **found})
    meter = metrics()
    meter.add_metric("ObjectsIgnored", "Count", 1)
    meter.flush_metrics()


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, _EXPLAINED) else f"{type(error).__name__}."


@contextmanager
def _logged(log: Mapping[str, str]) -> Iterator[None]:
    """Log an error that is raised inside the block, because the batch processor doesn't."""
    try:
        yield
    except Exception as error:
        logger().error("message not handled", extra={**log, **_reason_of(error)})
        raise


def _reason_of(error: Exception) -> dict[str, str]:
    """The log fields of an error; its message only if it is known to have no data of a file."""
    if isinstance(error, _EXPLAINED):
        return {"error": type(error).__name__, "reason": str(error)}
    return {"error": type(error).__name__, "at": place_of(error)}
