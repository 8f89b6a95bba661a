"""A small Lambda service: the Invoke API over HTTP, and invocations from this process.

`sam local start-lambda` has the same API, so functions can run in Docker instead: set
`AWS_ENDPOINT_URL_LAMBDA` to its address.
https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from pipectl.embedded import limits
from pipectl.embedded.concurrency import Concurrency, ThrottledError
from pipectl.embedded.function_limits import problems_of
from pipectl.embedded.injected_faults import HOLD, REFUSALS, InjectedFaults
from pipectl.embedded.limits import Limit
from pipectl.embedded.metrics import Recorder
from pipectl.embedded.pending import PendingInvocations
from pipectl.embedded.workers import Function, InvocationResult, Workers, WorkersClosedError
from pipectl.errors import UsageError
from shared.job import iso

INVOKE_PATH = "/2015-03-31/functions/"

# After these seconds, Lambda repeats an asynchronous invocation whose function failed.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
ASYNC_RETRY_SECONDS = (60.0, 120.0)
# If it is throttled, or Lambda itself fails, it is retried with growing pauses until it reaches the
# maximum age. These attempts don't count as repeats.
ASYNC_FIRST_PAUSE_SECONDS, ASYNC_LONGEST_PAUSE_SECONDS = 1.0, 300.0
ASYNC_MAX_AGE_SECONDS = 6 * 3600.0


@dataclass(frozen=True)
class Answer:
    """An HTTP response of an API."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class ServiceError(Exception):
    """The service refuses an invocation; `code` is the API's error name."""

    def __init__(self, status: int, code: str, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self._reason = reason

    @property
    def throttled(self) -> bool:
        """Whether the limit of concurrent executions was reached."""
        return self.status == HTTPStatus.TOO_MANY_REQUESTS

    @property
    def passing(self) -> bool:
        """Whether a retry of the invocation may succeed."""
        return self.throttled or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR

    def answer(self) -> Answer:
        """The error in the API's JSON format."""
        document = {"Type": "User", "Message": self.message, "message": self.message}
        if self._reason is not None:
            document["Reason"] = self._reason
        headers = {"x-amzn-ErrorType": self.code, "x-amzn-RequestId": str(uuid.uuid4())}
        return Answer(self.status, json.dumps(document).encode(), headers)


class LambdaService:
    """Invokes the stack's functions in worker processes.

    Only as many invocations run at once as the machine has processors for. The others wait in order
    of arrival; on AWS they would run at once. Beyond the account's limit, they are throttled.
    """

    def __init__(
        self,
        workers: Workers,
        wait: Callable[[float], object],
        faults: InjectedFaults,
        concurrency: Concurrency,
    ) -> None:
        """`wait` sleeps between the attempts of asynchronous invocations."""
        self._workers = workers
        self._wait = wait
        self._faults = faults
        self._concurrency = concurrency
        self._functions: dict[str, Function] = {}
        self._on_failure: dict[str, Callable[[str], object]] = {}
        self.pending = PendingInvocations()
        """The asynchronous invocations that have not ended."""
        self.metrics = Recorder()
        """Invocations, errors and throttles, as CloudWatch counts them."""
        # One per core, and at least two, so that a long invocation doesn't block the others.
        # Invocations wait only for this process, so more of them would just start more workers.
        self._turns = threading.BoundedSemaphore(max(2, os.cpu_count() or 1))

    def add(self, function: Function) -> None:
        """Add a function, which can be invoked by its name or ARN.

        Raises `UsageError` if Lambda would refuse its settings, or if it reserves more concurrent
        executions than the account can spare.
        """
        for problem in problems_of(function):
            raise UsageError(f"Lambda refuses the function {function.name}: {problem}.")
        self._functions[function.name] = function
        if function.reserved is not None:
            self._concurrency.reserve(function.name, function.reserved)

    def remove(self, names: Iterable[str]) -> None:
        """Remove functions; invocations of them that have begun go on."""
        for name in names:
            self._functions.pop(name, None)
            self._on_failure.pop(name, None)
            self._concurrency.release(name)

    def change(self, name_or_arn: str, change: Callable[[Function], Function]) -> None:
        """Change a function's settings; the next invocations run in new workers."""
        function = self._find(name_or_arn)
        self._functions[function.name] = change(function)

    def on_failure(self, name: str, send: Callable[[str], object]) -> None:
        """Call `send` with the record of each asynchronous invocation that finally fails."""
        self._on_failure[name] = send

    def prepare(self) -> None:
        """Start a worker for each function, in the background and one after the other.

        So they are ready, or almost, when the first file arrives.
        """
        threading.Thread(target=self._prepare, daemon=True).start()

    def _prepare(self) -> None:
        with suppress(WorkersClosedError):
            for function in list(self._functions.values()):
                self._workers.prepare(function)

    def invoke(self, name_or_arn: str, payload: bytes) -> tuple[InvocationResult, str]:
        """Invoke a function and wait; returns its result and the request's ID.

        Raises `ServiceError` if Lambda itself would refuse.
        """
        function = self._find(name_or_arn)
        try:
            outcome, request_id = self._invoke(function, payload)
        except ServiceError as error:
            if error.throttled:
                self.metrics.count("AWS/Lambda", "Throttles", FunctionName=function.name)
            raise
        self.metrics.count("AWS/Lambda", "Invocations", FunctionName=function.name)
        if outcome.failed:
            self.metrics.count("AWS/Lambda", "Errors", FunctionName=function.name)
        return outcome, request_id

    def _invoke(self, function: Function, payload: bytes) -> tuple[InvocationResult, str]:
        _check_payload(payload, limits.INVOCATION)
        request_id = str(uuid.uuid4())
        injected = self._faults.for_invocation(function.name)
        if injected is not None and injected.refusal is not None:
            raise ServiceError(*injected.refusal)
        try:
            with self._concurrency.slot(function.name):
                if injected is not None and injected.kind == HOLD:
                    injected.released.wait()
                elif injected is not None:
                    return injected.outcome(request_id), request_id
                with self._turns:
                    outcome = self._workers.invoke(function, payload, request_id)
        except ThrottledError as error:
            raise ServiceError(*REFUSALS["throttle"], reason=str(error)) from None
        except WorkersClosedError:
            raise ServiceError(
                HTTPStatus.SERVICE_UNAVAILABLE, "ServiceException", "The service is closing."
            ) from None
        if not limits.RESULT.allows(len(outcome.payload)):
            outcome = _too_large(len(outcome.payload))
        return outcome, request_id

    def invoke_later(self, name_or_arn: str, payload: bytes) -> None:
        """Invoke asynchronously, as events do.

        A failed invocation is repeated twice; a throttled one is retried for hours. Raises
        `ServiceError` if Lambda itself would refuse.
        """
        self._find(name_or_arn)
        _check_payload(payload, limits.ASYNCHRONOUS_INVOCATION)
        name = self.pending.add(name_or_arn, payload)
        thread = threading.Thread(
            target=self._invoke_pending, args=(name, name_or_arn, payload), daemon=True
        )
        thread.start()

    def answer(self, path: str, invocation_type: str, payload: bytes) -> Answer:
        """Answer a request of the Invoke API; `path` is the URL's, still percent-encoded."""
        name = unquote(path.removeprefix(INVOKE_PATH).partition("/")[0])
        try:
            if invocation_type == "DryRun":
                self._find(name)
                return Answer(HTTPStatus.NO_CONTENT, b"")
            if invocation_type == "Event":
                self.invoke_later(name, payload)
                return Answer(HTTPStatus.ACCEPTED, b"")
            outcome, request_id = self.invoke(name, payload)
        except ServiceError as error:
            return error.answer()
        headers = {"x-amzn-RequestId": request_id, "X-Amz-Executed-Version": "$LATEST"}
        if outcome.failed:
            headers["X-Amz-Function-Error"] = "Unhandled"
        return Answer(HTTPStatus.OK, outcome.payload, headers)

    def _find(self, name_or_arn: str) -> Function:
        # A name, an ARN, either with a qualifier.
        parts = name_or_arn.split(":")
        name = parts[6] if parts[0] == "arn" and len(parts) > 6 else parts[0]
        try:
            return self._functions[name]
        except KeyError:
            raise ServiceError(
                HTTPStatus.NOT_FOUND,
                "ResourceNotFoundException",
                f"Function not found: {name_or_arn}",
            ) from None

    def _invoke_pending(self, name: str, name_or_arn: str, payload: bytes) -> None:
        try:
            self._invoke_with_retries(name_or_arn, payload)
        except SystemExit:
            raise  # the stack is ending, and the invocation is still pending
        except BaseException:
            self.pending.remove(name)
            raise
        self.pending.remove(name)

    def _invoke_with_retries(self, name_or_arn: str, payload: bytes) -> None:
        repeats = iter(ASYNC_RETRY_SECONDS)
        age, next_pause = 0.0, ASYNC_FIRST_PAUSE_SECONDS
        attempts, outcome = 0, None
        try:
            function = self._find(name_or_arn)
        except ServiceError:
            return  # it has been deleted since
        while age < ASYNC_MAX_AGE_SECONDS:
            attempts += 1
            try:
                outcome, _ = self.invoke(name_or_arn, payload)
            except ServiceError as error:
                if not error.passing:
                    return
                pause = next_pause
                next_pause = min(2 * pause, ASYNC_LONGEST_PAUSE_SECONDS)
            else:
                if not outcome.failed:
                    return
                repeat = next(repeats, None)
                if repeat is None:
                    self._give_up(function, payload, "RetriesExhausted", attempts, outcome)
                    return
                pause = repeat
            age += pause
            self._wait(pause)
        self._give_up(function, payload, "EventAgeExceeded", attempts, outcome)

    def _give_up(
        self,
        function: Function,
        payload: bytes,
        condition: str,
        attempts: int,
        outcome: InvocationResult | None,
    ) -> None:
        """Send the record of an invocation to the function's failure destination, if it has one."""
        send = self._on_failure.get(function.name)
        if send is not None:
            send(json.dumps(_record(function, payload, condition, attempts, outcome)))


def _record(
    function: Function,
    payload: bytes,
    condition: str,
    attempts: int,
    outcome: InvocationResult | None,
) -> dict[str, Any]:
    """The record that Lambda sends to a destination.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    now = iso(datetime.now(UTC))
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": now,
        "requestContext": {
            "requestId": str(uuid.uuid4()),
            "functionArn": f"{function.arn}:$LATEST",
            "condition": condition,
            "approximateInvokeCount": attempts,
        },
        "requestPayload": json.loads(payload or b"{}"),
    }
    if outcome is not None:
        record["responseContext"] = {
            "statusCode": HTTPStatus.OK,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        }
        record["responsePayload"] = json.loads(outcome.payload)
    return record


def _check_payload(payload: bytes, limit: Limit) -> None:
    if not limit.allows(len(payload)):
        raise ServiceError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            limit.refusal,
            f"Request must be smaller than {limit.most} bytes for the InvokeFunction operation",
        )


def _too_large(size: int) -> InvocationResult:
    message = f"Response payload size ({size} bytes) exceeded maximum allowed payload size"
    document = {
        "errorMessage": f"{message} ({limits.RESULT.most} bytes).",
        "errorType": limits.RESULT.refusal,
    }
    return InvocationResult(json.dumps(document).encode(), failed=True)


def respond(
    answer: Answer, start_response: Callable[[str, list[tuple[str, str]]], Any]
) -> Iterable[bytes]:
    """Send an answer through WSGI."""
    phrase = HTTPStatus(answer.status).phrase
    headers = {
        "Content-Type": "application/json",
        **answer.headers,
        "Content-Length": str(len(answer.body)),
    }
    start_response(f"{answer.status:d} {phrase}", list(headers.items()))
    return [answer.body]
