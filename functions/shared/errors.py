"""The errors that steps raise, and the one place that decides what an AWS error means.

The class names are API: the workflow's `ErrorEquals` matches them, and operators filter by them.
Messages end up in the queue, e-mails and logs, so they name operations and codes, never data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from botocore import exceptions as botocore_errors
from botocore.exceptions import BotoCoreError, ClientError

# From https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, the other services'
# lists of common errors, and the codes that botocore retries (botocore/retries/standard.py).
_TRANSIENT_CODES = frozenset(
    {
        "ConditionalRequestConflict",
        "ExecutionLimitExceeded",
        "InternalError",
        "InternalException",
        "InternalFailure",
        "InternalServerError",
        "InternalServiceException",
        "KMSThrottling",
        "KMSThrottlingException",
        "LimitExceededException",
        "OperationAborted",
        "OperationTimeoutException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDown",
        "Throttled",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
# No connection, a broken one, or an incomplete answer. botocore's ConnectionError is a class of its
# own: it derives neither from Python's ConnectionError nor from HTTPClientError.
_BROKEN = (
    botocore_errors.ConnectionError,
    botocore_errors.FlexibleChecksumError,
    botocore_errors.HTTPClientError,
    botocore_errors.IncompleteReadError,
    ConnectionError,
    TimeoutError,
)
# Every code with which S3 reports that an object, or a version of it, doesn't exist. A HEAD answer
# has no body, so botocore uses the status as the code. A version that is a delete marker answers
# 405. A missing bucket (`NoSuchBucket`) is not included, because it is a fault of the stack.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html
_MISSING_CODES = frozenset({"404", "405", "MethodNotAllowed", "NoSuchKey", "NoSuchVersion"})
_CHANGED_CODES = frozenset({"412", "PreconditionFailed"})


# In characters. A message can quote a key of 1,024 bytes or a contract of any size, and Step
# Functions refuses a cause longer than 32,768 characters. A message of this length stays below that
# even if JSON escapes every character as six, and fits on a screen. `tabular.errors` has the same
# limit.
MAX_MESSAGE = 4000


Number = int | float

# Lambda reports only an error's type and message. So the numbers travel in the message's last line,
# from the step that fails to the steps of the failure lane.
_BEFORE_DETAILS = "\nDetails: "


class PipelineError(Exception):
    """Base of the errors that a step raises on purpose; cuts messages to `MAX_MESSAGE`.

    `details` are the error's numbers, such as `limit_bytes`, for programs.
    """

    def __init__(self, message: str = "", **details: Number) -> None:
        super().__init__(_bounded(message))
        self.details = details


def _bounded(message: str) -> str:
    """The message; if it is too long, its middle is left out, because the end says what to do."""
    if len(message) <= MAX_MESSAGE:
        return message
    half = (MAX_MESSAGE - len(" ... ")) // 2
    return f"{message[:half]} ... {message[-half:]}"


class SettingsError(PipelineError):
    """An environment variable that a function needs is missing or has an invalid value."""


class SourceNotFound(PipelineError):
    """The uploaded object, or the version that the event named, no longer exists."""


class SourceArchived(PipelineError):
    """The object is in an archive storage class, such as Glacier, and must be restored first."""


class SourceEncrypted(PipelineError):
    """The object is encrypted with a key that only its uploader has (SSE-C)."""


class SourceKeyDenied(PipelineError):
    """The object is encrypted with a KMS key that the function's role can't use."""


class SourceInfected(PipelineError):
    """GuardDuty found malware in the object, so it is not read."""


class SourceNotScanned(PipelineError):
    """GuardDuty has not scanned the object for malware, or could not scan it."""


class KeyTooLong(PipelineError):
    """The file's key is so long that the keys of its outputs would exceed S3's limit."""


class InvalidDatasetName(PipelineError):
    """The dataset's folder name has characters that are unsafe in keys, such as a line break."""


class SourceChanged(PipelineError):
    """The object's content is not the content that the event announced."""


class ContractMissing(PipelineError):
    """The dataset's contract was deleted, or the stack requires one and there is none."""


class MixedParts(PipelineError):
    """Parts of the file are missing or come from different engines; a redrive makes them again."""


class OutdatedExecution(PipelineError):
    """The execution was begun by another release, whose documents this one can't read."""


class TransientError(PipelineError):
    """A service was busy or unreachable; the same call can succeed later."""


class RecordOutdated(PipelineError):
    """The metadata item no longer records the file's success, which it recorded earlier."""


class InternalError(PipelineError):
    """An unexpected error; the message gives only its type and place in the code, never data."""


def with_details(message: str, details: Mapping[str, Number]) -> str:
    """The message with the error's numbers in its last line, for `split_details`.

    Example: `Details: {"rejected": 16, "records": 360}`
    """
    return f"{message}{_BEFORE_DETAILS}{json.dumps(details)}" if details else message


def split_details(message: str) -> tuple[str, dict[str, Number]]:
    """A message without its line of numbers, and the numbers."""
    text, marker, line = message.rpartition(_BEFORE_DETAILS)
    if not marker:
        return message, {}
    try:
        details = json.loads(line)
    except ValueError:
        return message, {}
    if not isinstance(details, dict) or not all(map(_is_number, details.values())):
        return message, {}
    return text, details


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# Step Functions and Lambda reserve names with these prefixes. A function that raised one would be
# refused, or would match retriers that are not meant for it.
_RESERVED_PREFIXES = ("States.", "Lambda.", "Sandbox.", "Runtime.", "Function.", "Extension.")


def bare_name(error: str) -> str:
    """The error's name without a reserved prefix, as the failure gate raises it again."""
    for prefix in _RESERVED_PREFIXES:
        error = error.removeprefix(prefix)
    return error


def error_code(error: ClientError) -> str:
    """The service's name for the error, such as `NoSuchKey`."""
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


def is_missing(error: ClientError) -> bool:
    """Whether S3 answered that the object, or this version of it, doesn't exist."""
    return error_code(error) in _MISSING_CODES


@contextmanager
def aws_errors(place: str, *, missing: type[PipelineError] = InternalError) -> Iterator[None]:
    """Turn what boto3 raises inside the block into one of this module's errors.

    `place` names what is being read or written, such as `s3://bucket/key`. Raises `TransientError`
    for throttling, outages and broken connections, `missing` if the object doesn't exist,
    `SourceArchived` if it must be restored first, `SourceChanged` if a precondition on its content
    failed, and `InternalError` for all other errors.
    """
    try:
        yield
    except ClientError as error:
        raise _translate(error, place, missing) from None
    except _BROKEN as error:
        raise TransientError(
            f"No answer for {place} ({type(error).__name__}). Retry later."
        ) from None
    except BotoCoreError as error:
        raise InternalError(f"The call for {place} failed: {type(error).__name__}.") from None


def _translate(error: ClientError, place: str, missing: type[PipelineError]) -> PipelineError:
    code = error_code(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    call = f"{error.operation_name} on {place}"
    if code in _TRANSIENT_CODES or status >= 500 or status == 429:
        return TransientError(f"{call} answered {code}. Retry later.")
    if is_missing(error):
        return missing(
            f"{place} doesn't exist ({code}). Restore it or upload it again, then rerun the file."
        )
    if code == "InvalidObjectState":
        tier = error.response.get("StorageClass") or "an archive storage class"
        return SourceArchived(
            f"{place} is archived ({tier}) and can't be read. "
            "Restore it with `aws s3api restore-object`, then rerun the file."
        )
    if code in _CHANGED_CODES:
        return SourceChanged(
            f"The content of {place} is not the content that the event announced ({code}). "
            "A newer upload has its own execution. If there is none, upload the file again."
        )
    return InternalError(f"{call} answered {code}. Check the function's role and the resource.")
