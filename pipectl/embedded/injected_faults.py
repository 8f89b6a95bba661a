"""Faults that tests put into the embedded AWS: refused and broken invocations and API calls.

A fault stands for the next `times` calls that it matches. It is what the service answers that is
changed; the function's own code does not run for a call that a fault answers.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipectl.embedded.workers import InvocationResult

# What Lambda answers when it refuses to invoke: HTTP status, error name, message.
# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors
REFUSALS: Mapping[str, tuple[int, str, str]] = {
    "throttle": (429, "TooManyRequestsException", "Rate Exceeded."),
    "error500": (500, "ServiceException", "An internal error occurred."),
    "access-denied": (
        403,
        "AccessDeniedException",
        "The role is not authorized to perform: lambda:InvokeFunction.",
    ),
}

# What comes back from an environment that broke: error name, if Lambda gives one, and message.
BREAKAGES: Mapping[str, tuple[str | None, str]] = {
    "timeout": ("Sandbox.Timedout", "RequestId: {id} Error: Task timed out after 3.00 seconds"),
    # A timeout as Step Functions still meets it: its error is Lambda.Unknown then.
    "untyped-timeout": (None, "2026-03-01T08:00:00.000Z {id} Task timed out after 3.00 seconds"),
    "crash": (
        "Runtime.ExitError",
        "RequestId: {id} Error: Runtime exited with error: signal: killed",
    ),
}

# An answer from before the last change, as eventually consistent operations may give it. The
# operations that have one are in `Gateway.earlier`.
STALE = "stale"

BY_FUNCTIONS = "@functions"


@dataclass(frozen=True)
class InjectedFault:
    """`target` is a function's name, or `<service>:<action>` such as `sqs:SendMessage`.

    The services are those that boto3 names so; of S3 the action is the HTTP method, `s3:GET`.
    With `@functions` behind it, an action means calls of the stack's functions only.
    `kind` is one of `REFUSALS` and `BREAKAGES`, `STALE`, or an error's class name, which the
    function then seems to have raised.
    """

    target: str
    kind: str

    @property
    def refusal(self) -> tuple[int, str, str] | None:
        """How the service refuses, where this fault is a refusal."""
        return REFUSALS.get(self.kind)

    def outcome(self, request_id: str) -> InvocationResult:
        """What the invocation gives back, where this fault is no refusal."""
        name, message = BREAKAGES.get(self.kind, (self.kind, f"A test raised {self.kind}."))
        document: dict[str, Any] = {"errorMessage": message.format(id=request_id)}
        if name is not None:
            document |= {"errorType": name, "requestId": request_id, "stackTrace": []}
        return InvocationResult(json.dumps(document).encode(), failed=True)


@dataclass
class InjectedFaults:
    """The faults that wait for their calls. Safe to use from many threads."""

    _waiting: dict[str, list[InjectedFault]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, target: str, kind: str, times: int = 1) -> None:
        """Let the next `times` calls of the target fail; they queue behind those there are."""
        with self._lock:
            self._waiting.setdefault(target, []).extend([InjectedFault(target, kind)] * times)

    def clear(self) -> None:
        """Forget all faults that still wait."""
        with self._lock:
            self._waiting.clear()

    def for_invocation(self, function: str) -> InjectedFault | None:
        """The fault for this invocation of the function, used up by asking."""
        return self._next(function)

    def for_call(self, service: str, action: str, *, by_function: bool) -> InjectedFault | None:
        """The fault for this API call, used up by asking."""
        call = f"{service}:{action}"
        of_functions = self._next(f"{call}{BY_FUNCTIONS}") if by_function else None
        return of_functions or self._next(call)

    def _next(self, target: str) -> InjectedFault | None:
        with self._lock:
            waiting = self._waiting.get(target)
            return waiting.pop(0) if waiting else None
