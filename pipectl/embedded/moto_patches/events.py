"""Events that moto leaves out or sends incompletely.

S3 events get a version and a sequencer; topics and rules reach Lambda functions; executions tell
EventBridge how they go.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from typing import Any
from unittest.mock import patch

from moto.events.models import Rule, events_backends
from moto.events.utils import EventTemplateParser
from moto.s3 import notifications
from moto.sns.exceptions import InvalidParameterValue
from moto.sns.models import SNSBackend, Subscription
from moto.stepfunctions.parser.backend.execution import (
    BaseExecutionWorkerCommunication,
    Execution,
)

from pipectl.embedded.lambda_service import ServiceError

Invoke = Callable[[str, bytes], None]
"""Invokes a function, given by name or ARN, asynchronously with a payload."""


def complete_events(invoke: Invoke) -> AbstractContextManager[Any]:
    """Replace, while the stack is up, what moto does about events."""
    hooks = ExitStack()
    for owner, name, replacement in (
        (notifications, "_get_s3_event", _complete_s3_event),
        (SNSBackend, "publish", _publish_checked),
        (Subscription, "publish", _publish_to_lambda(invoke)),
        (Rule, "send_to_targets", _send_to_lambda(invoke)),
        (Execution, "start", _tell_start),
        (BaseExecutionWorkerCommunication, "terminated", _tell_end),
    ):
        hooks.enter_context(patch.object(owner, name, _around(getattr(owner, name), replacement)))
    return hooks


def _around(original: Callable[..., Any], replacement: Callable[..., Any]) -> Callable[..., Any]:
    """A function for moto's place that gets moto's own one as its first argument."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return replacement(original, *args, **kwargs)

    return call


# S3

# Later writes of a key have greater sequencers, compared as text; the clock sets the start, so
# that this holds from one stack to the next too.
_SEQUENCE = itertools.count(time.time_ns())


def _complete_s3_event(
    original: Callable[..., dict[str, Any]], event_name: str, bucket: Any, key: Any, name: str
) -> dict[str, Any]:
    event = original(event_name, bucket, key, name)
    for record in event["Records"]:
        described = record["s3"]["object"]
        if bucket.is_versioned:
            described["versionId"] = key.version_id
        described["sequencer"] = f"{next(_SEQUENCE):016X}"
    return event


# SNS

# What a message attribute can't carry: control characters, and what is no character.
# https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
_REFUSED_IN_ATTRIBUTES = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def _publish_checked(original: Callable[..., str], backend: Any, *args: Any, **kwargs: Any) -> str:
    for name, attribute in (kwargs.get("message_attributes") or {}).items():
        value = str(attribute["Value"])
        if _REFUSED_IN_ATTRIBUTES.search(value):
            raise InvalidParameterValue(
                f"Invalid parameter: The value of the message attribute '{name}' has a character"
                " that is not allowed."
            )
    return original(backend, *args, **kwargs)


def _publish_to_lambda(invoke: Invoke) -> Callable[..., None]:
    def publish(
        original: Callable[..., None],
        subscription: Any,
        message: str,
        message_id: str,
        **more: Any,
    ) -> None:
        if subscription.protocol != "lambda":
            original(subscription, message, message_id, **more)
            return
        attributes = more.get("message_attributes")
        wanted = subscription._filter_policy_matcher  # moto has no public name for it
        if wanted is not None and not wanted.matches(attributes, message):
            return
        if more.get("message_structure") == "json":
            by_protocol = json.loads(message)
            message = by_protocol.get("lambda", by_protocol["default"])
        event = _sns_event(subscription, message, message_id, more.get("subject"), attributes)
        invoke(subscription.endpoint, json.dumps(event).encode())

    return publish


def _sns_event(
    subscription: Any,
    message: str,
    message_id: str,
    subject: str | None,
    attributes: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The event as a function gets it.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
    """
    return {
        "Records": [
            {
                "EventVersion": "1.0",
                "EventSubscriptionArn": subscription.arn,
                "EventSource": "aws:sns",
                "Sns": {
                    "Type": "Notification",
                    "MessageId": message_id,
                    "TopicArn": subscription.topic.arn,
                    "Subject": subject,
                    "Message": message,
                    "Timestamp": _iso_now(),
                    "SignatureVersion": "1",
                    "Signature": "EXAMPLE",
                    "SigningCertUrl": "EXAMPLE",
                    "UnsubscribeUrl": "EXAMPLE",
                    "MessageAttributes": dict(attributes or {}),
                },
            }
        ]
    }


# EventBridge


def _send_to_lambda(invoke: Invoke) -> Callable[..., None]:
    def send(
        original: Callable[..., None], rule: Any, event: Any, transform_input: bool = True
    ) -> None:
        if rule.state != "ENABLED" or not rule.event_pattern.matches_event(event):
            return
        functions = [target for target in rule.targets if ":lambda:" in target["Arn"]]
        for target in functions:
            invoke(target["Arn"], _target_input(target, event).encode())
        if len(functions) < len(rule.targets):
            original(_Others(rule, functions), event, transform_input)

    return send


def _target_input(target: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    if "Input" in target:
        return str(target["Input"])
    whole: Any = event
    transformer = target.get("InputTransformer")
    if transformer:
        shaped = EventTemplateParser.parse(
            input_template=transformer["InputTemplate"],
            input_paths_map=transformer.get("InputPathsMap", {}),
            event=whole,
        )
        return shaped if isinstance(shaped, str) else json.dumps(shaped)
    return json.dumps(event)


class _Others:
    """A rule without those targets that are served already."""

    def __init__(self, rule: Any, served: list[Any]) -> None:
        self._rule = rule
        self.targets = [target for target in rule.targets if target not in served]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rule, name)


# Step Functions


def _tell_start(original: Callable[..., None], execution: Any) -> None:
    original(execution)
    emit_status(execution)


def _tell_end(original: Callable[..., None], communication: Any) -> None:
    original(communication)
    emit_status(communication.execution)


def emit_status(execution: Any) -> None:
    """Tell EventBridge of a moto execution's present status."""
    event = status_event(execution)
    # As on AWS, nobody waits for it.
    threading.Thread(target=_deliver, args=(execution, event), daemon=True).start()


def status_event(execution: Any) -> dict[str, Any]:
    """The EventBridge event of a moto execution's present status.

    https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
    """
    described = execution.to_describe_output()
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": execution.account_id,
        "time": _iso_now(),
        "region": execution.region_name,
        "resources": [execution.exec_arn],
        "detail": {
            "executionArn": described["executionArn"],
            "stateMachineArn": described["stateMachineArn"],
            "name": described["name"],
            "status": execution.status,
            "startDate": _milliseconds(described["startDate"]),
            "stopDate": _milliseconds(described["stopDate"]),
            # The document as an escaped string.
            "input": described["input"],
            "output": described.get("output"),
            "error": described.get("error"),
            "cause": described.get("cause"),
            "redriveCount": getattr(execution, "redrive_count", 0),
            "inputDetails": {"included": True},
            "outputDetails": {"included": True} if "output" in described else None,
        },
    }


def _deliver(execution: Any, event: Mapping[str, Any]) -> None:
    backend: Any = events_backends[execution.account_id][execution.region_name]
    for rule in list(backend.describe_event_bus("default").rules.values()):
        try:
            rule.send_to_targets(event)
        except ServiceError:
            # The rule names a function that isn't there: EventBridge drops the event too.
            continue


def _milliseconds(moment: Any) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)


def _iso_now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
