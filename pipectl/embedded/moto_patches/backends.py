"""What moto's backends contain and no API of AWS returns, and their beginning and end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from moto.core.base_backend import BackendDict
from moto.core.config import default_user_config
from moto.core.utils import unix_time_millis
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from pipectl.embedded.template import ACCOUNT, REGION


@contextmanager
def empty_backends() -> Iterator[None]:
    """Let moto run state machines inside the block; its backends are empty before and after."""
    with patch.dict(default_user_config, {"stepfunctions": {"execute_state_machine": True}}):
        BackendDict.reset()
        yield
        BackendDict.reset()


def notifications() -> list[dict[str, Any]]:
    """All messages published so far: topic_arn, message_id, subject, message, attributes.

    `message` is as it was published: with `MessageStructure=json`, a JSON document with one text
    per protocol.
    """
    topics = sns_backends[ACCOUNT][REGION].topics
    return [
        {
            "topic_arn": arn,
            "message_id": message_id,
            "subject": subject,
            "message": message,
            "attributes": {
                name: attribute["Value"] for name, attribute in (attributes or {}).items()
            },
        }
        for arn, topic in list(topics.items())
        for message_id, message, subject, attributes, _ in list(topic.sent_notifications)
    ]


def message_bodies(queue_name: str) -> list[str]:
    """The bodies of all messages in a queue, none of which is received."""
    queue = sqs_backends[ACCOUNT][REGION].queues[queue_name]
    return [str(message.body) for message in list(queue._messages)]


def queue_figures(now: float) -> Iterator[tuple[str, int, float]]:
    """Each queue's name, number of messages, and the age in seconds of the oldest, or 0."""
    for name, queue in list(sqs_backends[ACCOUNT][REGION].queues.items()):
        sent = [(message.sent_timestamp or 0) / 1000 for message in list(queue._messages)]
        yield name, len(sent), max(0.0, now - min(sent)) if sent else 0.0


def ended_executions() -> Iterator[tuple[str, str, float]]:
    """Each ended execution: the ARN of its state machine, its status, and when it ended."""
    backend: Any = stepfunctions_parser_backends[ACCOUNT][REGION]
    for state_machine in list(backend.state_machines):
        for execution in list(state_machine.executions):
            if execution.stop_date is not None:
                yield state_machine.arn, execution.status, execution.stop_date.timestamp()


def stop_executions(machine: str) -> None:
    """Abort the executions of a state machine, given by ARN, that have not ended."""
    backend: Any = stepfunctions_parser_backends[ACCOUNT][REGION]
    for state_machine in list(backend.state_machines):
        for execution in list(state_machine.executions):
            if state_machine.arn == machine and execution.stop_date is None:
                execution.stop(datetime.now(UTC), error=None, cause=_STACK_DELETED)


_STACK_DELETED = "The stack has been deleted."


class QueueArrivals:
    """Waits for messages of a queue that can be received, without asking again and again."""

    def __init__(self, queue_name: str) -> None:
        self._queue: Any = sqs_backends[ACCOUNT][REGION].queues[queue_name]
        self._changed = self._queue._messages_lock
        self._woken = False

    def wait(self) -> None:
        """Wait until a message can be received, or for `wake`."""
        with self._changed:
            while not self._woken:
                seconds = self._seconds_to_the_next()
                if seconds == 0:
                    break
                self._changed.wait(seconds)
            self._woken = False

    def wake(self) -> None:
        """End the present wait, or the next one."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def _seconds_to_the_next(self) -> float | None:
        """How long no message can be received; None if there are none to wait for."""
        messages = self._queue._messages
        if not messages:
            return None
        visible = min(max(message.visible_at, message.delayed_until) for message in messages)
        # moto's times are in milliseconds, and a message is visible after its time, not at it.
        return float(max(0.0, (visible + 1 - unix_time_millis()) / 1000))


@dataclass(frozen=True)
class RunningOrEnded:
    """An execution as the engine has it now.

    `status` is AWS's, `document` its input, and `state` the state that it is in or ended in, if it
    has entered one.
    """

    arn: str
    status: str
    redrive_count: int
    document: Any
    _execution: Any = field(repr=False)

    @property
    def state(self) -> str | None:
        """Its current state."""
        return _state_of(self._execution)

    @property
    def events(self) -> list[Mapping[str, Any]]:
        """Its history so far, as the API has it."""
        return [
            {**event, "timestamp": datetime.fromisoformat(event["timestamp"])}
            for event in self._execution.to_history_output()["events"]
        ]


def executions() -> list[RunningOrEnded]:
    """All executions of the stack, oldest first.

    Step Functions' API returns the same, but takes a hundred times as long.
    """
    backend: Any = stepfunctions_parser_backends[ACCOUNT][REGION]
    return [
        RunningOrEnded(
            arn=execution.exec_arn,
            status=execution.status,
            redrive_count=getattr(execution, "redrive_count", 0),
            document=execution.input_data,
            _execution=execution,
        )
        for state_machine in list(backend.state_machines)
        for execution in list(state_machine.executions)
        if execution.exec_status is not None
    ]


def _state_of(execution: Any) -> str | None:
    environment = execution.exec_worker.env if execution.exec_worker else None
    if environment is None:
        return None
    state = environment.states.context_object.context_object_data.get("State")
    return None if state is None else str(state["Name"])
