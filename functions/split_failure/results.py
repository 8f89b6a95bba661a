"""What a Distributed Map's ResultWriter reports on the executions of its splits.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def failed_children(files: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    """The executions in the FAILED files: those that failed, timed out or were aborted."""
    for children in files:
        yield from children


def first_failure(children: Iterable[Mapping[str, Any]]) -> dict[str, str] | None:
    """The error of the first split, in the file's order, that failed in the newest Map Run.

    A redrive makes a Map Run of its own; the executions of one bear its name in their ARN. Splits
    that were stopped because another one had failed are among the children, and have no error.
    """
    by_run: dict[str, list[Mapping[str, Any]]] = {}
    for child in children:
        by_run.setdefault(_map_run(child), []).append(child)
    if not by_run:
        return None
    newest = max(by_run.values(), key=lambda run: max(str(child["StopDate"]) for child in run))
    failed = [child for child in newest if child.get("Status") != "ABORTED"]
    first = min(failed or newest, key=_split_index)
    return {"Error": str(first.get("Error", "Unknown")), "Cause": str(first.get("Cause", ""))}


def _map_run(child: Mapping[str, Any]) -> str:
    # arn:aws:states:<region>:<account>:execution:<machine>/<label>:<map run>:<execution>, or
    # without the Map Run: then all are of one.
    return str(child["ExecutionArn"]).rpartition(":")[0]


def _split_index(child: Mapping[str, Any]) -> int:
    return int(json.loads(child["Input"])["split"]["index"])
