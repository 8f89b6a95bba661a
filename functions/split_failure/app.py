"""SplitFailure: find the error of a failed split; the Map state reports only that one failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared import storage
from shared.settings import from_environment
from shared.step import Task, step
from shared.steps import failed_state
from split_failure.results import CHILD_FAILED, first_failure, is_failed_file


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    output_bucket: str


@step()
def handler(task: Task) -> dict[str, Any]:
    """Return the `Error` and `Cause` of the first split that failed in the newest Map Run.

    If no split failed (for example because the Map couldn't read its items), return the Map's own
    error. The results of a Map Run before a redrive are still in the bucket, but they say nothing
    about the present failure.
    """
    settings = from_environment(Settings)
    document: Mapping[str, Any] = task.payload["job"]
    caught = document["failure"]
    own = {"Error": caught.get("Error", "Unknown"), "Cause": caught.get("Cause", "")}
    if own["Error"] != CHILD_FAILED:
        return own
    prefix = task.work.map_results(failed_state(document))
    found = storage.list_objects(settings.output_bucket, f"{prefix}/")
    files = [location.key for location in found if is_failed_file(location.key)]
    results = storage.read_documents(settings.output_bucket, files)
    return first_failure(zip(files, results, strict=True)) or own
