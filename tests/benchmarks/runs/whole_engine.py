"""This project's engine: contract, typed JSON Lines, rejects as JSON Lines and CSV, statistics."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipectl.local.processes import helpers_for, transform_file
from tests.benchmarks.runs.result import RunResult

if TYPE_CHECKING:
    from pathlib import Path

    from tabular.reading.layout import Layout

_HEAD_BYTES = 1024 * 1024
_STARTED = "2024-02-01T00:00:00Z"


def run(source: Path, contract: Path, out: Path, *, processes: int = 1) -> RunResult:
    """Write `records.jsonl`, `rejected.jsonl`, `corrections.csv` and `summary.json`."""
    with helpers_for(source, processes=processes) as helpers:
        # Only now, while the helpers start; and Polars when all processes import it.
        layout = _layout(source, contract)
        part = transform_file(
            source,
            layout,
            helpers,
            file_id="0123456789abcdef0123456789abcdef",
            processed_at=_STARTED,
            processed=out / "records.jsonl",
            rejected=out / "rejected.jsonl",
            corrections=out / "corrections.csv",
        )
    from tabular.statistics.summary import summarize  # noqa: PLC0415

    summary = summarize(
        part.statistics,
        record_count=part.record_count,
        processed_count=part.processed_count,
        error_count=part.error_count,
        generated_at=_STARTED,
        file=layout.facts(),
    )
    (out / "summary.json").write_text(json.dumps(summary, indent=2), encoding="utf-8")
    return RunResult(
        part.processed_count, part.error_count, summary["field_statistics"]["amount"]["sum"]
    )


def _layout(source: Path, contract: Path) -> Layout:
    from tabular.contract.descriptor import parse_contract  # noqa: PLC0415
    from tabular.reading.layout import read_layout  # noqa: PLC0415

    with source.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return read_layout(
        head,
        size=source.stat().st_size,
        name=source.name,
        contract=parse_contract(json.loads(contract.read_text(encoding="utf-8"))),
    )
