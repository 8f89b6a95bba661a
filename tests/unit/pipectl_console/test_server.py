"""The console's server: its own port, its address, and its end."""

from __future__ import annotations

import queue
import re
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipectl.client.deployment import Deployment
from pipectl.client.stack_choice import OUTPUTS_READ, Stack, StackChoice
from pipectl.client.state_file import STATE_FILE
from pipectl.commands import console as console_command
from pipectl.commands import up
from pipectl.console.server import serve_console
from pipectl.console.state import Console
from pipectl.errors import PipectlError
from tests.unit.pipectl_console.world import ConsoleWorld, console, deployment


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that is in use."""
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


def unexpected(error: Exception) -> None:
    raise error


def port_of(address: str) -> int:
    return int(str(urllib.parse.urlsplit(address).port))


def test_the_printed_address_opens_the_console_until_it_is_closed(world: ConsoleWorld) -> None:
    with serve_console(console, 0, failed=unexpected) as address:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{43}", address)
        assert status_of(address) == 200
        assert status_of(address.split("?")[0]) == 403
    with pytest.raises(urllib.error.URLError):
        status_of(address)


def test_a_taken_port_is_named_in_the_error(taken: int) -> None:
    opened = serve_console(console, taken, failed=unexpected)
    with pytest.raises(PipectlError, match=f"can't use port {taken}"), opened:
        pass


def test_the_default_port_may_be_any_other(taken: int, world: ConsoleWorld) -> None:
    with serve_console(console, taken, or_any=True, failed=unexpected) as address:
        assert port_of(address) != taken
        assert status_of(address) == 200


def test_a_console_that_cannot_be_made_is_reported_and_leaves_no_open_port() -> None:
    problems: queue.Queue[Exception] = queue.Queue()

    def make() -> Console:
        raise ModuleNotFoundError("No module named 'jinja2'", name="jinja2")

    with serve_console(make, 0, failed=problems.put) as address:
        assert isinstance(problems.get(timeout=30), ModuleNotFoundError)
        with pytest.raises(urllib.error.URLError):
            status_of(address)


def test_the_command_ends_with_the_error_of_a_console_that_cannot_be_made(
    world: ConsoleWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Console:
        raise ModuleNotFoundError("No module named 'jinja2'", name="jinja2")

    monkeypatch.setattr(console_command, "_console", broken)
    monkeypatch.setattr(StackChoice, "open", lambda _: Stack(deployment()))
    monkeypatch.setattr(console_command, "ending_signals", threading.Event)
    result = CliRunner().invoke(console_command.command, ["--port", "0"])
    assert isinstance(result.exception, ModuleNotFoundError)


@pytest.mark.parametrize("missing", OUTPUTS_READ)
def test_a_stack_without_an_output_that_pages_read_has_no_console(
    missing: str, world: ConsoleWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Template:
        """What `pipectl up` has started, from a template without one of the outputs."""

        deployment = Deployment.embedded("http://127.0.0.1:1", "us-east-1", "other")
        log_folder = Path("logs")

    deployed = Template.deployment
    deployed.__dict__["outputs"] = {name: name for name in OUTPUTS_READ if name != missing}
    with up._console(Template(), 0, STATE_FILE) as address:  # type: ignore[arg-type]
        assert address is None

    monkeypatch.setattr(StackChoice, "open", lambda _: Stack(deployed))
    result = CliRunner().invoke(console_command.command, ["--port", "0"])
    assert result.exit_code == 1
    assert f"no output {missing}" in result.output
