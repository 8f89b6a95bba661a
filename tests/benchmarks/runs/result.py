"""The counts of a run, which are compared before the times are."""

from __future__ import annotations

from typing import NamedTuple


class RunResult(NamedTuple):
    """Counts of records, and the sum of the good records' amounts where the engine sums."""

    processed: int
    rejected: int
    amount: float | None = None
