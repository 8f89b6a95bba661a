"""What the embedded stack of another process offers beyond the API of AWS."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from typing import Any

TOKEN_HEADER = "X-Pipectl-Token"  # noqa: S105  # the header's name

# Longer than any wait for a change.
_PATIENCE_SECONDS = 60

# No proxy leads to this machine.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Controls:
    """The controls of the stack at an endpoint, which need the token of its state file."""

    endpoint: str
    token: str

    def wait(self, seen: int, seconds: float) -> int:
        """Wait until executions have started or ended more than `seen` times; returns how often.

        Returns after `seconds` at the latest.
        """
        return int(self.ask("changes", {"seen": seen, "seconds": seconds}))

    def notifications(self) -> list[dict[str, Any]]:
        """All messages published: topic_arn, message_id, subject, message, attributes."""
        notifications: list[dict[str, Any]] = self.ask("notifications")
        return notifications

    def ask(self, what: str, document: Any = None) -> Any:
        """What a control answers to a document."""
        request = urllib.request.Request(  # noqa: S310  # our own server's address
            f"{self.endpoint}/_embedded/{what}",
            data=None if document is None else json.dumps(document).encode(),
            headers={TOKEN_HEADER: self.token},
        )
        with _opener.open(request, timeout=_PATIENCE_SECONDS) as answer:
            return json.load(answer)
