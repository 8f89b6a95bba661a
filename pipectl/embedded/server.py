"""The embedded AWS over HTTP: one address for every service.

moto's server answers; before it stand the Lambda service, what moto has no answer for, and the
few questions that only an embedded stack can answer, under `/_embedded/`.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from pipectl.embedded.faults import REFUSALS, Faults
from pipectl.embedded.lambda_service import INVOKE_PATH, Answer, LambdaService, respond
from pipectl.errors import PipectlError

if TYPE_CHECKING:
    from werkzeug.serving import WSGIRequestHandler

StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]
Operation = Callable[[dict[str, Any]], Answer]
"""Answers one API operation of AWS's JSON protocol, given the request's body."""

CONTROL_PATH = "/_embedded/"

# On AWS a conditional write, or a StartExecution with a name, is decided in one step. moto looks
# first and writes then, so requests of these services go one at a time.
_ONE_AT_A_TIME = ("DynamoDB", "AWSStepFunctions")


class Gateway:
    """The WSGI application in front of moto."""

    def __init__(self, moto: Application, service: LambdaService, faults: Faults) -> None:
        self._moto = moto
        self._lambda = service
        self._faults = faults
        self._locks = {name: threading.Lock() for name in _ONE_AT_A_TIME}
        self.operations: dict[str, Operation] = {}
        """Operations that are answered here, by their target, `AWSStepFunctions.RedriveExecution`."""
        self.amendments: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {}
        """What is added to moto's answers, by the operation's target."""
        self.controls: dict[str, Callable[[Any], Any]] = {}
        """Questions and orders under `/_embedded/`, by name: JSON in, JSON out."""

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith(CONTROL_PATH):
            return respond(self._control(path, environ), start_response)
        # As it was sent: a function's ARN stands in the path with its colons encoded.
        raw_path = environ.get("RAW_URI", path).partition("?")[0]
        if raw_path.startswith(INVOKE_PATH) and raw_path.endswith("/invocations"):
            kind = environ.get("HTTP_X_AMZ_INVOCATION_TYPE", "RequestResponse")
            answer = self._lambda.answer(raw_path, kind, _body(environ))
            return respond(answer, start_response)
        return self._call(environ, start_response)

    def _call(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        service, _, action = target.partition(".")
        injected = self._faults.for_call(*_plain_names(environ, service, action))
        if injected is not None:
            return respond(_refusal(injected.kind), start_response)
        if target in self.operations:
            return respond(self.operations[target](json.loads(_body(environ))), start_response)
        lock = self._locks.get(service.partition("_")[0])
        if lock is None:
            return self._moto(environ, start_response)
        with lock:
            if target in self.amendments:
                return self._amended(self.amendments[target], environ, start_response)
            return list(self._moto(environ, start_response))

    def _amended(
        self,
        amend: Callable[[dict[str, Any]], dict[str, Any]],
        environ: dict[str, Any],
        start_response: StartResponse,
    ) -> Iterable[bytes]:
        status = 0

        def start(line: str, _headers: list[tuple[str, str]], *_info: Any) -> None:
            nonlocal status
            status = int(line.split(maxsplit=1)[0])

        body = b"".join(self._moto(environ, start))
        if status == 200:  # OK
            body = json.dumps(amend(json.loads(body))).encode()
        return respond(Answer(status, body), start_response)

    def _control(self, path: str, environ: dict[str, Any]) -> Answer:
        control = self.controls.get(path.removeprefix(CONTROL_PATH))
        if control is None:
            return Answer(404, b"{}")
        body = _body(environ)
        return Answer(200, json.dumps(control(json.loads(body) if body else None)).encode())


class Server:
    """Serves a gateway in threads of this process."""

    def __init__(self, host: str, port: int) -> None:
        """Bind the address; port 0 takes a free one. Raises `PipectlError` when it is taken."""
        from werkzeug.serving import make_server

        # One line a request otherwise, on standard error.
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.moto = _moto_application()
        listening = _bind(host, port)
        self._server = make_server(
            host,
            listening.getsockname()[1],
            self._serve,
            threaded=True,
            request_handler=_request_handler(),
            fd=listening.fileno(),
        )
        self._application: Application = self.moto
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def endpoint(self) -> str:
        """The address of all services."""
        return f"http://{self._server.host}:{self._server.port}"

    def start(self, application: Application) -> None:
        """Serve the application."""
        self._application = application
        self._thread.start()

    def stop(self) -> None:
        """Take no further requests."""
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        return self._application(environ, start_response)


def _request_handler() -> type[WSGIRequestHandler]:
    from moto.moto_server.werkzeug_app import MotoRequestHandler

    class RequestHandler(MotoRequestHandler):
        """Keeps connections open from one request to the next.

        werkzeug's own handler closes each one, and a new connection costs more than most of the
        requests here do. It can't know how much of a request's body was left unread; here bodies
        are as long as they say, and the rest is read before the next request.
        """

        protocol_version = "HTTP/1.1"

        def run_wsgi(self) -> None:
            if self.headers.get("Expect", "").lower() == "100-continue":
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.environ = environ = self.make_environ()
            body = _Body(environ["wsgi.input"], int(environ.get("CONTENT_LENGTH") or 0))
            if environ.get("wsgi.input_terminated"):
                # Sent in chunks, whose end only the reader of all of them knows.
                self.close_connection = True
            else:
                environ["wsgi.input"] = body
            try:
                self._answer(environ)
                body.drain()
            except OSError as error:
                self.connection_dropped(error, environ)
                self.close_connection = True

        def _answer(self, environ: dict[str, Any]) -> None:
            head: list[Any] = ["500 Internal Server Error", []]

            def start_response(status: str, headers: list[tuple[str, str]], *_info: Any) -> None:
                head[:] = status, headers

            content = list(self.server.app(environ, start_response))
            code, _, phrase = head[0].partition(" ")
            self.send_response(int(code), phrase)
            lengths = [value for name, value in head[1] if name.lower() == "content-length"]
            for name, value in head[1]:
                if name.lower() not in ("content-length", "connection"):
                    self.send_header(name, value)
            # The answer to HEAD tells the length of what GET would send.
            told = lengths[:1] if self.command == "HEAD" else [str(sum(map(len, content)))]
            for length in told:
                self.send_header("Content-Length", length)
            self.end_headers()
            if self.command != "HEAD":
                for piece in content:
                    self.wfile.write(piece)

        def log_request(self, *_arguments: Any) -> None:
            """Say nothing: there are thousands of them."""

    return RequestHandler


class _Body:
    """A request's body that ends where the request says, whatever comes after it."""

    def __init__(self, stream: Any, length: int) -> None:
        self._stream = stream
        self._left = length

    def read(self, size: int | None = -1) -> bytes:
        """Read at most `size` bytes, or all that is left."""
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        data: bytes = self._stream.read(wanted)
        self._left -= len(data)
        return data

    def readline(self, size: int | None = -1) -> bytes:
        """Read one line, at most `size` bytes of it."""
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        data: bytes = self._stream.readline(wanted)
        self._left -= len(data)
        return data

    def drain(self) -> None:
        """Read what nobody wanted."""
        while self._left and self.read(1024 * 1024):
            pass


def _moto_application() -> Application:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    application = DomainDispatcherApplication(create_backend_app)
    # moto looks through its own folders for this at every request.
    find = application.get_backend_for_host
    application.get_backend_for_host = cache(find)  # type: ignore[method-assign]
    moto: Application = application
    return moto


def _bind(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=512)
    except OSError as error:
        raise PipectlError(
            f"Port {port} can't be used ({error.strerror}). Choose another one with --port, or 0"
            " for any free one."
        ) from None


def _body(environ: Mapping[str, Any]) -> bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    content: bytes = environ["wsgi.input"].read(length)
    return content


def _plain_names(environ: Mapping[str, Any], service: str, action: str) -> tuple[str, str]:
    """A call's service as boto3 names it, and its action."""
    names = {"AmazonSQS": "sqs", "AWSStepFunctions": "stepfunctions", "DynamoDB": "dynamodb"}
    if service:
        return names.get(service.partition("_")[0], service), action
    # The scope of the signature names the service where no target does; S3's action is its verb.
    scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].partition(",")[0]
    parts = scope.split("/")
    name = parts[3] if len(parts) > 3 else ""  # key/date/region/service/aws4_request
    return name, parse_qs(environ.get("QUERY_STRING", "")).get(
        "Action", [environ["REQUEST_METHOD"]]
    )[0]


def _refusal(kind: str) -> Answer:
    status, code, message = REFUSALS.get(kind, (400, kind, f"A test asked for {kind}."))
    body = json.dumps({"__type": code, "message": message})
    headers = {"x-amzn-ErrorType": code, "x-amzn-RequestId": str(uuid.uuid4())}
    return Answer(status, body.encode(), headers)
