"""Starter: start one execution for each uploaded file that the queue tells of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)

from shared.errors import PipelineError
from shared.observability import logger, place_of
from shared.settings import from_environment
from shared.step import guarded
from starter.launch import TooManyAttempts, launch
from starter.messages import UnknownMessage, requests_of

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

# What is raised on purpose, with words that may be logged.
_EXPLAINED = (PipelineError, TooManyAttempts, UnknownMessage)


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    input_bucket: str
    state_machine_arn: str
    metadata_table: str


@guarded()
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Handle each message for itself: one that fails is delivered again alone, then set aside."""
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
    """Start what one message asks for; raises where a part of it could not be started."""
    log = {"message_id": record.message_id, "receives": record.attributes.approximate_receive_count}
    try:
        requests = requests_of(record.body, settings.input_bucket)
        for request in requests:
            outcome, job = launch(request, settings.state_machine_arn, settings.metadata_table)
            logger().info(outcome, extra={**log, "file_id": job.file_id, "attempt": job.attempt})
    except _EXPLAINED as error:
        # The batch processor itself logs nothing. The words of these hold no data of a file.
        reason = {"error": type(error).__name__, "reason": str(error)}
        logger().error("message not handled", extra={**log, **reason})
        raise
    except Exception as error:
        unexpected = {"error": type(error).__name__, "at": place_of(error)}
        logger().error("message not handled", extra={**log, **unexpected})
        raise
    if not requests:
        logger().info("nothing to start", extra=log)
