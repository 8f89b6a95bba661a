"""Temporary credentials of roles, as Lambda and Step Functions get them from STS."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from pipectl.embedded.template import ACCOUNT


@dataclass(frozen=True)
class Credentials:
    """An access key with its secret. Signatures are not verified, so the secret is no secret."""

    access_key: str
    secret_key: str = "embedded"  # noqa: S105  # no secret
    token: str = "embedded"  # noqa: S105  # no secret

    def variables(self) -> Mapping[str, str]:
        """The environment variables from which AWS's SDKs read them."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_SESSION_TOKEN": self.token,
        }


class Sessions:
    """The sessions of roles that the embedded AWS itself has begun. Safe for many threads."""

    def __init__(self) -> None:
        self._by_key: dict[str, tuple[str, str]] = {}
        self._keys: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def begin(self, role_arn: str, name: str) -> Credentials:
        """Credentials of a role for a session of this name; the same ones every time."""
        session = (role_arn.rpartition("/")[2], name)
        with self._lock:
            key = self._keys.get(session)
            if key is None:
                # As AWS's: "ASIA" and 16 characters. Those of other accounts contain no zero.
                key = f"ASIA{len(self._keys):016d}"
                self._keys[session] = key
                self._by_key[key] = session
        return Credentials(key)

    def find(self, access_key: str) -> tuple[str, str] | None:
        """The role's name and the session's, or None if these are not credentials of a session."""
        return self._by_key.get(access_key)


def session_arn(role_name: str, session: str) -> str:
    """The ARN of a session, as in AWS's messages."""
    return f"arn:aws:sts::{ACCOUNT}:assumed-role/{role_name}/{session}"
