"""This project's engine on two processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.runs import whole_engine

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.runs.result import RunResult


def run(source: Path, contract: Path, out: Path) -> RunResult:
    """Write what `whole_engine` writes."""
    return whole_engine.run(source, contract, out, processes=2)
