"""Which datasets had no successful file for longer than their contracts allow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any

_HOUR_SECONDS = 3600


@dataclass(frozen=True)
class WatchedDataset:
    """A dataset with its limit in hours, and when its last file was processed."""

    name: str
    limit_hours: float
    last_success: datetime


def limit_of(contract: Any) -> float | None:
    """The contract's `freshness` in hours; None if it sets none, or no positive number.

    None, too, if it is infinite or larger than a float: such a dataset is never stale.
    """
    settings = contract.get("pipeline") if isinstance(contract, dict) else None
    limit = settings.get("freshness") if isinstance(settings, dict) else None
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not limit > 0:
        return None
    try:
        hours = float(limit)
    except OverflowError:
        return None
    return hours if isfinite(hours) else None


def stale(datasets: Iterable[WatchedDataset], now: datetime) -> list[tuple[WatchedDataset, float]]:
    """The datasets that exceed their limits, with the hours since their last success."""
    aged = (
        (dataset, (now - dataset.last_success).total_seconds() / _HOUR_SECONDS)
        for dataset in datasets
    )
    return [(dataset, hours) for dataset, hours in aged if hours > dataset.limit_hours]
