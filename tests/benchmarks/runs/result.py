"""What a run found, so that engines can be compared before their times are."""

from __future__ import annotations

from typing import NamedTuple


class RunResult(NamedTuple):
    """Counts of records, and the sum of the good records' amounts where the engine sums."""

    processed: int
    rejected: int
    amount: float | None = None
