"""Serves the console on this machine, in a separate thread."""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pipectl.errors import PipectlError

if TYPE_CHECKING:
    import uvicorn

    from pipectl.console.state import Console

HOST = "127.0.0.1"
DEFAULT_PORT = 4561
_END_SECONDS = 3
_BACKLOG = 128


class ConsoleServer:
    """The console at an address of this machine, from `with` to its end."""

    def __init__(self, make: Callable[[], Console], port: int, *, or_any: bool = False) -> None:
        """Take the port; 0 chooses a free one.

        `make` is called in the server's thread: importing what the pages need takes a second.
        If it is taken, a free one is chosen with `or_any`, and `PipectlError` raised without.
        """
        self._make = make
        self._token = secrets.token_urlsafe(32)
        # Connections wait until the pages can be served.
        self._socket = _bound(port, or_any=or_any)
        self._socket.listen(_BACKLOG)
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._console: Console | None = None
        self._server: uvicorn.Server | None = None
        self._ready = threading.Event()

    @property
    def url(self) -> str:
        """The address with the token, for the person who has started it."""
        return f"http://{HOST}:{self.port}/?token={self._token}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all connections."""
        self._ready.wait(_END_SECONDS)
        if self._console is not None:
            self._console.close()
        if self._server is not None:
            self._server.should_exit = True
        self._thread.join(_END_SECONDS)
        with suppress(OSError):
            self._socket.close()

    def _run(self) -> None:
        import uvicorn

        from pipectl.console.app import create_app

        self._console = self._make()
        config = uvicorn.Config(
            create_app(self._console, self._token),
            log_level="error",
            access_log=False,
            lifespan="off",
            loop="asyncio",
            http="h11",
            ws="none",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._ready.set()
        self._server.run(sockets=[self._socket])


def _bound(port: int, *, or_any: bool) -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((HOST, port))
    except OSError as error:
        found.close()
        if or_any and port:
            return _bound(0, or_any=False)
        raise PipectlError(
            f"The console can't use port {port} of {HOST}: {error.strerror}. Name another one."
        ) from None
    return found
