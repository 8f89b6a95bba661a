"""Turns errors of AWS into sentences that say what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

from pipectl.errors import PipectlError
from shared.errors import error_code

_NO_CREDENTIALS = (
    "There are no AWS credentials. Name a profile with --profile, sign in with `aws sso login`, or"
    " start a stack on this machine with `pipectl up`."
)
_EXPIRED = "The AWS credentials have expired. Sign in again, for example with: aws sso login"
_REFUSED = "AWS does not accept these credentials. Check them with: aws sts get-caller-identity"
_BUSY = "AWS throttled the request. Try again in a minute, or request less at a time."
_NO_REGION = "No region is set. Set one with --region or in the profile."

_BY_TYPE: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.NoCredentialsError, _NO_CREDENTIALS),
    (exceptions.PartialCredentialsError, _NO_CREDENTIALS),
    (exceptions.NoRegionError, _NO_REGION),
    (exceptions.SSOError, _EXPIRED),
    (exceptions.TokenRetrievalError, _EXPIRED),
    (exceptions.CredentialRetrievalError, _NO_CREDENTIALS),
)

_BY_CODE = {
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "RequestExpired"), _EXPIRED),
    **dict.fromkeys(
        (
            "InvalidClientTokenId",
            "UnrecognizedClientException",
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "AuthFailure",
        ),
        _REFUSED,
    ),
    **dict.fromkeys(
        (
            "Throttling",
            "ThrottlingException",
            "TooManyRequestsException",
            "RequestThrottled",
            "ProvisionedThroughputExceededException",
            "SlowDown",
        ),
        _BUSY,
    ),
}

_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403")

# AWS writes: "User: ... is not authorized to perform: states:RedriveExecution on resource ..."
_ACTION = re.compile(r"perform:? ([\w-]+:\w+)(?: on resource:? (\S+))?")


@contextmanager
def explained() -> Iterator[None]:
    """Turn errors of AWS inside the block into a `PipectlError` that says what to do."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise PipectlError(explain(error)) from None


def explain(error: BotoCoreError | ClientError) -> str:
    """The sentence for an error of the AWS SDK: what is wrong, and what to do."""
    if isinstance(error, ClientError):
        return _explain_answer(error)
    for kind, sentence in _BY_TYPE:
        if isinstance(error, kind):
            return sentence
    if isinstance(error, exceptions.ProfileNotFound):
        return f"{error}. List the profiles with: aws configure list-profiles"
    if isinstance(error, (exceptions.ConnectionError, exceptions.HTTPClientError)):
        endpoint = getattr(error, "kwargs", {}).get("endpoint_url", "AWS")
        return f"{endpoint} can't be reached. Check the network, the region and the stack."
    return f"The AWS SDK failed: {error}"


def _explain_answer(error: ClientError) -> str:
    code = error_code(error)
    if code in _BY_CODE:
        return _BY_CODE[code]
    message = str(error.response.get("Error", {}).get("Message", "")).strip()
    if code in _DENIED:
        found = _ACTION.search(message)
        action = found[1] if found else f"for {error.operation_name}"
        place = f" on {found[2]}" if found and found[2] else ""
        return f"Access denied: these credentials need the permission {action}{place}."
    return f"AWS refused {error.operation_name}: {message or 'no reason given'} ({code})"
