"""An emulation of StartMessageMoveTask, which moto does not have.

All messages of the source queue are moved at once: the task has ended when the call returns.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from moto.sqs.models import sqs_backends

from pipectl.embedded.lambda_service import Answer
from pipectl.embedded.template import ACCOUNT, REGION

if TYPE_CHECKING:
    from pipectl.embedded.gateway import Gateway


def extend(gateway: Gateway) -> None:
    """Let the gateway answer about message move tasks."""
    tasks: list[dict[str, Any]] = []
    gateway.operations["AmazonSQS.StartMessageMoveTask"] = lambda request: _start(request, tasks)
    gateway.operations["AmazonSQS.ListMessageMoveTasks"] = lambda request: _list(request, tasks)


def _start(request: dict[str, Any], tasks: list[dict[str, Any]]) -> Answer:
    source, destination = request["SourceArn"], request.get("DestinationArn")
    if destination is None:
        # Messages sent directly to the queue, such as failed documents, have no source queue. AWS
        # requires the destination for them too.
        return _refusal("InvalidParameterValue", "Name the DestinationArn of the messages.")
    backend: Any = sqs_backends[ACCOUNT][REGION]
    queues = {queue.queue_arn: queue.name for queue in backend.queues.values()}
    for arn in (source, destination):
        if arn not in queues:
            return _refusal("ResourceNotFoundException", f"There is no queue {arn}.")
    moved = _move(backend, queues[source], queues[destination])
    handle = json.dumps({"taskId": str(uuid.uuid4()), "sourceArn": source})
    tasks.insert(
        0,
        {
            "TaskHandle": base64.b64encode(handle.encode()).decode(),
            "Status": "COMPLETED",
            "SourceArn": source,
            "DestinationArn": destination,
            "ApproximateNumberOfMessagesMoved": moved,
            "ApproximateNumberOfMessagesToMove": moved,
            "StartedTimestamp": int(time.time() * 1000),
        },
    )
    return _answer({"TaskHandle": tasks[0]["TaskHandle"]})


def _move(backend: Any, source: str, destination: str) -> int:
    moved = 0
    while messages := backend.receive_message(source, 10, 0, visibility_timeout=30):
        for message in messages:
            backend.send_message(destination, message.body)
            backend.delete_message(source, message.receipt_handle)
            moved += 1
    return moved


def _list(request: dict[str, Any], tasks: list[dict[str, Any]]) -> Answer:
    of_queue = [task for task in tasks if task["SourceArn"] == request["SourceArn"]]
    # Only running tasks have a handle.
    listed = [{k: v for k, v in task.items() if k != "TaskHandle"} for task in of_queue]
    return _answer({"Results": listed[: request.get("MaxResults", 1)]})


def _answer(document: dict[str, Any]) -> Answer:
    return Answer(HTTPStatus.OK, json.dumps(document).encode())


def _refusal(code: str, message: str) -> Answer:
    document = {"__type": f"com.amazonaws.sqs#{code}", "message": message}
    return Answer(HTTPStatus.BAD_REQUEST, json.dumps(document).encode())
