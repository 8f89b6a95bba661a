"""The HTTP server of the embedded AWS: werkzeug's, with connections that stay open."""

from __future__ import annotations

import logging
import os
import re
import socket
import threading
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from werkzeug.serving import make_server

from pipectl.embedded.gateway import Application, StartResponse
from pipectl.embedded.moto_patches.application import RequestHandler, moto_application
from pipectl.errors import PipectlError

_log = logging.getLogger(__name__)


class Server:
    """Serves a gateway in threads of this process."""

    def __init__(self, host: str, port: int) -> None:
        """Bind the address; port 0 chooses a free one. Raises `PipectlError` if it is taken."""
        # Otherwise it prints a line per request to standard error.
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.moto = moto_application()
        listening = _bind(host, port)
        self._server = make_server(
            host,
            listening.getsockname()[1],
            self._serve,
            threaded=True,
            request_handler=_RequestHandler,
            fd=listening.fileno(),
        )
        self._application: Application = self.moto
        # `poll_interval`: seconds between two checks whether it has to stop.
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def endpoint(self) -> str:
        """The address of all services."""
        return f"http://{self._server.host}:{self._server.port}"

    def start(self, application: Application) -> None:
        """Serve the application."""
        self._application = application
        self._thread.start()

    def stop(self) -> None:
        """Accept no further connections."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()

    def _serve(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        return self._application(environ, start_response)


class _RequestHandler(RequestHandler):
    """Keeps connections open from one request to the next.

    werkzeug's own handler closes each connection, because it can't know how much of a request's
    body was left unread. A new connection costs more than most requests here. So this handler
    limits each body to its Content-Length and reads the rest of it before the next request.
    """

    protocol_version = "HTTP/1.1"
    headers: Any  # a part of the interface of Python's own

    # Head and body are sent together. Sent separately on an open connection, the body would wait 40
    # ms for the acknowledgement of the head.
    wbufsize = 64 * 1024
    disable_nagle_algorithm = True

    def parse_request(self) -> bool:
        """Read the head of a request; returns whether the request can be answered.

        Python's own method reads headers as those of an e-mail, which takes longer than some
        answers. This one refuses what HTTP/1.1 doesn't allow, such as a header over several lines.
        """
        self.close_connection = True
        self.requestline = self.raw_requestline.decode("latin-1").rstrip("\r\n")
        if not self.requestline:
            return False
        line = _REQUEST_LINE.fullmatch(self.requestline)
        if line is None:
            # The answer to a request without a version would have no head.
            self.command, self.request_version = "", self.protocol_version
            self.send_error(HTTPStatus.BAD_REQUEST, "The request line is not one of HTTP/1.")
            return False
        self.command, path, self.request_version = line.groups()
        # Two slashes at the beginning would be read as the beginning of a host's name.
        self.path = f"/{path.lstrip('/')}" if path.startswith("//") else path
        try:
            self.headers = _read_headers(self.rfile)
        except ValueError as error:
            self.send_error(HTTPStatus.BAD_REQUEST, str(error))
            return False
        wish = self.headers.get("Connection", "").lower()
        by_default = self.request_version == self.protocol_version
        self.close_connection = wish == "close" or not (by_default or wish == "keep-alive")
        return True

    def run_wsgi(self) -> None:
        """Answer one request with the server's application."""
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        length = self.headers.get("Content-Length", "0").strip()
        if not _LENGTH.fullmatch(length):
            # The start of the next request on this connection is unknown.
            self.send_error(HTTPStatus.BAD_REQUEST, "Content-Length is not a number.")
            return
        self.environ = environ = self.make_environ()
        body = _Body(environ["wsgi.input"], int(length))
        if environ.get("wsgi.input_terminated"):
            # A chunked body: its end is only known once it has been read completely.
            self.close_connection = True
        else:
            environ["wsgi.input"] = body
        try:
            self._answer(environ)
            self.wfile.flush()
            body.drain()
        except OSError as error:
            self.connection_dropped(error, environ)
            self.close_connection = True

    def _answer(self, environ: dict[str, Any]) -> None:
        try:
            self._answer_with(self.server.app, environ)
        except OSError:
            raise
        except Exception:  # noqa: BLE001  # any error in moto
            # Nothing has been sent yet. The client retries, or reports the error.
            _log.debug("A request could not be answered.", exc_info=True)
            self._answer_with(_internal_failure, environ)

    def _answer_with(self, application: Any, environ: dict[str, Any]) -> None:
        head: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_info: Any) -> Any:
            head[:] = status, headers

        content = list(application(environ, start_response))
        status, headers = head
        code, _, phrase = status.partition(" ")
        self.send_response(int(code), phrase)
        for name, value in headers:
            if name.lower() not in ("content-length", "connection"):
                self.send_header(name, value)
        for length in self._lengths(headers, content):
            self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            for piece in content:
                self.wfile.write(piece)

    def _lengths(self, headers: list[tuple[str, str]], content: list[bytes]) -> list[str]:
        """The answer's Content-Length; for HEAD, it is that of the answer to GET."""
        if self.command != "HEAD":
            return [str(sum(map(len, content)))]
        return [value for name, value in headers if name.lower() == "content-length"][:1]

    def log_request(self, *_arguments: Any) -> None:
        """Print nothing: there are thousands of requests."""


def _internal_failure(_environ: Any, start_response: StartResponse) -> list[bytes]:
    start_response("500 Internal Server Error", [("Content-Type", "application/json")])
    return [b'{"__type": "InternalFailure", "message": "The embedded AWS could not answer."}']


# https://www.rfc-editor.org/rfc/rfc9112#name-request-line
_REQUEST_LINE = re.compile(r"([A-Z]+) (\S+) (HTTP/1\.[01])")
_HEADER_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LONGEST_LINE = 65_536
_MOST_HEADERS = 100


class _Headers:
    """The headers of a request in their order; of those with one name, `get` finds the first."""

    def __init__(self, found: list[tuple[str, str]]) -> None:
        self._found = found
        self._values = {name.lower(): value for name, value in reversed(found)}

    def get(self, name: str, default: str | None = None) -> str | None:
        """A header's value; its name may be in any case."""
        return self._values.get(name.lower(), default)

    def items(self) -> list[tuple[str, str]]:
        """Names and values."""
        return self._found

    def keys(self) -> list[str]:
        """Names as they were sent."""
        return [name for name, _ in self._found]


def _read_headers(stream: Any) -> _Headers:
    """The headers of a request up to the empty line; raises `ValueError` if they can't be used.

    https://www.rfc-editor.org/rfc/rfc9112#name-field-syntax
    """
    found: list[tuple[str, str]] = []
    while True:
        line: bytes = stream.readline(_LONGEST_LINE + 1)
        if len(line) > _LONGEST_LINE:
            raise ValueError("A header is too long.")
        if not line:
            raise ValueError("The request ends within its headers.")
        if line in (b"\r\n", b"\n"):
            return _Headers(found)
        name, _, rest = line.partition(b":")
        value = rest.strip(b" \t\r\n")
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError("A header has no name, or one with other characters than allowed.")
        if b"\r" in value or b"\0" in value:
            raise ValueError("A header has a CR or NUL within its value.")
        if len(found) == _MOST_HEADERS:
            raise ValueError("There are too many headers.")
        found.append((name.decode(), value.decode("latin-1")))


# Digits only: `int` would also accept signs, spaces and other scripts' digits.
_LENGTH = re.compile(r"[0-9]{1,15}")


class _Body:
    """A request's body, which ends after the length that the request declares."""

    def __init__(self, stream: Any, length: int) -> None:
        self._stream = stream
        self._left = length

    def read(self, size: int | None = -1) -> bytes:
        """Read at most `size` bytes, or the rest."""
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
        """Read and drop the rest."""
        while self._left and self.read(1024 * 1024):
            pass


def _bind(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=512)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise PipectlError(
            f"Port {port} can't be used: {why}. Choose another with --port, or --port 0 for a free"
            " one."
        ) from None
