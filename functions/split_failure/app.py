"""SplitFailure: find which error failed a split, for the Map state tells only that some did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared import keys, storage
from shared.job import failed_state
from shared.settings import from_environment
from shared.step import Task, step
from split_failure.results import failed_children, first_failure


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    output_bucket: str


@step()
def handler(task: Task) -> dict[str, Any]:
    """Return the `Error` and `Cause` of the first split that failed in the newest Map Run.

    Where no split did (the Map could not read its items, say), these are the Map's own.
    """
    settings = from_environment(Settings)
    document: Mapping[str, Any] = task.payload["job"]
    prefix = keys.map_results_prefix(task.job.file_id, task.execution.name, failed_state(document))
    files = [
        found.key
        for found in storage.list_objects(settings.output_bucket, f"{prefix}/")
        if found.key.rpartition("/")[2].startswith("FAILED_")
    ]
    results = storage.read_documents(settings.output_bucket, files)
    caught = document["failure"]
    return first_failure(failed_children(results)) or {
        "Error": caught.get("Error", "Unknown"),
        "Cause": caught.get("Cause", ""),
    }
