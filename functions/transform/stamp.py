"""What a part depends on: where none of it has changed, the part need not be made again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import tabular
from shared.step import Task
from tabular.reading.split import Split


def stamp_of(task: Task, layout: dict[str, Any], split: Split, output_format: str) -> str:
    """A digest of the content, how it is read and checked, the split, the code and the time.

    The layout holds the contract. The time is the execution's start, which every record bears:
    a redrive finds its parts again, a new attempt makes its own.
    """
    facts = {
        "etag": task.job.location.etag,
        "layout": layout,
        "split": asdict(split),
        "format": output_format,
        "processed_at": task.execution.start_time,
        "code": _code_version(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@cache
def _code_version() -> str:
    """A digest of the engine's source, as deployed."""
    digest = hashlib.sha256()
    for path in sorted(Path(tabular.__path__[0]).glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
