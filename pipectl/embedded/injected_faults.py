"""Faults that tests put into the embedded AWS: refused and broken invocations and API calls.

A fault applies to the next `times` calls that it matches. Unless it only holds the call, it
replaces the service's answer; the function's code does not run for such a call.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipectl.embedded.workers import InvocationResult

# Refused invocations: HTTP status, error name, message.
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

# Results of an environment that broke: error name, if Lambda gives one, and message.
BREAKAGES: Mapping[str, tuple[str | None, str]] = {
    "timeout": ("Sandbox.Timedout", "RequestId: {id} Error: Task timed out after 3.00 seconds"),
    # A timeout without an error type: Step Functions names its error Lambda.Unknown.
    "untyped-timeout": (None, "2026-03-01T08:00:00.000Z {id} Task timed out after 3.00 seconds"),
    "crash": (
        "Runtime.ExitError",
        "RequestId: {id} Error: Runtime exited with error: signal: killed",
    ),
}

# An answer from before the last change, which eventually consistent operations may give. The
# operations that support it are in `Gateway.earlier`.
STALE = "stale"

# The invocation starts, and its function's code runs when the target is released.
HOLD = "hold"

BY_FUNCTIONS = "@functions"
BY_OTHERS = "@others"

# The target of faults that throttle an execution's transitions. The execution waits and goes on.
TRANSITION = "states:transition"


@dataclass(frozen=True)
class InjectedFault:
    """`target` is a function's name, `TRANSITION`, or `<service>:<action>` as in `sqs:SendMessage`.

    Services have boto3's names; the action of S3 is the HTTP method, as in `s3:GET`. With the
    suffix `@functions`, only calls of the stack's functions match, with `@others` only all others.
    `kind` is a key of `REFUSALS` or `BREAKAGES`, `STALE`, `HOLD` (of a function only), or the class
    name of an error that the function appears to raise.
    """

    target: str
    kind: str
    released: threading.Event = field(default_factory=threading.Event, compare=False)
    """Whether a held invocation may continue."""

    @property
    def refusal(self) -> tuple[int, str, str] | None:
        """The service's refusal, if this fault is one."""
        return REFUSALS.get(self.kind)

    def outcome(self, request_id: str) -> InvocationResult:
        """The invocation's result, if this fault is not a refusal."""
        name, message = BREAKAGES.get(self.kind, (self.kind, f"A test raised {self.kind}."))
        document: dict[str, Any] = {"errorMessage": message.format(id=request_id)}
        if name is not None:
            document |= {"errorType": name, "requestId": request_id, "stackTrace": []}
        return InvocationResult(json.dumps(document).encode(), failed=True)


@dataclass
class InjectedFaults:
    """The faults that have not been used yet. Safe to use from many threads."""

    _waiting: dict[str, list[InjectedFault]] = field(default_factory=dict)
    _held: list[InjectedFault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, target: str, kind: str, times: int = 1) -> None:
        """Let the next `times` calls of the target fail, after the faults that it already has.

        Raises `ValueError` if an API call is to be held.
        """
        if kind == HOLD and ":" in target:
            raise ValueError("Only the invocations of a function can be held.")
        with self._lock:
            self._waiting.setdefault(target, []).extend([InjectedFault(target, kind)] * times)

    def clear(self) -> None:
        """Remove all faults that have not been used, and release what is held."""
        with self._lock:
            self._waiting.clear()
            self._release(self._held)

    def unused(self, target: str) -> int:
        """How many faults of a target have not been used."""
        with self._lock:
            return len(self._waiting.get(target, ()))

    def release(self, function: str) -> None:
        """Let the held invocations of a function continue, and hold no others."""
        with self._lock:
            waiting = self._waiting.get(function, [])
            self._waiting[function] = [fault for fault in waiting if fault.kind != HOLD]
            self._release([fault for fault in self._held if fault.target == function])

    def held(self, function: str) -> int:
        """How many invocations of a function are being held."""
        with self._lock:
            return sum(fault.target == function for fault in self._held)

    def for_invocation(self, function: str) -> InjectedFault | None:
        """Take the next fault of the function, if it has one."""
        return self._next(function)

    def for_call(self, service: str, action: str, *, by_function: bool) -> InjectedFault | None:
        """Take the next fault of the API call, if it has one."""
        call = f"{service}:{action}"
        return self._next(call + (BY_FUNCTIONS if by_function else BY_OTHERS)) or self._next(call)

    def for_transition(self) -> InjectedFault | None:
        """Take the next fault of a transition from one state to the next, if there is one."""
        return self._next(TRANSITION)

    def _next(self, target: str) -> InjectedFault | None:
        with self._lock:
            waiting = self._waiting.get(target)
            if not waiting:
                return None
            fault = waiting.pop(0)
            if fault.kind == HOLD:
                self._held.append(fault)
            return fault

    def _release(self, faults: list[InjectedFault]) -> None:
        for fault in faults:
            fault.released.set()
        self._held = [fault for fault in self._held if not fault.released.is_set()]
