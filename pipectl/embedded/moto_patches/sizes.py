"""Patches that make moto refuse what is too large for AWS, in AWS's words.

moto counts characters instead of bytes, leaves attributes out, or doesn't check.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from moto.dynamodb.exceptions import ItemSizeTooLarge
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.utilities import bytesize
from moto.events.exceptions import ValidationException
from moto.events.models import EventsBackend
from moto.s3.exceptions import S3ClientError
from moto.s3.responses import S3Response
from moto.sns.exceptions import InvalidParameterValue
from moto.sns.models import SNSBackend
from moto.sqs.exceptions import BatchRequestTooLong
from moto.sqs.exceptions import InvalidParameterValue as InvalidMessage
from moto.sqs.models import SQSBackend
from moto.stepfunctions.parser.api import ExecutionFailedEventDetails, HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.state import state
from moto.stepfunctions.parser.asl.component.state.exec.state_task import state_task_lambda
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service,
)
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager

from pipectl.embedded import limits
from pipectl.embedded.limits import attributes_bytes, text_bytes
from pipectl.embedded.moto_patches.table import PatchSettings, replaces

# S3


@replaces(S3Response, "_key_response", "32036c0baa6c")
def _keys_and_metadata_checked(original: Callable[..., Any], _settings: PatchSettings) -> Any:
    """Refuse long keys in every request, and too much metadata in those that have some."""

    def respond(self: Any, request: Any, full_url: str) -> Any:
        if not limits.KEY.allows(text_bytes(self.parse_key_name())):
            raise S3ClientError(limits.KEY.refusal, "Your key is too long")
        prefix = "x-amz-meta-"
        metadata = {
            name.lower().removeprefix(prefix): value
            for name, value in request.headers.items()
            if name.lower().startswith(prefix)
        }
        size = sum(text_bytes(name) + text_bytes(value) for name, value in metadata.items())
        if not limits.METADATA.allows(size):
            raise S3ClientError(
                limits.METADATA.refusal,
                "Your metadata headers exceed the maximum allowed metadata size",
            )
        return original(self, request, full_url)

    return respond


# SQS


@replaces(SQSBackend, "send_message", "0ab0795e3422")
def _messages_measured(original: Callable[..., Any], _settings: PatchSettings) -> Any:
    def send(
        backend: Any,
        queue_name: str,
        message_body: str,
        message_attributes: Mapping[str, Any] | None = None,
        *args: Any,
        **more: Any,
    ) -> Any:
        # A queue may have a smaller limit of its own.
        most = min(limits.MESSAGE.most, backend.get_queue(queue_name).maximum_message_size)
        if text_bytes(message_body) + attributes_bytes(message_attributes) > most:
            raise InvalidMessage(
                "One or more parameters are invalid. Reason: Message must be shorter than"
                f" {most} bytes."
            )
        return original(backend, queue_name, message_body, message_attributes, *args, **more)

    return send


@replaces(SQSBackend, "send_message_batch", "8eecf32378f7")
def _batches_measured(original: Callable[..., Any], _settings: PatchSettings) -> Any:
    def send(backend: Any, queue_name: str, entries: Mapping[str, Mapping[str, Any]]) -> Any:
        size = sum(
            text_bytes(entry["MessageBody"]) + attributes_bytes(entry.get("MessageAttributes"))
            for entry in entries.values()
        )
        if not limits.MESSAGE_BATCH.allows(size):
            raise BatchRequestTooLong(size)
        return original(backend, queue_name, entries)

    return send


# SNS

_REFUSED_IN_SUBJECTS = re.compile("[\x00-\x1f\x7f-\x9f]")


@replaces(SNSBackend, "publish", "1a3389bc5623")
def _notifications_measured(original: Callable[..., str], _settings: PatchSettings) -> Any:
    def publish(
        backend: Any,
        message: str,
        arn: str | None,
        *,
        subject: str | None = None,
        message_attributes: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> str:
        if subject is not None and (
            not limits.SUBJECT.allows(len(subject)) or _REFUSED_IN_SUBJECTS.search(subject)
        ):
            raise InvalidParameterValue("Invalid parameter: Subject")
        size = text_bytes(message) + attributes_bytes(message_attributes)
        if not limits.NOTIFICATION.allows(size):
            raise InvalidParameterValue("Invalid parameter: Message too long")
        more |= {"subject": subject, "message_attributes": message_attributes}
        return original(backend, message, arn, **more)

    return publish


# DynamoDB


@replaces(LimitedSizeDict, "__setitem__", "ed7516fff431")
def _items_measured(_original: Callable[..., None], _settings: PatchSettings) -> Any:
    """Limit an item to AWS's size; moto chose one in between, and counts a replaced value twice."""

    def set_item(item: Any, key: str, value: Any) -> None:
        others = sum(
            bytesize(name) + _attribute_bytes(one) for name, one in item.items() if name != key
        )
        if not limits.ITEM.allows(others + bytesize(key) + _attribute_bytes(value)):
            raise ItemSizeTooLarge
        dict.__setitem__(item, key, value)

    return set_item


@replaces(Item, "__init__", "11eb3dfce741")
def _new_items_measured_once(original: Callable[..., None], _settings: PatchSettings) -> Any:
    """Measure a new item as a whole, and not after each attribute, which is quadratic."""

    def make(item: Any, hash_key: Any, range_key: Any, attrs: Mapping[str, Any]) -> None:
        original(item, hash_key, range_key, {})
        values = {name: DynamoType(value) for name, value in attrs.items()}
        if not limits.ITEM.allows(
            sum(bytesize(name) + _attribute_bytes(value) for name, value in values.items())
        ):
            raise ItemSizeTooLarge
        dict.update(item.attrs, values)

    return make


def _attribute_bytes(value: Any) -> int:
    return int(value.size() if type(value) is DynamoType else bytesize(str(value)))


# EventBridge


@replaces(EventsBackend, "put_events", "5232d1964ffd")
def _events_measured(original: Callable[..., Any], _settings: PatchSettings) -> Any:
    def put_events(backend: Any, events: list[dict[str, Any]]) -> Any:
        if not limits.EVENTS.allows(sum(map(_entry_bytes, events))):
            raise ValidationException("Total size of the entries in the request is over the limit.")
        return original(backend, events)

    return put_events


def _entry_bytes(entry: Mapping[str, Any]) -> int:
    """An entry's size.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html
    """
    texts = [entry.get(name) or "" for name in ("Source", "DetailType", "Detail")]
    time_bytes = 14 if entry.get("Time") else 0
    return time_bytes + sum(map(text_bytes, [*texts, *(entry.get("Resources") or [])]))


# Step Functions


def _is_small(_original: Any, _settings: PatchSettings) -> Any:
    """Measure a state as compact JSON in UTF-8; moto counts escapes and spaces, and is one off."""

    def is_small(value: Any) -> bool:
        text = json.dumps(value, default=str, ensure_ascii=False, separators=(",", ":"))
        return limits.STATE_DATA.allows(text_bytes(text))

    return is_small


for _module in (state, state_task_lambda, state_task_service):
    replaces(_module, "is_within_size_quota", "9e957bdb1b26")(_is_small)


@replaces(FailureEvent, "__init__", "ccd333631157")
def _errors_and_causes_cut(original: Callable[..., None], _settings: PatchSettings) -> Any:
    """Cut names and causes of errors, in the history and for what catches them."""

    def init(
        failure: Any, env: Any, error_name: Any, event_type: Any, event_details: Any = None
    ) -> None:
        if event_details is not None:
            event_details = {kind: _cut(details) for kind, details in event_details.items()}
        original(failure, env, error_name, event_type, event_details)

    return init


def _cut(details: Any) -> Any:
    longest = {"error": limits.ERROR.most, "cause": limits.CAUSE.most}
    return {
        name: value[: longest[name]] if name in longest and isinstance(value, str) else value
        for name, value in details.items()
    }


_ENDS = frozenset(
    {
        HistoryEventType.ExecutionAborted,
        HistoryEventType.ExecutionFailed,
        HistoryEventType.ExecutionSucceeded,
        HistoryEventType.ExecutionTimedOut,
    }
)


_REDRIVEN = HistoryEventType.ExecutionRedriven


@replaces(EventManager, "add_event", "7f427a32e99e")
def _histories_end(original: Callable[..., int], _settings: PatchSettings) -> Any:
    """Fail an execution whose history has room for its end only.

    What a state that is still running does after the execution has timed out is not in the history.
    """

    def add_event(manager: Any, context: Any, event_type: Any, *args: Any, **more: Any) -> int:
        history = manager._history_event_list
        last: Any = history[-1] if history else {}
        if last.get("type") == HistoryEventType.ExecutionTimedOut and event_type != _REDRIVEN:
            return int(last["id"])
        # Branches that run at once may add a few too many.
        if event_type not in _ENDS and len(manager._history_event_list) >= limits.HISTORY.most - 1:
            raise HistoryFullError
        return original(manager, context, event_type, *args, **more)

    return add_event


class HistoryFullError(FailureEventException):
    """The execution's history is full. No Retry or Catch gets it."""

    def __init__(self) -> None:
        name = StatesErrorName(typ=StatesErrorNameType.StatesRuntime)
        details: Any = {"executionFailedEventDetails": self.get_execution_failed_event_details()}
        failure = FailureEvent.__new__(FailureEvent)
        vars(failure).update(
            state_name="",
            source_event_id=0,
            error_name=name,
            event_type=HistoryEventType.ExecutionFailed,
            event_details=details,
        )
        super().__init__(failure)

    def get_execution_failed_event_details(self) -> ExecutionFailedEventDetails:
        """The error without the name of the state, which other errors of this kind have."""
        return ExecutionFailedEventDetails(
            error=limits.HISTORY.refusal,
            cause=(
                "The execution reached the maximum number of history events"
                f" ({limits.HISTORY.most})."
            ),
        )
