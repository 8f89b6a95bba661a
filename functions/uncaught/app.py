"""Uncaught: finish what the failure lane could not, for an execution that no Catch has seen.

Executions that time out, are aborted or fail at runtime never reach the failure lane. Step
Functions tells EventBridge of them, though also of those that the lane has dealt with: what the
lane has done stands in the execution's last document, and is not done again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.clients import awslambda, sqs, stepfunctions
from shared.errors import InternalError, TransientError, aws_errors
from shared.job import iso
from shared.observability import logger
from shared.settings import from_environment
from uncaught.document import last_document, left_undone, with_failure

# The last state's entry is among the last events, before its retries.
HISTORY_EVENTS = 1000


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    dead_letter_queue_url: str
    notify_function: str
    record_metadata_function: str


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Queue, tell and record the failure, each unless the lane has; raises where one fails.

    EventBridge then tries the event again.
    """
    settings = from_environment(Settings)
    detail = event["detail"]
    logger().append_keys(execution=detail["name"], status=detail["status"])
    document = last_document(_history(detail["executionArn"]))
    if document is None:
        document = json.loads(detail["input"])
    execution = _execution(detail)
    undone = left_undone(document, execution)
    if undone:
        document = with_failure(document, execution, detail)
    if "dead_letter" in undone:
        _send(settings.dead_letter_queue_url, document)
    for name, function in (
        ("notification", settings.notify_function),
        ("record", settings.record_metadata_function),
    ):
        if name in undone:
            _invoke(function, {"job": document, "execution": execution, "outcome": "failed"})
    logger().info("uncaught failure" if undone else "the lane has done it", extra={"done": undone})
    return {"done": undone}


def _history(execution_arn: str) -> list[Mapping[str, Any]]:
    with aws_errors("the execution's history"):
        history = stepfunctions().get_execution_history(
            executionArn=execution_arn, reverseOrder=True, maxResults=HISTORY_EVENTS
        )
    return list(history["events"])


def _execution(detail: Mapping[str, Any]) -> dict[str, Any]:
    """The execution as the workflow's context object would give it."""
    with aws_errors("the execution"):
        described = stepfunctions().describe_execution(executionArn=detail["executionArn"])
    return {
        "Id": detail["executionArn"],
        "Name": detail["name"],
        "StartTime": iso(described["startDate"]),
        "RedriveCount": int(described.get("redriveCount", 0)),
    }


def _send(queue_url: str, document: Mapping[str, Any]) -> None:
    with aws_errors("the dead-letter queue"):
        sqs().send_message(QueueUrl=queue_url, MessageBody=json.dumps(document))


def _invoke(function: str, payload: Mapping[str, Any]) -> None:
    """Let one of the lane's own functions do its part."""
    with aws_errors(f"the function {function}"):
        response = awslambda().invoke(FunctionName=function, Payload=json.dumps(payload).encode())
    if "FunctionError" not in response:
        return
    error = json.loads(response["Payload"].read()).get("errorType", "Unknown")
    kind = TransientError if error == "TransientError" else InternalError
    raise kind(f"The function {function} failed with {error}.")
