"""Freshness: count the datasets that had no successful file for longer than their contracts say.

A schedule invokes it. An alarm watches the count, and the log names the datasets.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from freshness.limits import WatchedDataset, limit_of, stale
from shared import keys, storage
from shared.contracts import folded, is_contract_of
from shared.observability import logger, metrics
from shared.settings import from_environment
from shared.step import guarded
from shared.text import printable


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    input_bucket: str
    output_bucket: str


@guarded()
def handler(_event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Log each stale dataset, and write the metric `StaleDatasets`.

    Returns the number of datasets with a limit, and of those that exceed it.
    """
    settings = from_environment(Settings)
    datasets = list(_watched(settings))
    found = stale(datasets, datetime.now(UTC))
    for dataset, hours in found:
        log = {
            "dataset": printable(dataset.name),
            "hours_since_success": round(hours, 1),
            "limit_hours": dataset.limit_hours,
        }
        logger().warning("stale dataset", extra=log)
    meter = metrics()
    meter.add_metric("StaleDatasets", "Count", len(found))
    meter.flush_metrics()
    return {"watched": len(datasets), "stale": len(found)}


def _watched(settings: Settings) -> Iterable[WatchedDataset]:
    """The datasets whose contracts set a limit, each with its last success."""
    contracts = storage.list_modified(settings.input_bucket, keys.CONTRACTS_PREFIX)
    folders = defaultdict[str, list[str]](list)
    for folder in storage.list_folders(settings.output_bucket, keys.REPORTS_PREFIX):
        folders[folded(folder)].append(folder)
    for key, modified in contracts.items():
        name = keys.dataset_of_contract(key)
        if not is_contract_of(key, name):
            continue  # such as a copy with another suffix
        limit = limit_of(_contract(settings.input_bucket, key))
        if limit is None:
            continue
        times = [
            time
            for folder in folders[folded(name)]
            for time in _successes(settings.output_bucket, folder)
        ]
        # Before the first file, the time counts from the contract.
        yield WatchedDataset(name, limit, max(times, default=modified))


def _contract(bucket: str, key: str) -> Any:
    stored = storage.read_optional(bucket, key)
    try:
        return json.loads(stored[0]) if stored else None
    except (ValueError, RecursionError):
        # The dataset's files fail with InvalidContract, which is reported.
        return None


def _successes(bucket: str, dataset: str) -> Iterable[datetime]:
    """When the dataset's last files were processed."""
    history = storage.read_optional_document(bucket, keys.history_key(dataset))
    for file in history["files"] if history else ():
        yield datetime.fromisoformat(file["generated_at"])
