"""Errors of the AWS side, and the one place that decides what an AWS error means.

The class names are API: the workflow's `ErrorEquals` matches them, operators filter by them.
Messages travel into queue, mail and logs, so they name operations and codes, never data.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as botocore_errors
from botocore.exceptions import BotoCoreError, ClientError

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, the services' own lists, and
# those that botocore retries (botocore/retries/standard.py).
_TRANSIENT_CODES = frozenset(
    {
        "ConditionalRequestConflict",
        "ExecutionLimitExceeded",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "KMSThrottling",
        "KMSThrottlingException",
        "LimitExceededException",
        "OperationAborted",
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
# No connection, a broken one, or an answer that did not arrive whole. botocore's own
# ConnectionError is neither Python's nor an HTTPClientError.
_BROKEN = (
    botocore_errors.ConnectionError,
    botocore_errors.FlexibleChecksumError,
    botocore_errors.HTTPClientError,
    botocore_errors.IncompleteReadError,
    ConnectionError,
    TimeoutError,
)
# Every way in which S3 says that an object, or a version of it, is not there. HEAD has no body, so
# botocore gives the status as the code. A version that is a delete marker answers 405. A bucket
# that is not there (`NoSuchBucket`) is another matter: it is wrong for every file.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html
_MISSING_CODES = frozenset({"404", "405", "MethodNotAllowed", "NoSuchKey", "NoSuchVersion"})
_CHANGED_CODES = frozenset({"412", "PreconditionFailed"})


# Of characters. A message can quote a key of 1,024 bytes or a contract of any size, and Step
# Functions refuses a cause of more than 32,768: this one fits with every character escaped as
# JSON does at worst (6 for 1), and still fits on a screen. `tabular.errors` has the same limit.
MAX_MESSAGE = 4000


class PipelineError(Exception):
    """Base of the errors that a step raises on purpose; a message has at most `MAX_MESSAGE`."""

    def __init__(self, message: str = "") -> None:
        super().__init__(_bounded(message))


def _bounded(message: str) -> str:
    """The message, without its middle if it is too long: the end says what to do."""
    if len(message) <= MAX_MESSAGE:
        return message
    half = (MAX_MESSAGE - len(" ... ")) // 2
    return f"{message[:half]} ... {message[-half:]}"


class SettingsError(PipelineError):
    """An environment variable that a function needs is missing or cannot be read."""


class SourceNotFound(PipelineError):
    """The uploaded object, or the version that the event named, is not there any more."""


class SourceArchived(PipelineError):
    """The object is in an archive storage class, such as Glacier, and has to be restored first."""


class SourceEncrypted(PipelineError):
    """The object is encrypted with a key that its uploader supplied (SSE-C) and AWS forgot."""


class SourceKeyDenied(PipelineError):
    """The object is encrypted with a KMS key that the function's role must not, or can't, use."""


class KeyTooLong(PipelineError):
    """The file's key leaves no room for the keys that S3 objects made of it would have."""


class InvalidDatasetName(PipelineError):
    """The dataset's folder has a name that no object key should hold, such as a line break."""


class SourceChanged(PipelineError):
    """The uploaded object has other content than the event announced."""


class ContractMissing(PipelineError):
    """The dataset's contract was deleted, or there is none where the stack requires one."""


class MixedParts(PipelineError):
    """Parts of the file are missing, or not of one engine version; a redrive makes them anew."""


class TransientError(PipelineError):
    """A service was busy or out of reach; trying the same again later is the right answer."""


class RecordOutdated(PipelineError):
    """The metadata item does not say any more that the file has succeeded, as was recorded."""


class InternalError(PipelineError):
    """Something unexpected; the message gives its type and place only, for data stays out."""


# Names that begin so are Step Functions' and Lambda's own. A function that raised one would be
# refused, or would match retriers that are not meant for it.
_RESERVED_PREFIXES = ("States.", "Lambda.", "Sandbox.", "Runtime.", "Function.", "Extension.")


def bare_name(error: str) -> str:
    """An error's name without a reserved prefix, as the failure gate raises it again."""
    for prefix in _RESERVED_PREFIXES:
        error = error.removeprefix(prefix)
    return error


def error_code(error: ClientError) -> str:
    """The service's own name of the error, such as `NoSuchKey`."""
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


def is_missing(error: ClientError) -> bool:
    """Whether S3 answered that the object, or this version of it, is not there."""
    return error_code(error) in _MISSING_CODES


@contextmanager
def aws_errors(place: str, *, missing: type[PipelineError] = InternalError) -> Iterator[None]:
    """Turn what boto3 raises inside the block into one of this module's errors.

    `place` says what was being read or written, such as `s3://bucket/key`. Raises
    `TransientError` for throttling, outages and broken connections, `missing` where the object
    is not there, `SourceArchived` where it has to be restored first, `SourceChanged` where a
    precondition on its content failed, else `InternalError`.
    """
    try:
        yield
    except ClientError as error:
        raise _translate(error, place, missing) from None
    except _BROKEN as error:
        raise TransientError(
            f"No answer for {place} ({type(error).__name__}); it is tried again."
        ) from None
    except BotoCoreError as error:
        raise InternalError(f"The call for {place} failed: {type(error).__name__}.") from None


def _translate(error: ClientError, place: str, missing: type[PipelineError]) -> PipelineError:
    code = error_code(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    call = f"{error.operation_name} on {place}"
    if code in _TRANSIENT_CODES or status >= 500 or status == 429:
        return TransientError(f"{call} answered {code}; it is tried again.")
    if is_missing(error):
        return missing(f"{place} is not there ({code}). Restore or upload it, then run it again.")
    if code == "InvalidObjectState":
        tier = error.response.get("StorageClass") or "an archive storage class"
        return SourceArchived(
            f"{place} is archived ({tier}) and can't be read. "
            "Restore it with `aws s3api restore-object`, then rerun the file."
        )
    if code in _CHANGED_CODES:
        return SourceChanged(
            f"{place} is not the content that the event announced ({code}). "
            "A newer upload has an execution of its own; upload the file again if not."
        )
    return InternalError(f"{call} answered {code}. Check the function's role and the resource.")
