"""Uncaught: do the failure lane's work for an execution whose failure no Catch could handle.

Executions that time out, are aborted or fail at runtime never reach the failure lane. Step
Functions reports them to EventBridge, together with those that the lane has handled. The
execution's last document says what the lane has done, and that is not done again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.clients import awslambda, sqs, stepfunctions
from shared.errors import InternalError, TransientError, aws_errors, error_code
from shared.job import iso
from shared.metadata import read_item
from shared.observability import logger
from shared.settings import from_environment
from shared.step import guarded
from uncaught.document import LANE, last_document, left_undone, with_failure
from uncaught.freshness import redriven_since

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import DescribeExecutionOutputTypeDef

_THROTTLED = "TooManyRequestsException"

# Enough events to include the entry of the last state, which comes before its retries.
HISTORY_EVENTS = 1000


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    dead_letter_queue_url: str
    metadata_table: str
    notify_function: str
    record_metadata_function: str


@guarded()
def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Send the dead letter, publish and record the failure, each unless the failure lane has.

    Returns the parts that were done. Raises if one of them fails, and `TransientError` if Step
    Functions doesn't show the execution's end yet. Lambda then invokes the function with the same
    event again.
    """
    settings = from_environment(Settings)
    detail = event["detail"]
    # In a warm environment the logger still has the previous execution's keys.
    logger().remove_keys(["file_id", "attempt"])
    logger().append_keys(execution=detail["name"], status=detail["status"])
    described = _describe(detail["executionArn"])
    history = _history(detail["executionArn"])
    if redriven_since(detail, described, history):
        logger().info("the execution was redriven in the meantime", extra={"done": []})
        return {"done": []}
    document = last_document(history)
    if document is None:
        document = json.loads(detail["input"])
    execution = _execution(described)
    logger().append_keys(file_id=document["file_id"], attempt=document.get("attempt"))
    undone = left_undone(document, execution)
    if undone == list(LANE) and _is_recorded(settings, document, execution):
        logger().info("the event was already handled")
        undone = []
    if undone:
        _make_up_for(undone, with_failure(document, execution, detail), execution, settings)
    logger().info("uncaught failure" if undone else "nothing left to do", extra={"done": undone})
    return {"done": undone}


def _make_up_for(
    undone: Sequence[str],
    document: Mapping[str, Any],
    execution: Mapping[str, Any],
    settings: Settings,
) -> None:
    # The parts that failed in the lane are done now, so the item must not list them as not done.
    failure = {part: of for part, of in document["failure"].items() if part not in undone}
    job = {**document, "failure": failure}
    payload = {"job": job, "execution": execution, "outcome": "failed"}
    if "dead_letter" in undone:
        _send(settings.dead_letter_queue_url, job)
    if "notification" in undone:
        _invoke(settings.notify_function, payload)
    _invoke(settings.record_metadata_function, payload)


def _is_recorded(
    settings: Settings, document: Mapping[str, Any], execution: Mapping[str, Any]
) -> bool:
    """Whether the file's history records this run of this execution as failed."""
    item = read_item(settings.metadata_table, document["file_id"]) or {}
    return any(
        entry["execution_arn"] == execution["Id"]
        and entry["status"] == "failed"
        and int(entry["redrive_count"]) == execution["RedriveCount"]
        # An execution's name can be used again 90 days after its end.
        and entry["recorded_at"] >= execution["StartTime"]
        for entry in item.get("history", {}).values()
    )


def _history(execution_arn: str) -> list[Mapping[str, Any]]:
    with aws_errors("the execution's history"):
        history = stepfunctions().get_execution_history(
            executionArn=execution_arn, reverseOrder=True, maxResults=HISTORY_EVENTS
        )
    return list(history["events"])


def _describe(execution_arn: str) -> DescribeExecutionOutputTypeDef:
    with aws_errors("the execution"):
        return stepfunctions().describe_execution(executionArn=execution_arn)


def _execution(described: DescribeExecutionOutputTypeDef) -> dict[str, Any]:
    """The execution in the form of the workflow's context object."""
    return {
        "Id": described["executionArn"],
        "Name": described["name"],
        "StartTime": iso(described["startDate"]),
        "RedriveCount": int(described.get("redriveCount", 0)),
    }


def _send(queue_url: str, document: Mapping[str, Any]) -> None:
    with aws_errors("the dead-letter queue"):
        sqs().send_message(QueueUrl=queue_url, MessageBody=json.dumps(document))


def _invoke(function: str, payload: Mapping[str, Any]) -> None:
    """Invoke one of the failure lane's functions.

    If Lambda throttles it, it is invoked asynchronously: Lambda then keeps the invocation for up to
    six hours, whereas this function is retried for only three minutes.
    """
    body = json.dumps(payload).encode()
    with aws_errors(f"the function {function}"):
        try:
            response = awslambda().invoke(FunctionName=function, Payload=body)
        except ClientError as error:
            if error_code(error) != _THROTTLED:
                raise
            awslambda().invoke(FunctionName=function, InvocationType="Event", Payload=body)
            logger().info("throttled: invoked asynchronously", extra={"function": function})
            return
    if "FunctionError" not in response:
        return
    name = json.loads(response["Payload"].read()).get("errorType", "Unknown")
    kind = TransientError if name == "TransientError" else InternalError
    raise kind(f"The function {function} failed with {name}.")
