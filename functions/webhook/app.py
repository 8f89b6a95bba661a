"""Webhook: post each notification of the topic, alarms too, as JSON to an HTTPS address.

What can't be posted ends in the dead-letter queue: Lambda repeats the invocation after one minute
and after two more, then sends its event there.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.observability import logger
from shared.settings import from_environment
from shared.step import guarded
from webhook.post import body_of
from webhook.secret import address_of, forget

# A slow chat must not hold the function for its whole timeout.
TIMEOUT_SECONDS = 10


class WebhookRefused(Exception):
    """The webhook answered with an error, or not at all; the address itself is a secret."""


@dataclass(frozen=True)
class Settings:
    """The function's environment: the name or ARN of the secret that holds the address."""

    webhook_secret: str


@guarded(WebhookRefused)
def handler(event: Mapping[str, Any], _context: object) -> None:
    """Post every message of the event.

    Raises `WebhookRefused` where one was not accepted, `UnusableSecret` where there is no address.
    """
    secret = from_environment(Settings).webhook_secret
    for record in event["Records"]:
        message = record["Sns"]
        try:
            status = _post(address_of(secret), body_of(message))
        except WebhookRefused:
            forget(secret)
            raise
        logger().info("posted", extra={"message_id": message["MessageId"], "status": status})


def _post(url: str, body: bytes) -> int:
    try:
        request = urllib.request.Request(  # noqa: S310  # https only, as secret.py checks
            url, data=body, headers={"Content-Type": "application/json"}, method="POST"
        )
        with _opener().open(request, timeout=TIMEOUT_SECONDS) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        raise WebhookRefused(f"The webhook answered {error.code}.") from None
    # ValueError: an address that cannot be read, whose words show it.
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise WebhookRefused(f"The webhook did not answer: {type(error).__name__}.") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET without its body, and perhaps without TLS."""

    def redirect_request(self, *_args: object, **_kwargs: object) -> None:
        """Follow nothing: the redirect's status is then an error like any other."""


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_NoRedirect)
