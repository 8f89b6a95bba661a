"""The server reads the heads of requests as HTTP/1 defines them, and refuses others."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from pipectl.embedded.server import Server

OK = b"HTTP/1.1 200 OK"
BAD = b"HTTP/1.1 400 "


class Wire:
    """A connection to a server, which notes each request's environment (WSGI)."""

    def __init__(self) -> None:
        self.environs: list[dict[str, Any]] = []
        self._server = Server("127.0.0.1", 0)
        self._server.start(self._answer)
        address = self._server.endpoint.removeprefix("http://").split(":")
        self._socket = socket.create_connection((address[0], int(address[1])), timeout=10)
        self._stream = self._socket.makefile("rb")

    def _answer(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.environs.append(environ)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["wsgi.input"].read()]

    def send(self, head: bytes, body: bytes = b"") -> None:
        self._socket.sendall(head.replace(b"\n", b"\r\n") + b"\r\n" + body)

    def send_all_of(self, text: bytes) -> None:
        """Send exactly this, and nothing after it."""
        self._socket.sendall(text)
        self._socket.shutdown(socket.SHUT_WR)

    def status(self) -> bytes:
        """The next answer's status line, after its head has been read; its body is left."""
        line = self._stream.readline()
        while self._stream.readline().strip():
            pass
        return line.strip()

    def read(self, size: int) -> bytes:
        return self._stream.read(size)

    @property
    def is_closed(self) -> bool:
        """Whether the server ends the connection, after what it still sends."""
        self._socket.settimeout(0.2)
        try:
            self._stream.read()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        self._stream.close()
        self._socket.close()
        self._server.stop()


@pytest.fixture
def wire() -> Iterator[Wire]:
    opened = Wire()
    yield opened
    opened.close()


def test_a_connection_stays_open_for_the_next_request(wire: Wire) -> None:
    for number in (b"1", b"2"):
        wire.send(b"PUT /b/k?a=%20 HTTP/1.1\nHost: h\nContent-Length: 1\n", number)
        assert wire.status() == OK
        assert wire.read(1) == number

    first = wire.environs[0]
    assert (first["REQUEST_METHOD"], first["PATH_INFO"]) == ("PUT", "/b/k")
    assert (first["QUERY_STRING"], first["RAW_URI"]) == ("a=%20", "/b/k?a=%20")
    assert (first["HTTP_HOST"], first["CONTENT_LENGTH"]) == ("h", "1")


@pytest.mark.parametrize(
    ("version", "wish", "closed"),
    [
        (b"1.1", b"", False),
        (b"1.1", b"Connection: Close\n", True),
        (b"1.0", b"", True),
        (b"1.0", b"Connection: keep-alive\n", False),
    ],
)
def test_a_connection_is_closed_as_its_client_wishes(
    wire: Wire, version: bytes, wish: bytes, closed: bool
) -> None:
    wire.send(b"GET / HTTP/%b\nHost: h\n%b" % (version, wish))
    assert wire.status() == OK
    assert wire.is_closed is closed


def test_spaces_around_values_and_the_case_of_names_do_not_matter(wire: Wire) -> None:
    wire.send(b"GET / HTTP/1.1\nhOST:h\nx-AMZ-target: \t a: b \t\nx-empty:\n")
    assert wire.status() == OK
    environ = wire.environs[0]
    assert (environ["HTTP_HOST"], environ["HTTP_X_AMZ_TARGET"]) == ("h", "a: b")
    assert environ["HTTP_X_EMPTY"] == ""


def test_a_client_that_waits_for_permission_gets_it_once(wire: Wire) -> None:
    wire.send(b"PUT / HTTP/1.1\nHost: h\nExpect: 100-continue\nContent-Length: 2\n", b"ab")
    assert wire.status() == b"HTTP/1.1 100 Continue"
    assert wire.status() == OK
    assert wire.read(2) == b"ab"


def test_a_path_is_not_read_as_a_host(wire: Wire) -> None:
    wire.send(b"GET //elsewhere.example/k HTTP/1.1\nHost: h\n")
    assert wire.status() == OK
    assert wire.environs[0]["PATH_INFO"] == "/elsewhere.example/k"
    assert wire.environs[0]["HTTP_HOST"] == "h"


@pytest.mark.parametrize(
    "head",
    [
        b"GET /\n",
        b"GET / HTTP/2.0\n",
        b"GET  / HTTP/1.1\n",
        b"get / HTTP/1.1\n",
        b"GET / HTTP/1.1 x\n",
        b"GET / HTTP/1.1\n folded: 1\n",
        b"GET / HTTP/1.1\nHost: h\n h2\n",
        b"GET / HTTP/1.1\nno colon\n",
        b"GET / HTTP/1.1\nname : 1\n",
        b"GET / HTTP/1.1\n: 1\n",
        b"GET / HTTP/1.1\nn\xc3\xa4me: 1\n",
        b"GET / HTTP/1.1\nname: 1\r2\n",
        b"GET / HTTP/1.1\nname: 1\0\n",
        b"GET / HTTP/1.1\n" + b"".join(b"h%d: 1\n" % number for number in range(101)),
        b"GET / HTTP/1.1\nlong: " + b"x" * 70_000 + b"\n",
    ],
)
def test_what_is_no_request_is_refused_and_ends_the_connection(wire: Wire, head: bytes) -> None:
    wire.send(head)
    assert wire.status().startswith(BAD)
    assert wire.environs == []
    assert wire.is_closed


def test_a_request_that_ends_within_its_headers_is_refused(wire: Wire) -> None:
    wire.send_all_of(b"GET / HTTP/1.1\r\nHost: h\r\n")
    assert wire.status().startswith(BAD)
    assert wire.environs == []
