"""The WSGI application that serves every service under one address.

It answers Lambda's Invoke and the operations that moto lacks, serves the embedded stack's own
controls under `/_embedded/`, and passes everything else on to moto.
"""

from __future__ import annotations

import io
import json
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs

from pipectl.embedded.calls import Call, calls_of
from pipectl.embedded.injected_faults import REFUSALS, STALE, InjectedFaults
from pipectl.embedded.lambda_service import INVOKE_PATH, Answer, LambdaService, respond
from pipectl.embedded.saving import Gate

StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]
Operation = Callable[[dict[str, Any]], Answer]
"""Answers an operation of AWS's JSON protocol, given the request's body."""

Preparation = Callable[[dict[str, Any]], dict[str, Any] | Answer]
"""Changes a request before moto gets it, or answers it."""

CONTROL_PATH = "/_embedded/"

# On AWS, a conditional write or a StartExecution with a name is atomic. moto reads first and writes
# afterwards, so requests to these services are handled one at a time.
_ONE_AT_A_TIME = ("dynamodb", "glue", "stepfunctions")


class Gateway:
    """The WSGI application in front of moto."""

    def __init__(
        self, moto: Application, service: LambdaService, faults: InjectedFaults, gate: Gate
    ) -> None:
        """Requests that change something pass the `gate`."""
        self._moto = moto
        self._gate = gate
        self._lambda = service
        self._faults = faults
        self._locks = {name: threading.Lock() for name in _ONE_AT_A_TIME}
        self.operations: dict[str, Operation] = {}
        """The operations answered here, by target, such as `AWSStepFunctions.RedriveExecution`."""
        self.preparations: dict[str, Preparation] = {}
        """Changes to requests before moto gets them, by the operation's target."""
        self.amendments: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {}
        """Changes to moto's answers, by the operation's target."""
        self.earlier: dict[str, Callable[[dict[str, Any]], dict[str, Any] | Answer]] = {}
        """Makes the answer from before the last change out of the current one, by target.

        Used for the fault `stale` of eventually consistent operations.
        """
        self.calls: set[Call] = set()
        """The distinct calls so far."""
        self.controls: dict[str, Callable[[Any], Any]] = {}
        """The stack's controls under `/_embedded/`, by name: JSON in, JSON out."""

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        path = environ.get("PATH_INFO", "")
        if path.startswith(CONTROL_PATH):
            return respond(self._control(path, environ), start_response)
        # Undecoded, since the path may contain a function's ARN with encoded colons.
        raw_path = environ.get("RAW_URI", path).partition("?")[0]
        if raw_path.startswith(INVOKE_PATH) and raw_path.endswith("/invocations"):
            kind = environ.get("HTTP_X_AMZ_INVOCATION_TYPE", "RequestResponse")
            self.calls.update(calls_of(environ, "lambda", "InvokeFunction"))
            answer = self._lambda.answer(raw_path, kind, _body(environ))
            return respond(answer, start_response)
        return self._call(environ, start_response)

    def _call(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        service, action = _called(environ, target)
        self.calls.update(calls_of(environ, service, action))
        # boto3 adds this in a function's environment.
        by_function = "exec-env/AWS_Lambda" in environ.get("HTTP_USER_AGENT", "")
        injected = self._faults.for_call(service, action, by_function=by_function)
        stale = injected is not None and injected.kind == STALE and target in self.earlier
        if injected is not None and not stale:
            return respond(_refusal(service, injected.kind), start_response)
        with self._gate.request(action) as is_open:
            if not is_open:
                return respond(_CLOSING, start_response)
            return self._answer(target, service, environ, start_response, stale=stale)

    def _answer(
        self,
        target: str,
        service: str,
        environ: dict[str, Any],
        start_response: StartResponse,
        *,
        stale: bool,
    ) -> Iterable[bytes]:
        answer = self._own_answer(target, environ)
        if answer is not None:
            return respond(answer, start_response)
        lock = self._locks.get(service)
        if lock is None:
            return list(self._moto(environ, start_response))
        with lock:
            if target in self.amendments or stale:
                return self._amended(target, environ, start_response, stale=stale)
            return list(self._moto(environ, start_response))

    def _own_answer(self, target: str, environ: dict[str, Any]) -> Answer | None:
        """The answer if moto doesn't get the request; otherwise None, with the request prepared."""
        if target not in self.operations and target not in self.preparations:
            return None
        request = _document(environ)
        if request is None:
            return _UNREADABLE
        if target in self.operations:
            return self.operations[target](request)
        prepared = self.preparations[target](request)
        if isinstance(prepared, Answer):
            return prepared
        _set_body(environ, json.dumps(prepared).encode())
        return None

    def _amended(
        self, target: str, environ: dict[str, Any], start_response: StartResponse, *, stale: bool
    ) -> Iterable[bytes]:
        status = 0

        def start(line: str, _headers: list[tuple[str, str]], *_info: Any) -> None:
            nonlocal status
            status = int(line.split(maxsplit=1)[0])

        body = b"".join(self._moto(environ, start))
        if status != 200:  # OK
            return respond(Answer(status, body), start_response)
        amended = json.loads(body)
        if target in self.amendments:
            amended = self.amendments[target](amended)
        answer = self.earlier[target](amended) if stale else amended
        if not isinstance(answer, Answer):
            answer = Answer(status, json.dumps(answer).encode())
        return respond(answer, start_response)

    def _control(self, path: str, environ: dict[str, Any]) -> Answer:
        control = self.controls.get(path.removeprefix(CONTROL_PATH))
        if control is None:
            return Answer(404, b"{}")
        body = _body(environ)
        return Answer(200, json.dumps(control(json.loads(body) if body else None)).encode())


def _body(environ: Mapping[str, Any]) -> bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    content: bytes = environ["wsgi.input"].read(length)
    return content


def _document(environ: dict[str, Any]) -> dict[str, Any] | None:
    """The request's body if it is a JSON object, as AWS's JSON protocol requires, else None."""
    try:
        document = json.loads(_body(environ))
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


_UNREADABLE = Answer(
    400,
    json.dumps(
        {"__type": "SerializationException", "message": "The body is not a JSON object."}
    ).encode(),
)


_CLOSING = Answer(503, b"{}")


def _set_body(environ: dict[str, Any], body: bytes) -> None:
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))


def _called(environ: dict[str, Any], target: str) -> tuple[str, str]:
    """A call's service in boto3's words, and its action; for S3, that is the HTTP method."""
    service, _, action = target.partition(".")
    if service:
        return _SERVICE_NAMES.get(service.partition("_")[0], service), action
    # Without a target, the signature's scope names the service:
    # key/date/region/service/aws4_request.
    scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].partition(",")[0]
    service = scope.split("/")[3] if scope.count("/") > 3 else ""
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        body = _body(environ)
        environ["wsgi.input"] = io.BytesIO(body)
        return service, parse_qs(body.decode(errors="replace")).get("Action", [""])[0]
    return service, str(environ["REQUEST_METHOD"])


_SERVICE_NAMES = {
    "AWSGlue": "glue",
    "AWSStepFunctions": "stepfunctions",
    "AmazonSQS": "sqs",
    "DynamoDB": "dynamodb",
}


def _refusal(service: str, kind: str) -> Answer:
    """A fault in the service's own error format."""
    status, code, message = REFUSALS.get(kind, (400, kind, f"A test asked for {kind}."))
    headers = {"x-amzn-RequestId": str(uuid.uuid4())}
    if service == "s3":
        status, code = _S3_REFUSALS.get(kind, (status, code))
        text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        return Answer(status, text.encode(), {**headers, "Content-Type": "application/xml"})
    if service == "sns":
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        text = f"<ErrorResponse>{error}</ErrorResponse>"
        return Answer(status, text.encode(), {**headers, "Content-Type": "text/xml"})
    body = json.dumps({"__type": code, "message": message})
    return Answer(status, body.encode(), {**headers, "x-amzn-ErrorType": code})


# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_S3_REFUSALS = {
    "throttle": (503, "SlowDown"),
    "error500": (500, "InternalError"),
    "access-denied": (403, "AccessDenied"),
}
