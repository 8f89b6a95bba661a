"""An emulation of RedriveExecution, which moto does not have."""

from __future__ import annotations

from pipectl.embedded.server import Gateway


def extend(gateway: Gateway) -> None:
    pass
