"""The console of an embedded stack, for tests in a browser and for the documentation's pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipectl.client.controls import Controls
from pipectl.client.stack_choice import Stack
from pipectl.console.commands import Commands
from pipectl.console.server import serve_console
from pipectl.console.state import Console
from pipectl.embedded.process import StackProcess


@contextmanager
def served_console(stack: StackProcess) -> Iterator[str]:
    """Serve a console that may write, on a free port; gives its address with the token.

    An error in the console's server is raised.
    """
    controls = Controls(str(stack.deployment.endpoint), stack.token)

    def make() -> Console:
        return Console(
            Stack(stack.deployment, controls=controls),
            allow_writes=True,
            commands=Commands(),
            changes=controls,
            messages=controls.notifications,
        )

    def failed(error: Exception) -> None:
        raise error

    with serve_console(make, 0, failed=failed) as address:
        yield address
