"""The webhook's URL: read from a secret in Secrets Manager, and cached for a few minutes."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from botocore.exceptions import ClientError

from shared.clients import secretsmanager
from shared.errors import PipelineError, aws_errors, error_code

# A rotated secret takes effect within this time, and at once if the webhook refuses the old URL. A
# read takes about 50 ms and costs a fraction of a cent.
MAX_AGE_SECONDS = 300

# Secrets Manager answers InvalidRequestException for a secret that is scheduled for deletion.
_NOT_THERE = frozenset({"ResourceNotFoundException", "InvalidRequestException"})


class UnusableSecret(PipelineError):
    """The webhook's secret doesn't exist or has no URL; its value is never shown."""


@dataclass(frozen=True)
class _Kept:
    address: str
    read_at: float


_kept: dict[str, _Kept] = {}


def address_of(secret: str) -> str:
    """The https:// URL in the secret with this name or ARN, at most MAX_AGE_SECONDS old.

    Raises `UnusableSecret` if the secret doesn't exist or has no URL, and `TransientError` if a
    retry can help.
    """
    now = time.time()
    kept = _kept.get(secret)
    # The wall clock, because a monotonic clock can pause while the environment is frozen. The lower
    # bound is for a wall clock that is set back.
    if kept is None or not 0 <= now - kept.read_at < MAX_AGE_SECONDS:
        kept = _kept[secret] = _Kept(_read(secret), now)
    return kept.address


def forget(secret: str) -> None:
    """Drop the cached URL, which was refused: the secret may have been rotated."""
    _kept.pop(secret, None)


def _read(secret: str) -> str:
    with aws_errors(f"the secret {secret}"):
        try:
            answer = secretsmanager().get_secret_value(SecretId=secret)
        except ClientError as error:
            if error_code(error) in _NOT_THERE:
                raise UnusableSecret(
                    f"The secret {secret} doesn't exist ({error_code(error)}). Create or restore it"
                    " in this region, or deploy with another WebhookSecret."
                ) from None
            raise
    address = _address_in(answer.get("SecretString", "").strip())
    if not address.startswith("https://"):
        raise UnusableSecret(
            f"The secret {secret} has no https:// URL. Its value must be the URL alone, or JSON"
            ' with the key "url".'
        )
    return address


def _address_in(value: str) -> str:
    """The URL in a secret's value: the value itself, or `url` of a JSON object."""
    if not value.startswith("{"):
        return value
    try:
        return str(json.loads(value).get("url", ""))
    except ValueError:
        return ""
