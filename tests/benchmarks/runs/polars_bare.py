"""Polars' own streaming conversion of CSV to JSON Lines: the limit. It validates nothing.

Short records are padded and long ones cut, silently.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tests.benchmarks.runs.result import RunResult

if TYPE_CHECKING:
    from pathlib import Path


def run(source: Path, contract: Path, out: Path) -> RunResult:
    """Write `records.jsonl` of texts; the counts are not known."""
    del contract
    table = pl.scan_csv(source, infer_schema=False, truncate_ragged_lines=True)
    table.sink_ndjson(out / "records.jsonl")
    return RunResult(0, 0)
