"""Calls of AWS from within the embedded AWS's own process, without its HTTP server.

The engine, the pollers and `pipectl run` are in the process that serves their requests. Through a
connection, a request of theirs takes three times as long as its answer. So boto3 gives them to the
gateway directly: signed, counted, refused and answered like all others.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from botocore.awsrequest import AWSResponse

if TYPE_CHECKING:
    import boto3
    from botocore.awsrequest import AWSPreparedRequest

    from pipectl.embedded.gateway import Application

_log = logging.getLogger(__name__)


class DirectCalls:
    """Answers the requests of boto3's sessions to one endpoint."""

    def __init__(self, endpoint: str, application: Application) -> None:
        self._endpoint = endpoint
        self._application = application
        self._closed = False

    def serve(self, session: boto3.Session) -> None:
        """Answer the requests of all clients that the session makes from now on."""
        # botocore sends a request only where no handler of this event has answered it.
        session.events.register("before-send", self._answer)  # type: ignore[arg-type]  # it may answer

    def close(self) -> None:
        """Leave all requests to HTTP, where they are no longer answered."""
        self._closed = True

    def _answer(self, request: AWSPreparedRequest, **_event: Any) -> AWSResponse | None:
        """The answer, or None for a request that has to go through HTTP."""
        if self._closed or not request.url.startswith(f"{self._endpoint}/"):
            return None
        body = request.body if request.body is not None else b""
        if isinstance(body, str):
            body = body.encode()
        if isinstance(body, io.BytesIO):
            body = body.getvalue()[body.tell() :]
        if not isinstance(body, bytes | bytearray):
            return None  # a stream, which may be encoded in chunks
        headers = {name: _text(value) for name, value in request.headers.items()}
        if any("_" in name for name in headers):
            return None  # only the server keeps such names
        environ = _environ(str(request.method), request.url, headers, bytes(body))
        status, answered, content = self._call(environ)
        if request.method == "HEAD":
            content = b""
        else:
            answered["Content-Length"] = str(len(content))
        return AWSResponse(request.url, status, answered, _Content(content))  # type: ignore[arg-type]

    def _call(self, environ: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        head: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_info: Any) -> None:
            head[:] = status, headers

        try:
            content = b"".join(self._application(environ, start_response))
        except Exception:  # noqa: BLE001  # any error in moto
            _log.debug("A request could not be answered.", exc_info=True)
            return HTTPStatus.INTERNAL_SERVER_ERROR, {}, b""
        status, headers = head
        return int(status.partition(" ")[0]), dict(headers), content


class _Content(io.BytesIO):
    """An answer's content, read as urllib3's."""

    def stream(self, *_size: Any) -> Iterator[bytes]:
        """All of it at once."""
        content = self.read()
        if content:
            yield content


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _environ(method: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The request as the server gives it to the application (WSGI)."""
    place = urlsplit(url)
    raw = f"{place.path}?{place.query}" if place.query else place.path
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(place.path).encode().decode("latin-1"),
        "QUERY_STRING": place.query,
        "RAW_URI": raw,
        "REQUEST_URI": raw,
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": place.hostname,
        "SERVER_PORT": str(place.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": place.netloc,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": place.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ
