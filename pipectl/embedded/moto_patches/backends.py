"""What moto's backends contain and no API of AWS returns, and their beginning and end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from moto.core.base_backend import BackendDict
from moto.core.config import default_user_config
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


def current_states() -> dict[str, str]:
    """The state that each execution is in or ended in, by the execution's ARN.

    The executions' histories contain the same, but take a hundred times as long to read.
    """
    states: dict[str, str] = {}
    backend: Any = stepfunctions_parser_backends[ACCOUNT][REGION]
    for state_machine in list(backend.state_machines):
        for execution in list(state_machine.executions):
            environment = execution.exec_worker.env if execution.exec_worker else None
            if environment is not None:
                context = environment.states.context_object.context_object_data
                if "State" in context:
                    states[execution.exec_arn] = context["State"]["Name"]
    return states
