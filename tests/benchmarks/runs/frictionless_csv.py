"""frictionless: validation against the contract alone, without any output."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from frictionless import Checklist, Resource, system

from tests.benchmarks.runs.result import RunResult

if TYPE_CHECKING:
    from pathlib import Path


def run(source: Path, contract: Path, out: Path) -> RunResult:
    """Count the records, and those with at least one error. `out` stays empty."""
    del out
    document = json.loads(contract.read_text(encoding="utf-8"))
    schema = document["schema"]
    with system.use_context(trusted=True):
        resource = Resource.from_descriptor(
            {"name": "orders", "path": str(source), "encoding": "utf-8", "schema": schema}
        )
        report = resource.validate(Checklist(), limit_errors=1_000_000_000)
    wrong = {row for (row,) in report.flatten(["rowNumber"]) if row is not None}
    records = int(report.tasks[0].stats["rows"])
    return RunResult(records - len(wrong), len(wrong))
