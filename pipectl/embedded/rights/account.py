"""What the evaluation of a request reads of the account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pipectl.embedded.rights.actions import Resources


@dataclass(frozen=True)
class Entity:
    """A role or user: its policies, boundary and trust policy as JSON texts."""

    arn: str
    documents: tuple[str, ...]
    boundary: str | None = None
    trust: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


class Account(Resources, Protocol):
    """The account's identities and the policies of its resources."""

    def role(self, name: str) -> Entity | None:
        """A role by its name."""

    def user(self, access_key: str) -> Entity | None:
        """The user who has an access key."""

    def session(self, access_key: str) -> tuple[str, str] | None:
        """Role and session name of temporary credentials that somebody got from STS."""

    def resource_policy(self, arn: str) -> str | None:
        """The policy of a resource, None if it has none."""
