"""Reads the report of a Distributed Map's ResultWriter about the executions of its splits.

Each Map Run has its own folder, `<prefix>/<map run id>/`. Nothing else identifies the Map Run: a
child's ARN is `execution:<state machine>/<label>:<uuid>`.
https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

# The error of a Map in which a child failed. Every other error is the Map's own.
CHILD_FAILED = "States.ExceedToleratedFailureThreshold"

Child = Mapping[str, Any]

_NEVER = datetime.min.replace(tzinfo=UTC)


def is_failed_file(key: str) -> bool:
    """Whether the key is of a result file with children that failed, timed out or were aborted."""
    return key.rpartition("/")[2].startswith("FAILED_")


def first_failure(files: Iterable[tuple[str, Iterable[Child]]]) -> dict[str, str] | None:
    """The error of the first split, in file order, that failed in the newest Map Run; or None.

    `files` are the FAILED result files of a Map state, each with its key and its children. Every
    redrive adds a Map Run, and the newest is the one whose children ended last. Children that were
    aborted because another one failed are listed too, but have no error.
    """
    by_run: dict[str, list[Child]] = {}
    for key, children in files:
        by_run.setdefault(key.rpartition("/")[0], []).extend(children)
    runs = [children for children in by_run.values() if children]
    if not runs:
        return None
    newest = max(runs, key=lambda children: max(map(_ended, children)))
    failed = [child for child in newest if child.get("Status") != "ABORTED"]
    first = min(failed or newest, key=_order)
    return {"Error": str(first.get("Error", "Unknown")), "Cause": str(first.get("Cause", ""))}


def _ended(child: Child) -> datetime:
    # Compared as times, not as text: AWS writes both `...:00Z` and `...:00.123Z`.
    return datetime.fromisoformat(child["StopDate"]) if child.get("StopDate") else _NEVER


def _order(child: Child) -> tuple[bool, int, datetime, str]:
    """A sort key: children in the order of their splits, then those of unknown splits by end time.

    AWS omits `Input` if `InputDetails` says that it is not included.
    """
    try:
        index = int(json.loads(child["Input"])["split"]["index"])
    except (KeyError, TypeError, ValueError):
        return True, 0, _ended(child), str(child.get("Name", ""))
    return False, index, _NEVER, ""
