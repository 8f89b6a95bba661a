"""The webhook's address: a secret in Secrets Manager, kept for a few minutes."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from botocore.exceptions import ClientError

from shared.clients import secretsmanager
from shared.errors import PipelineError, aws_errors, error_code

# A secret that is rotated is noticed within this time, and at once where the old address is
# refused. A read costs some 50 ms and a fraction of a cent.
MAX_AGE_SECONDS = 300

# A secret that is being deleted is an InvalidRequestException.
_NOT_THERE = frozenset({"ResourceNotFoundException", "InvalidRequestException"})


class UnusableSecret(PipelineError):
    """The webhook's secret is not there, or holds no address; its value is never shown."""


@dataclass(frozen=True)
class _Kept:
    address: str
    read_at: float


_kept: dict[str, _Kept] = {}


def address_of(secret: str) -> str:
    """The https:// address in the secret of this name or ARN, at most MAX_AGE_SECONDS old.

    Raises `UnusableSecret` where the secret is not there or holds none, `TransientError` where
    reading it again helps.
    """
    now = time.time()
    kept = _kept.get(secret)
    # Wall clock, for a monotonic one may rest while the environment is frozen. It can be set back.
    if kept is None or not 0 <= now - kept.read_at < MAX_AGE_SECONDS:
        kept = _kept[secret] = _Kept(_read(secret), now)
    return kept.address


def forget(secret: str) -> None:
    """Read the secret again next time: its address was refused, so it may have been rotated."""
    _kept.pop(secret, None)


def _read(secret: str) -> str:
    with aws_errors(f"the secret {secret}"):
        try:
            answer = secretsmanager().get_secret_value(SecretId=secret)
        except ClientError as error:
            if error_code(error) in _NOT_THERE:
                raise UnusableSecret(
                    f"The secret {secret} is not there ({error_code(error)}). Create or restore it"
                    " in this region, or deploy with another WebhookSecret."
                ) from None
            raise
    address = _address_in(answer.get("SecretString", "").strip())
    if not address.startswith("https://"):
        raise UnusableSecret(
            f"The secret {secret} holds no https:// address. Its value must be the address alone,"
            ' or JSON with the key "url".'
        )
    return address


def _address_in(value: str) -> str:
    """The address in a secret's value: the value itself, or `url` of a JSON object."""
    if not value.startswith("{"):
        return value
    try:
        return str(json.loads(value).get("url", ""))
    except ValueError:
        return ""
