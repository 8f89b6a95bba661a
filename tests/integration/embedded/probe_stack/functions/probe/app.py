"""Functions whose behaviour tests control, to see how the embedded AWS handles it."""

from __future__ import annotations

import json
import os
import signal
import time
import uuid
from functools import cache
from typing import Any

import boto3


def act(event: dict[str, Any], context: Any) -> Any:
    """Do what the event says under `do`."""
    return ACTIONS[event.get("do", "echo")](event, context)


def consume(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Note each message and refuse those that ask for it."""
    failures = []
    for record in event["Records"]:
        note("seen", record)
        if "refuse" in record["body"]:
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


def receive(event: dict[str, Any], _context: Any) -> None:
    """Note the event."""
    note("received", event)
    if event.get("do") == "raise":
        raise RuntimeError("asked to")


def note(kind: str, document: Any) -> None:
    """Keep a document in the bucket."""
    _s3().put_object(
        Bucket=os.environ["BUCKET"],
        Key=f"{kind}/{time.time_ns()}-{uuid.uuid4()}",
        Body=json.dumps(document),
    )


@cache
def _s3() -> Any:
    return boto3.client("s3")


def _raise(event: dict[str, Any], _context: Any) -> None:
    raise ValueError(event["message"])


def _sleep(event: dict[str, Any], _context: Any) -> int:
    time.sleep(event["seconds"])
    return os.getpid()


def _context(_event: dict[str, Any], context: Any) -> dict[str, Any]:
    return {
        "function_name": context.function_name,
        "invoked_function_arn": context.invoked_function_arn,
        "memory_limit_in_mb": context.memory_limit_in_mb,
        "aws_request_id": context.aws_request_id,
        "remaining": context.get_remaining_time_in_millis(),
    }


def _throw(event: dict[str, Any], _context: Any) -> None:
    raise type(event["error"], (Exception,), {})("thrown")


ACTIONS = {
    "echo": lambda event, _: event,
    "pid": lambda *_: os.getpid(),
    "environment": lambda *_: dict(os.environ),
    "exit": lambda event, _: os._exit(event["status"]),
    "kill": lambda *_: os.kill(os.getpid(), signal.SIGKILL),
    "set": lambda *_: {1, 2},
    "raise": _raise,
    "sleep": _sleep,
    "context": _context,
    "throw": _throw,
}
