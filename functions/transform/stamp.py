"""The stamp of a part: if it hasn't changed, the part need not be made again."""

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


def stamp_of(
    task: Task, layout: dict[str, Any], split: Split, output_format: str, patches: str | None
) -> str:
    """A digest of everything that a part depends on.

    That is the file's content, the layout (which includes the contract), the split, the format, the
    corrected rows (`patches` is their ETag), the engine, and the execution's start, which every
    record carries. So a redrive reuses its parts,
    and a new attempt makes its own.
    """
    facts = {
        "etag": task.job.location.etag,
        "layout": layout,
        "split": asdict(split),
        "format": output_format,
        "patches": patches,
        "processed_at": task.execution.start_time,
        "engine": engine(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@cache
def engine() -> dict[str, str]:
    """The versions of the code and of everything else that affects a part's bytes or hashes.

    Python is included for its Unicode tables and zlib, the processor because hashes can depend on
    it. All parts of a file must have the same engine, which `WriteOutput` checks.
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
    """A digest of the source of the pipeline's own code in this function's package."""
    digest = hashlib.sha256()
    for package in (tabular, shared, transform):
        folder = Path(package.__path__[0])
        for path in sorted(folder.rglob("*.py")):
            content = path.read_bytes()
            digest.update(f"{path.relative_to(folder.parent)} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()
