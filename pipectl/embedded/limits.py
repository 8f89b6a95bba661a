"""The limits of AWS that the embedded AWS enforces: the one table, with the source of each number.

Whoever enforces a limit takes the number from here. A test goes through the table, and fails for a
limit that nothing enforces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KIB = 1024
MIB = 1024 * KIB

_DOCS = "https://docs.aws.amazon.com/"


@dataclass(frozen=True)
class Limit:
    """A limit: `most` of `unit` are allowed, and `least`; beyond it, AWS answers `refusal`."""

    service: str
    what: str
    most: int
    unit: str
    refusal: str
    source: str
    least: int = 0

    def allows(self, amount: float) -> bool:
        """Whether this amount is within the limit."""
        return self.least <= amount <= self.most

    @property
    def name(self) -> str:
        """Service and subject, such as `SQS: message`."""
        return f"{self.service}: {self.what}"


_STEP_FUNCTIONS = _DOCS + "step-functions/latest/dg/service-quotas.html"
_STEP_FUNCTIONS_API = _DOCS + "step-functions/latest/apireference/"
_LAMBDA = _DOCS + "lambda/latest/dg/gettingstarted-limits.html"
_LAMBDA_API = _DOCS + "lambda/latest/api/"
_S3 = _DOCS + "AmazonS3/latest/userguide/"
_SQS = _DOCS + "AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"
_DYNAMODB = _DOCS + "amazondynamodb/latest/developerguide/Constraints.html"

EXECUTION_INPUT = Limit(
    "Step Functions",
    "input of an execution",
    256 * KIB,
    "bytes",
    "ValidationException",
    _STEP_FUNCTIONS,
)
EXECUTION_NAME = Limit(
    "Step Functions",
    "name of an execution",
    80,
    "characters",
    "InvalidName",
    _STEP_FUNCTIONS_API + "API_StartExecution.html",
    least=1,
)
STATE_DATA = Limit(
    "Step Functions",
    "input or output of a state",
    256 * KIB,
    "bytes",
    "States.DataLimitExceeded",
    _STEP_FUNCTIONS,
)
HISTORY = Limit(
    "Step Functions",
    "history of an execution",
    25_000,
    "events",
    "States.Runtime",
    _STEP_FUNCTIONS,
)
HISTORY_PAGE = Limit(
    "Step Functions",
    "events in an answer of GetExecutionHistory",
    1_000,
    "events",
    "more pages",
    _STEP_FUNCTIONS_API + "API_GetExecutionHistory.html",
)
# An execution at the end of its history can't be redriven. The documentation says 24,999, of which
# the event `ExecutionRedriven` is one.
REDRIVEN_HISTORY = Limit(
    "Step Functions",
    "history before a redrive",
    24_999,
    "events",
    "ExecutionNotRedrivable",
    _DOCS + "step-functions/latest/dg/redrive-executions.html",
)
# That these are cut, not refused, is assumed: AWS doesn't say so.
ERROR = Limit(
    "Step Functions",
    "name of an error",
    256,
    "characters",
    "is cut",
    _STEP_FUNCTIONS_API + "API_TaskFailedEventDetails.html",
)
CAUSE = Limit(
    "Step Functions",
    "cause of an error",
    32_768,
    "characters",
    "is cut",
    _STEP_FUNCTIONS_API + "API_TaskFailedEventDetails.html",
)
MAP_ITEMS = Limit(
    "Step Functions",
    "items of a Distributed Map",
    100_000_000,
    "items",
    "reading stops",
    _DOCS + "step-functions/latest/dg/input-output-itemreader.html",
)

INVOCATION = Limit(
    "Lambda",
    "payload of a synchronous invocation",
    6 * MIB,
    "bytes",
    "RequestTooLargeException",
    _LAMBDA_API + "API_Invoke.html",
)
ASYNCHRONOUS_INVOCATION = Limit(
    "Lambda",
    "payload of an asynchronous invocation",
    1 * MIB,
    "bytes",
    "RequestTooLargeException",
    _LAMBDA_API + "API_Invoke.html",
)
RESULT = Limit(
    "Lambda",
    "result of an invocation",
    6 * MIB,
    "bytes",
    "Function.ResponseSizeTooLarge",
    _LAMBDA,
)
FUNCTION_NAME = Limit(
    "Lambda",
    "name of a function",
    64,
    "characters",
    "InvalidParameterValueException",
    _LAMBDA_API + "API_CreateFunction.html",
    least=1,
)
ENVIRONMENT = Limit(
    "Lambda",
    "environment variables as JSON",
    4 * KIB,
    "bytes",
    "InvalidParameterValueException",
    _LAMBDA,
)
MEMORY = Limit(
    "Lambda",
    "memory of a function",
    10_240,
    "MB",
    "InvalidParameterValueException",
    _LAMBDA,
    least=128,
)
STORAGE = Limit(
    "Lambda",
    "size of a function's `/tmp`",
    10_240,
    "MB",
    "InvalidParameterValueException",
    _LAMBDA,
    least=512,
)
TIMEOUT = Limit(
    "Lambda",
    "timeout of a function",
    900,
    "seconds",
    "InvalidParameterValueException",
    _LAMBDA,
    least=1,
)

KEY = Limit("S3", "key of an object", 1024, "bytes", "KeyTooLongError", _S3 + "object-keys.html")
METADATA = Limit(
    "S3",
    "user-defined metadata of an object",
    2 * KIB,
    "bytes",
    "MetadataTooLarge",
    _S3 + "UsingMetadata.html",
)

MESSAGE = Limit(
    "SQS", "message with its attributes", 1 * MIB, "bytes", "InvalidParameterValue", _SQS
)
MESSAGE_BATCH = Limit(
    "SQS", "messages of a batch together", 1 * MIB, "bytes", "BatchRequestTooLong", _SQS
)

NOTIFICATION = Limit(
    "SNS",
    "message with its attributes",
    256 * KIB,
    "bytes",
    "InvalidParameter",
    _DOCS + "sns/latest/api/API_Publish.html",
)
SUBJECT = Limit(
    "SNS",
    "subject of a message",
    100,
    "characters",
    "InvalidParameter",
    _DOCS + "sns/latest/api/API_Publish.html",
)

ITEM = Limit("DynamoDB", "item", 400 * KIB, "bytes", "ValidationException", _DYNAMODB)
PARTITION_KEY = Limit(
    "DynamoDB", "value of a partition key", 2048, "bytes", "ValidationException", _DYNAMODB, least=1
)
SORT_KEY = Limit(
    "DynamoDB", "value of a sort key", 1024, "bytes", "ValidationException", _DYNAMODB, least=1
)

EVENTS = Limit(
    "EventBridge",
    "entries of a PutEvents request together",
    1 * MIB,
    "bytes",
    "ValidationException",
    _DOCS + "eventbridge/latest/APIReference/API_PutEvents.html",
)

LIMITS = tuple(value for value in list(globals().values()) if isinstance(value, Limit))


def text_bytes(text: Any) -> int:
    """The size of a text in UTF-8; what isn't valid Unicode counts as it is written in JSON."""
    return len(str(text).encode(errors="backslashreplace"))


def attributes_bytes(attributes: Mapping[str, Any] | None) -> int:
    """The size of SQS's or SNS's message attributes: their names, types and values."""
    return sum(
        text_bytes(name) + sum(_value_bytes(value) for value in attribute.values())
        for name, attribute in (attributes or {}).items()
    )


def _value_bytes(value: Any) -> int:
    return len(value) if isinstance(value, bytes) else text_bytes(value)
