"""Files of hostile and of ordinary shapes, each in a process with its function's own memory.

`python -m tests.benchmarks.shapes` prints peak memory, time and megabytes a CPU second of each.
A shape of which every record is rejected is compared with its good counterpart, if that is measured
in the same run: at most twice the memory and three times the processor time.
The limit is the function's MemorySize in the template: a process whose resident memory, sampled
every 20 ms, is beyond it is killed, as Lambda does, and the benchmark fails. (RLIMIT_AS would not
do: Polars reserves far more address space than it uses.)
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from pipectl.scale.deployed import read_deployed
from tests.benchmarks.machine import facts
from tests.benchmarks.measure import CommandFailed, measure
from tests.benchmarks.shapes_worker import SHAPES
from tests.benchmarks.tables import replace_measured

_SPLITS = 40


class ShapeRun(NamedTuple):
    """The measurement of one function with one shape."""

    shape: str
    function: str
    limit_mb: int
    peak_mb: float
    seconds: float
    found: dict[str, Any]

    def row(self, good: ShapeRun | None = None) -> str:
        """The run as a row of the table, compared with that of the shape's good files."""
        megabytes = self.found["bytes"] / 1e6
        cells = (
            self.shape,
            self.function,
            f"{megabytes:,.0f}",
            f"{self.found['records']:,}",
            f"{self.found['rejected']:,}",
            f"{self.limit_mb:,}",
            f"{self.peak_mb:,.0f}",
            f"{self.seconds:.1f}",
            f"{megabytes / self.found['cpu_seconds']:.1f}",
            f"{self.found['statistics_bytes'] / 1e6:.1f}",
            f"{self.peak_mb / good.peak_mb:.1f}" if good else "",
            f"{self.found['cpu_seconds'] / good.found['cpu_seconds']:.1f}" if good else "",
        )
        return "| " + " | ".join(cells) + " |"


HEAD = """\
| shape | function | MB | records | rejected | limit MB | peak MB | seconds | MB/CPU s | stats MB \
| x good: MB | x good: CPU s |
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"""


def main() -> int:
    """Measure all shapes: 0, or 1 where one takes more memory than its function has."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = ("orders", "orders as Parquet", *SHAPES)
    parser.add_argument("--shapes", nargs="+", choices=names, default=names, metavar="SHAPE")
    parser.add_argument("--mb", type=float, default=18, help="size of each file (default: 18)")
    parser.add_argument("--write", type=Path, help="page whose figures are replaced")
    options = parser.parse_args()
    rows: list[str] = []
    transformed: dict[str, ShapeRun] = {}
    failed = False
    for shape in options.shapes:
        try:
            runs = list(_runs(shape, options.mb))
        except CommandFailed as error:
            print(f"{shape}: {error}", file=sys.stderr)
            failed = True
            continue
        transformed[shape] = runs[0]
        good = SHAPES[shape].good if shape in SHAPES else None
        rows += [runs[0].row(transformed.get(good or "")), *(run.row() for run in runs[1:])]
        print("\n".join(rows[-len(runs) :]), flush=True)
    about = "\n".join(f"- {name}: {value}" for name, value in facts().items())
    if options.write and not failed:
        replace_measured(options.write, "shapes", "\n".join([about, "", HEAD, *rows]))
    return int(failed)


def _runs(shape: str, megabytes: float) -> list[ShapeRun]:
    """One split through Transform, and the statistics of 40 such splits through Summarize."""
    with tempfile.TemporaryDirectory(prefix="shapes-") as folder:
        _worker("make", folder, shape.removesuffix(" as Parquet"), str(megabytes))
        parquet = shape.endswith("Parquet")
        transformed = measured_run(
            shape, "Transform", "transform", folder, "parquet" if parquet else "jsonl"
        )
        summarized = measured_run(
            f"{shape}, {_SPLITS} splits", "Summarize", "summarize", folder, str(_SPLITS)
        )
        return [transformed, summarized]


def measured_run(shape: str, function: str, *arguments: str) -> ShapeRun:
    """Do a function's work in a process with the function's memory."""
    limit_mb = memory_of(function)
    measured = _worker(*arguments, limit_bytes=limit_mb * 1024 * 1024)
    found = json.loads(measured.output)
    return ShapeRun(shape, function, limit_mb, measured.peak_bytes / 1e6, measured.seconds, found)


def _worker(*arguments: str, limit_bytes: int | None = None) -> Any:
    command = [sys.executable, "-m", "tests.benchmarks.shapes_worker", *arguments]
    paths = os.pathsep.join(["functions", *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {"POLARS_MAX_THREADS": "1", "PYTHONPATH": paths}
    return measure(command, environment=environment, limit_bytes=limit_bytes)


def memory_of(function: str) -> int:
    """A function's MemorySize in the template, in MB."""
    return read_deployed(Path("template.yaml"), {}).functions[f"{function}Function"].memory_mb


if __name__ == "__main__":
    sys.exit(main())
