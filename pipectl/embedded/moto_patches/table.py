"""The one table of moto's names that are replaced while a stack is up.

Each patch registers itself with `replaces`. `all_patches` applies the whole table, and a test goes
through the same table and fails as soon as moto changes one of the names: then read moto's change,
adapt the patch, and update its fingerprint.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import boto3

from pipectl.embedded.clock import StackClock

if TYPE_CHECKING:
    from pipectl.embedded.rights.enforcement import Rights


class InstalledStacks(Protocol):
    """What runs of the stacks in this process."""

    def install(self, name: str, text: str, parameters: Mapping[str, str], adopts: bool) -> None:
        """Create a stack of a SAM template; raises `PipectlError` if that fails."""

    def remove(self, name: str) -> None:
        """End what runs of a stack, before its resources are deleted."""


@dataclass(frozen=True)
class PatchSettings:
    """What the patches need to know of the stack that is up.

    `endpoint` gives the address of a service, and `invoke` invokes a function, given by name or
    ARN, asynchronously with a payload. The engine waits on `clock`, and ends with it. `changed` is
    called when an execution has started or ended. `serve` prepares the session with which the
    engine calls other services, and `rights` says what services may do. `stacks` installs and
    removes what runs of a stack when CloudFormation creates and deletes it. `throttled` says
    whether Step Functions throttles the next transition of a state machine, given by ARN.
    """

    endpoint: Callable[[str], str]
    clock: StackClock
    invoke: Callable[[str, bytes], None]
    changed: Callable[[], None]
    serve: Callable[[boto3.Session], None]
    rights: Rights
    stacks: InstalledStacks
    throttled: Callable[[str], bool] = lambda _machine: False


MakeReplacement = Callable[[Any, PatchSettings], Any]
"""Makes the replacement, given moto's original."""


@dataclass(frozen=True)
class Replacement:
    """A name of moto's, the fingerprint of what it names today, and what to put in its place."""

    owner: Any
    name: str
    fingerprint: str
    make: MakeReplacement

    @property
    def full_name(self) -> str:
        """The name with its module, and its class where it is a method."""
        if isinstance(self.owner, ModuleType):
            return f"{self.owner.__name__}.{self.name}"
        return f"{self.owner.__module__}.{self.owner.__qualname__}.{self.name}"


REPLACEMENTS: list[Replacement] = []


def replaces(owner: Any, name: str, fingerprint: str) -> Callable[[MakeReplacement], Any]:
    """Register the decorated function as what makes the replacement of `owner.name`."""

    def register(make: MakeReplacement) -> MakeReplacement:
        REPLACEMENTS.append(Replacement(owner, name, fingerprint, make))
        return make

    return register


def fingerprint_of(original: Any) -> str:
    """What changes when moto changes an original.

    Of a function it is a digest of its source without comments and blank lines; of a module, and
    of what moto only imports, it is the full name.
    """
    if isinstance(original, property):
        return fingerprint_of(original.fget)
    if isinstance(original, ModuleType):
        return original.__name__
    if not original.__module__.startswith("moto."):
        return f"{original.__module__}.{original.__qualname__}"
    lines = [line.strip() for line in inspect.getsource(original).splitlines()]
    code = [line for line in lines if line and not line.startswith("#")]
    return hashlib.sha256("\n".join(code).encode()).hexdigest()[:12]
