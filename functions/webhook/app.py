"""Webhook: post each message of the topic, including alarms, as JSON to an HTTPS URL.

Lambda retries a failed invocation after one minute and after two more, then sends its event to the
dead-letter queue.
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
from webhook.post import about, body_of
from webhook.secret import address_of, forget

# A slow webhook must not block the function for its whole timeout.
TIMEOUT_SECONDS = 10


class WebhookRefused(Exception):
    """The webhook answered with an error or not at all; its URL, a secret, is never shown."""


@dataclass(frozen=True)
class Settings:
    """The function's environment: the name or ARN of the secret that contains the URL."""

    webhook_secret: str


@guarded(WebhookRefused)
def handler(event: Mapping[str, Any], _context: object) -> None:
    """Post every message of the SNS event.

    Raises `WebhookRefused` if the webhook doesn't accept one, and `UnusableSecret` if the secret
    has no URL.
    """
    secret = from_environment(Settings).webhook_secret
    for record in event["Records"]:
        message = record["Sns"]
        try:
            status = _post(address_of(secret), body_of(message))
        except WebhookRefused:
            forget(secret)
            raise
        log = {"message_id": message["MessageId"], "status": status}
        logger().info("posted", extra={**log, **about(message)})


def _post(url: str, body: bytes) -> int:
    try:
        request = urllib.request.Request(  # noqa: S310  # https only, as secret.py checks
            url, data=body, headers={"Content-Type": "application/json"}, method="POST"
        )
        with _opener().open(request, timeout=TIMEOUT_SECONDS) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        raise WebhookRefused(f"The webhook answered {error.code}.") from None
    # ValueError: an invalid URL, which the error's message would show.
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise WebhookRefused(f"The webhook did not answer: {type(error).__name__}.") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Refuses redirects: a redirected POST would arrive as a GET without body or even TLS."""

    def redirect_request(self, *_args: object, **_kwargs: object) -> None:
        """Return no request, so that the redirect's status is raised as an error."""


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_NoRedirect)
