"""What a part depends on: where none of it has changed, the part need not be made again."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import polars as pl

import shared
import tabular
import transform
from shared.step import Task
from tabular.reading.split import Split
from tabular.statistics.sketches import hash_fingerprint


def stamp_of(task: Task, layout: dict[str, Any], split: Split, output_format: str) -> str:
    """A digest of the content, how it is read and checked, the split, the engine and the time.

    The layout holds the contract. The time is the execution's start, which every record bears:
    a redrive finds its parts again, a new attempt makes its own.
    """
    facts = {
        "etag": task.job.location.etag,
        "layout": layout,
        "split": asdict(split),
        "format": output_format,
        "processed_at": task.execution.start_time,
        "engine": engine(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@cache
def engine() -> dict[str, str]:
    """What makes parts, by name: the code and every library that shapes their bytes or hashes.

    Python brings its own Unicode tables and zlib, and the processor can decide about hashes. All
    parts of a file must have the same, which `WriteOutput` checks.
    """
    return {
        "code": _code_version(),
        "polars": pl.__version__,
        "orjson": orjson.__version__,
        "python": platform.python_version(),
        "processor": platform.machine(),
        "hash": hash_fingerprint(),
    }


def _code_version() -> str:
    """A digest of the source of everything of ours in this function's package."""
    digest = hashlib.sha256()
    for package in (tabular, shared, transform):
        folder = Path(package.__path__[0])
        for path in sorted(folder.rglob("*.py")):
            content = path.read_bytes()
            digest.update(f"{path.relative_to(folder.parent)} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()
