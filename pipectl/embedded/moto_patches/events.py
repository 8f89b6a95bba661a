"""Patches that send the events which moto leaves out or sends incompletely.

S3 events get a version and a sequencer, pollers learn that a message becomes visible, topics and
rules reach Lambda functions, and executions report their status to EventBridge.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from moto.events.models import Rule, events_backends
from moto.s3 import notifications
from moto.sns.exceptions import InvalidParameterValue
from moto.sns.models import SNSBackend, Subscription
from moto.sqs.exceptions import QueueDoesNotExist
from moto.sqs.models import SQSBackend, sqs_backends
from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded, ProgramError
from moto.stepfunctions.parser.backend.execution import (
    BaseExecutionWorkerCommunication,
    Execution,
)

from pipectl.embedded.lambda_service import ServiceError
from pipectl.embedded.moto_patches.table import PatchSettings, replaces

# S3


class _Sequence:
    """Numbers that only grow. The clock sets the start, so that they grow across stacks too."""

    def __init__(self) -> None:
        self.last = time.time_ns()
        self._lock = threading.Lock()

    def next(self) -> int:
        with self._lock:
            self.last += 1
            return self.last

    def continue_after(self, last: int) -> None:
        with self._lock:
            self.last = max(self.last, last)


# Later writes of a key have greater sequencers, compared as text.
_SEQUENCE = _Sequence()


def last_sequencer() -> int:
    """The number of the newest sequencer."""
    return _SEQUENCE.last


def continue_sequence(last: int) -> None:
    """Make all sequencers from now on greater than this one, even if the clock was set back."""
    _SEQUENCE.continue_after(last)


@replaces(notifications, "_send_sqs_message", "1c0937c2a626")
def _send_if_the_queue_allows(original: Callable[..., None], settings: PatchSettings) -> Any:
    """Send a bucket's events only to queues whose policies allow it, and that exist."""

    def send(account_id: str, event: Any, queue_name: str, region: str) -> None:
        # The bucket of a deleted stack still has its notifications.
        if queue_name not in sqs_backends[account_id][region].queues:
            return
        queue = f"arn:aws:sqs:{region}:{account_id}:{queue_name}"
        if settings.rights.of_service(_S3, "sqs:SendMessage", queue, _bucket_of(event)) is None:
            original(account_id, event, queue_name, region)

    return send


_S3 = "s3.amazonaws.com"


def _bucket_of(event: Mapping[str, Any]) -> str:
    """The ARN of the bucket that an event, or the event of a test, comes from."""
    if "Bucket" in event:
        return f"arn:aws:s3:::{event['Bucket']}"
    return str(event["Records"][0]["s3"]["bucket"]["arn"])


@replaces(notifications, "_get_s3_event", "19e8d7b8527a")
def _complete_s3_event(original: Callable[..., dict[str, Any]], _settings: PatchSettings) -> Any:
    """Add the object's version and a sequencer to an S3 event."""

    def event_of(event_name: str, bucket: Any, key: Any, name: str) -> dict[str, Any]:
        event = original(event_name, bucket, key, name)
        for record in event["Records"]:
            described = record["s3"]["object"]
            if bucket.is_versioned:
                described["versionId"] = key.version_id
            described["sequencer"] = f"{_SEQUENCE.next():016X}"
        return event

    return event_of


# SQS


@replaces(SQSBackend, "change_message_visibility", "692b1274fcb9")
def _changes_of_visibility_seen(original: Callable[..., None], _settings: PatchSettings) -> Any:
    """Let those who wait for a queue's messages see that one becomes visible at another time."""

    def change(backend: Any, queue_name: str, *args: Any, **more: Any) -> None:
        original(backend, queue_name, *args, **more)
        changed = backend.get_queue(queue_name)._messages_lock  # moto has no public name for it
        with changed:
            changed.notify_all()

    return change


# SNS

# What a message attribute can't contain: control characters and code points that are no characters.
# https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
_REFUSED_IN_ATTRIBUTES = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@replaces(SNSBackend, "publish", "1a3389bc5623")
def _publish_checked(original: Callable[..., str], _settings: PatchSettings) -> Any:
    """Refuse the message attributes that SNS refuses."""

    def publish(backend: Any, *args: Any, **kwargs: Any) -> str:
        for name, attribute in (kwargs.get("message_attributes") or {}).items():
            if _REFUSED_IN_ATTRIBUTES.search(str(attribute["Value"])):
                raise InvalidParameterValue(
                    f"Invalid parameter: The value of the message attribute '{name}' has a"
                    " character that is not allowed."
                )
        return original(backend, *args, **kwargs)

    return publish


@replaces(Subscription, "publish", "0877a1a7ab60")
def _publish_to_lambda(original: Callable[..., None], settings: PatchSettings) -> Any:
    """Deliver messages to subscribed functions, and to these and queues only if they allow it."""

    def publish(subscription: Any, message: str, message_id: str, **more: Any) -> None:
        action = _DELIVERIES.get(subscription.protocol)
        topic, endpoint = subscription.topic.arn, subscription.endpoint
        if action and settings.rights.of_service(_SNS, action, endpoint, topic):
            return
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
        # A function that doesn't exist, or an event that is too large: SNS drops the message too.
        with suppress(ServiceError):
            settings.invoke(subscription.endpoint, json.dumps(event).encode())

    return publish


_SNS = "sns.amazonaws.com"
_DELIVERIES = {"lambda": "lambda:InvokeFunction", "sqs": "sqs:SendMessage"}


def _sns_event(
    subscription: Any,
    message: str,
    message_id: str,
    subject: str | None,
    attributes: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The event that a function receives from SNS.

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


@replaces(Rule, "send_to_targets", "d034bb3d42f2")
def _send_as_it_is(original: Callable[..., None], settings: PatchSettings) -> Any:
    """Deliver a rule's events to functions and queues, exactly as they are.

    moto delivers to no function. For queues it puts the event into a text template, which changes
    an event that contains `<time>`, and fails for a time that is not a number. What can't be
    delivered goes to the target's dead-letter queue, without the retries of a day.
    """

    def send(rule: Any, event: Any, transform_input: bool = True) -> None:
        # Without a pattern it is a schedule, which no event matches.
        pattern = rule.event_pattern
        if rule.state != "ENABLED" or not pattern.get_pattern():
            return
        if not pattern.matches_event(event):
            return
        shown = event
        if isinstance(event["time"], int | float):
            shown = {name: value for name, value in event.items() if name != "ingestion-time"}
            shown["time"] = _iso(event["time"])
        for target in rule.targets:
            problem = _undelivered(rule, target, shown, settings)
            if problem is not None:
                _set_aside(rule, target, shown, problem, settings)
        others = [one for one in rule.targets if _service(one) not in ("lambda", "sqs")]
        if others:
            original(_WithTargets(rule, others), event, transform_input)

    return send


_EVENTS = "events.amazonaws.com"


def _service(target: Mapping[str, Any]) -> str:
    return str(target["Arn"]).split(":")[2]


def _undelivered(
    rule: Any, target: Mapping[str, Any], event: Mapping[str, Any], settings: PatchSettings
) -> tuple[str, str] | None:
    """Deliver an event to a function or queue; if that fails, the error's code and message."""
    service, arn = _service(target), str(rule.arn)
    action = _DELIVERIES.get(service)
    refusal = action and settings.rights.of_service(_EVENTS, action, target["Arn"], arn)
    if refusal:
        return "NO_PERMISSIONS", refusal.message
    try:
        if service == "lambda":
            settings.invoke(target["Arn"], _target_input(target, event).encode())
        elif service == "sqs":
            _send_to_queue(target, _target_input(target, event))
    except (ServiceError, QueueDoesNotExist) as error:
        return "NO_RESOURCE", str(error)
    return None


def _set_aside(
    rule: Any,
    target: Mapping[str, Any],
    event: Mapping[str, Any],
    problem: tuple[str, str],
    settings: PatchSettings,
) -> None:
    """Send an event that can't be delivered to the target's dead-letter queue, if it has one.

    `problem` is code and message. A queue that doesn't exist, or doesn't allow it, gets nothing.
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    """
    queue, arn = target.get("DeadLetterConfig", {}).get("Arn"), str(rule.arn)
    if queue is None or settings.rights.of_service(_EVENTS, "sqs:SendMessage", queue, arn):
        return
    attributes = {
        "RULE_ARN": arn,
        "TARGET_ARN": target["Arn"],
        "ERROR_CODE": problem[0],
        "ERROR_MESSAGE": problem[1],
        "RETRY_ATTEMPTS": "0",
    }
    _, _, _, region, account, name = queue.split(":")
    with suppress(QueueDoesNotExist):
        sqs_backends[account][region].send_message(
            name,
            json.dumps(event),
            message_attributes={
                key: {"DataType": "String", "StringValue": value}
                for key, value in attributes.items()
            },
        )


def _send_to_queue(target: Mapping[str, Any], body: str) -> None:
    _, _, _, region, account, name = target["Arn"].split(":")
    group = target.get("SqsParameters", {}).get("MessageGroupId")
    sqs_backends[account][region].send_message(name, body, group_id=group)


def _target_input(target: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        return json.dumps(_value_at(target["InputPath"], event))
    transformer = target.get("InputTransformer")
    if transformer:
        values = {
            name: _value_at(path, event)
            for name, path in transformer.get("InputPathsMap", {}).items()
        }
        return filled(str(transformer["InputTemplate"]), values)
    return json.dumps(event)


def filled(template: str, values: Mapping[str, Any]) -> str:
    """An input template with its variables: bare ones as JSON, those within quotes as text.

    moto puts texts into JSON without quotes. Variables without a value become null, or empty text.
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    """

    def as_text(found: re.Match[str]) -> str:
        value = values.get(found[1])
        text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
        return json.dumps(text)[1:-1]

    def replaced(found: re.Match[str]) -> str:
        if found[0].startswith('"'):
            return _VARIABLE.sub(as_text, found[0])
        return json.dumps(values.get(found[1]))

    return _TEXT_OR_VARIABLE.sub(replaced, template)


def _value_at(path: str, event: Mapping[str, Any]) -> Any:
    """The value at a path of names, such as `$.detail.file_id`; None if there is none."""
    value: Any = event
    for name in path.removeprefix("$").split("."):
        if name:
            value = value.get(name) if isinstance(value, Mapping) else None
    return value


_VARIABLE = re.compile(r"<([^<>\"]+)>")
_TEXT_OR_VARIABLE = re.compile(r'"(?:[^"\\]|\\.)*"|<([^<>"]+)>')


class _WithTargets:
    """A rule with some of its targets."""

    def __init__(self, rule: Any, targets: list[Any]) -> None:
        self._rule = rule
        self.targets = targets

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rule, name)


# Step Functions


@replaces(Execution, "start", "aace7bdcfe22")
def _report_start(original: Callable[..., None], settings: PatchSettings) -> Any:
    def start(execution: Any) -> None:
        original(execution)
        settings.changed()
        emit_status(execution, started=True)

    return start


@replaces(BaseExecutionWorkerCommunication, "_reflect_execution_status", "2a15965afada")
def _status_after_its_output(original: Callable[..., None], _settings: PatchSettings) -> Any:
    """An execution has its output or error before it has its status: both can be read any time."""

    def reflect(communication: Any) -> None:
        execution = communication.execution
        environment = execution.exec_worker.env
        state = environment.program_state()
        if isinstance(state, ProgramEnded):
            execution.output = environment.states.get_input()
        elif isinstance(state, ProgramError) and state.error is not None:
            execution.error = state.error.get("error")
            execution.cause = state.error.get("cause")
        original(communication)

    return reflect


@replaces(BaseExecutionWorkerCommunication, "terminated", "8d9da006beb9")
def _report_end(original: Callable[..., None], settings: PatchSettings) -> Any:
    def terminated(communication: Any) -> None:
        original(communication)
        settings.changed()
        emit_status(communication.execution)

    return terminated


def emit_status(execution: Any, *, started: bool = False) -> None:
    """Report the current status of one of moto's executions to EventBridge, or its start."""
    event = status_event(execution, started=started)
    # As on AWS, nothing waits for it.
    threading.Thread(target=_deliver, args=(execution, event), daemon=True).start()


def status_event(execution: Any, *, started: bool) -> dict[str, Any]:
    """The EventBridge event for the current status of one of moto's executions.

    With `started`, it is the event of its start, whatever has become of it since.
    https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
    """
    described = execution.to_describe_output()
    ended = {} if started else described
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
            "status": "RUNNING" if started else execution.status,
            "startDate": _milliseconds(described["startDate"]),
            "stopDate": _milliseconds(ended.get("stopDate")),
            # The document as an escaped string.
            "input": described["input"],
            "output": ended.get("output"),
            "error": ended.get("error"),
            "cause": ended.get("cause"),
            "redriveCount": getattr(execution, "redrive_count", 0),
            "inputDetails": {"included": True},
            "outputDetails": {"included": True} if "output" in ended else None,
        },
    }


def _deliver(execution: Any, event: Mapping[str, Any]) -> None:
    backend: Any = events_backends[execution.account_id][execution.region_name]
    for rule in list(backend.describe_event_bus("default").rules.values()):
        rule.send_to_targets(event)


def _milliseconds(date: Any) -> int | None:
    return None if date is None else int(date.timestamp() * 1000)


def _iso_now() -> str:
    return _iso(time.time())


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
