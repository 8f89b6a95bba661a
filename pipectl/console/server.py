"""Serves the console on this machine, in a separate thread."""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from pipectl.errors import PipectlError

if TYPE_CHECKING:
    import uvicorn

    from pipectl.console.state import Console

HOST = "127.0.0.1"
DEFAULT_PORT = 4561
_END_SECONDS = 3
_BACKLOG = 128


@contextmanager
def serve_console(
    make: Callable[[], Console],
    port: int,
    *,
    or_any: bool = False,
    failed: Callable[[Exception], None],
) -> Iterator[str]:
    """Serve the console at a port until the end of the block; 0 chooses a free one.

    Gives the address with the token, for the person who has started it. If the port is taken, a
    free one is chosen with `or_any`, and `PipectlError` raised without.

    `make` is called in the server's thread, because importing what the pages need takes a second.
    `failed` is called there with the error if the console can't be made.
    """
    token = secrets.token_urlsafe(32)
    with closing(_bound(port, or_any=or_any)) as bound:
        # Connections wait until the pages can be served.
        bound.listen(_BACKLOG)
        address = f"http://{HOST}:{bound.getsockname()[1]}/?token={token}"
        server = _Server(make, token, bound, failed)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            yield address
        finally:
            server.stop()
            thread.join(_END_SECONDS)


class _Server:
    """The server's thread, and what it has started."""

    def __init__(
        self,
        make: Callable[[], Console],
        token: str,
        bound: socket.socket,
        failed: Callable[[Exception], None],
    ) -> None:
        self._make = make
        self._token = token
        self._socket = bound
        self._failed = failed
        self._console: Console | None = None
        self._server: uvicorn.Server | None = None
        self._ready = threading.Event()

    def run(self) -> None:
        """Serve until `stop` is called."""
        try:
            server = self._made()
        except Exception as error:  # noqa: BLE001  # reported by whoever has started the console
            self._socket.close()
            self._failed(error)
            return
        finally:
            self._ready.set()
        server.run(sockets=[self._socket])

    def stop(self) -> None:
        """End all connections."""
        self._ready.wait(_END_SECONDS)
        if self._console is not None:
            self._console.close()
        if self._server is not None:
            self._server.should_exit = True

    def _made(self) -> uvicorn.Server:
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
        return self._server


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
            f"The console can't use port {port} of {HOST}: {error.strerror}. Choose another one, or"
            " 0 for a free one."
        ) from None
    return found
