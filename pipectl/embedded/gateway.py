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

from pipectl.embedded.injected_faults import REFUSALS, STALE, InjectedFaults
from pipectl.embedded.lambda_service import INVOKE_PATH, Answer, LambdaService, respond
from pipectl.embedded.rights.enforcement import Refusal, Rights, answer_of
from pipectl.embedded.rights.requests import Request
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
        self,
        moto: Application,
        service: LambdaService,
        faults: InjectedFaults,
        *,
        gate: Gate,
        rights: Rights,
    ) -> None:
        """Requests that change something pass the `gate`."""
        self._moto = moto
        self._gate = gate
        self._lambda = service
        self._faults = faults
        self._rights = rights
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
        self.controls: dict[str, Callable[[Any], Any]] = {}
        """The stack's controls under `/_embedded/`, by name: JSON in, JSON out."""

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        path = environ.get("PATH_INFO", "")
        if path.startswith(CONTROL_PATH):
            return respond(self._control(path, environ), start_response)
        request = Request(environ)
        refusal = self._rights.refusal(request)
        if refusal is not None:
            return respond(_denied(refusal, request), start_response)
        # Undecoded, since the path may contain a function's ARN with encoded colons.
        raw_path = request.raw_path
        if raw_path.startswith(INVOKE_PATH) and raw_path.endswith("/invocations"):
            kind = environ.get("HTTP_X_AMZ_INVOCATION_TYPE", "RequestResponse")
            answer = self._lambda.answer(raw_path, kind, _body(environ))
            return respond(answer, start_response)
        return self._call(request, start_response)

    def _call(self, request: Request, start_response: StartResponse) -> Iterable[bytes]:
        environ, target = request.environ, request.target
        service, action = request.service, request.operation
        # boto3 adds this in a function's environment.
        by_function = "exec-env/AWS_Lambda" in environ.get("HTTP_USER_AGENT", "")
        injected = self._faults.for_call(service, action, by_function=by_function)
        stale = injected is not None and injected.kind == STALE and target in self.earlier
        if injected is not None and not stale:
            return respond(_refusal(service, injected.kind), start_response)
        with self._gate.request(action) as is_open:
            if not is_open:
                return respond(_CLOSING, start_response)
            return self._answer(request, start_response, stale=stale)

    def _answer(
        self, request: Request, start_response: StartResponse, *, stale: bool
    ) -> Iterable[bytes]:
        environ, target, service = request.environ, request.target, request.service
        answer = self._own_answer(target, environ)
        if answer is not None:
            return respond(answer, start_response)
        if service == "s3":
            return self._found_or_refused(request, start_response)
        lock = self._locks.get(service)
        if lock is None:
            return list(self._moto(environ, start_response))
        with lock:
            if target in self.amendments or stale:
                return self._amended(target, environ, start_response, stale=stale)
            return list(self._moto(environ, start_response))

    def _found_or_refused(self, request: Request, start_response: StartResponse) -> Iterable[bytes]:
        """S3's answer: without the permission to list objects, a missing one is refused."""
        head: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], *_info: Any) -> None:
            head[:] = status, headers

        content = list(self._moto(request.environ, start))
        if head[0].startswith("404") and _is_about_an_object(content):
            refusal = self._rights.refusal_for_missing(request)
            if refusal is not None:
                return respond(_denied(refusal, request), start_response)
        start_response(*head)
        return content

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


def _is_about_an_object(content: list[bytes]) -> bool:
    """Whether S3's answer says that an object is missing. To HEAD it says no more than 404."""
    text = b"".join(content)
    return not text or b"<Code>NoSuchKey<" in text or b"<Code>NoSuchVersion<" in text


def _denied(refusal: Refusal, request: Request) -> Answer:
    status, media_type, body, headers = answer_of(refusal, request)
    return Answer(status, body, {"Content-Type": media_type, **headers})


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
