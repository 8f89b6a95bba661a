"""The console's server: its own port, its address, and its end."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from pipectl.console.server import ConsoleServer
from pipectl.errors import PipectlError
from tests.unit.pipectl_console.world import ConsoleWorld, console


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody uses."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


def status_of(address: str) -> int:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_printed_address_opens_the_console_until_it_is_closed(world: ConsoleWorld) -> None:
    with ConsoleServer(console, 0) as server:
        assert server.url.startswith(f"http://127.0.0.1:{server.port}/?token=")
        assert status_of(server.url) == 200
        assert status_of(server.url.split("?")[0]) == 403
    with pytest.raises(urllib.error.URLError):
        status_of(server.url)


def test_a_port_that_is_taken_is_said(taken: int) -> None:
    with pytest.raises(PipectlError, match=f"can't use port {taken}"):
        ConsoleServer(console, taken)


def test_the_default_port_may_be_any_other(taken: int, world: ConsoleWorld) -> None:
    with ConsoleServer(console, taken, or_any=True) as server:
        assert server.port != taken
        assert status_of(server.url) == 200
