"""Starter: start one execution for each uploaded file that the queue tells of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)

from shared.errors import PipelineError, TransientError
from shared.observability import logger, place_of
from shared.settings import from_environment
from shared.step import guarded
from starter.dead_letters import set_aside
from starter.launch import TooManyAttempts, launch
from starter.messages import UnknownMessage, requests_of

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

# A message that fails for a reason of its own is set aside when it comes for this time. The queue's
# own limit is far higher: it is for messages that wait for a busy service, or for the starter
# itself, which Lambda throttles on a small account.
MAX_RECEIVES = 3

# What is raised on purpose, with words that may be logged.
_EXPLAINED = (PipelineError, TooManyAttempts, UnknownMessage)


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    input_bucket: str
    state_machine_arn: str
    metadata_table: str
    dead_letter_queue_url: str


@guarded()
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Process each message independently: one that fails comes again alone, then is set aside."""
    settings = from_environment(Settings)
    # Each invocation reports its own failures only, so the processor is not kept.
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    return process_partial_response(
        event=event,
        record_handler=partial(_handle, settings=settings),
        processor=processor,
        context=context,
    )


def _handle(record: SQSRecord, *, settings: Settings) -> None:
    """Start what one message asks for, or set it aside; raises where it has to come again."""
    receives = record.attributes.approximate_receive_count
    log = {"message_id": record.message_id, "receives": receives}
    try:
        _start_all(record.body, settings, log)
    except Exception as error:
        # The batch processor itself logs nothing.
        logger().error("message not handled", extra={**log, **_reason_of(error)})
        if isinstance(error, TransientError) or int(receives) < MAX_RECEIVES:
            raise
        set_aside(record.body, settings.dead_letter_queue_url)
        logger().error("message set aside in the dead-letter queue", extra=log)


def _start_all(body: str, settings: Settings, log: Mapping[str, str]) -> None:
    requests = requests_of(body, settings.input_bucket)
    for request in requests:
        outcome, job = launch(request, settings.state_machine_arn, settings.metadata_table)
        logger().info(outcome, extra={**log, "file_id": job.file_id, "attempt": job.attempt})
    if not requests:
        logger().info("nothing to start", extra=log)


def _reason_of(error: Exception) -> dict[str, str]:
    """What the log says of an error: words only of those that hold no data of a file."""
    if isinstance(error, _EXPLAINED):
        return {"error": type(error).__name__, "reason": str(error)}
    return {"error": type(error).__name__, "at": place_of(error)}
