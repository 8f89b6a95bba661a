"""The command: `python -m tests.benchmarks.splits`, large files split by split.

Files of several sizes on the disk are planned, and some of their splits measured and transformed,
each in a process of its own. Then a smaller file goes through the whole workflow on the embedded
AWS, in one split and in several. `--write PAGE` puts the tables between the page's marks.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from tabular.contract.descriptor import parse_contract
from tabular.reading.layout import Layout, read_layout
from tabular.reading.split import Split
from tabular.reading.splits import plan_splits
from tests.benchmarks.machine import facts
from tests.benchmarks.measure import measure
from tests.benchmarks.orders import CONTRACT, generate
from tests.benchmarks.splits_workflow import measure_workflow, workflow_table
from tests.benchmarks.tables import publish

_ROOT = Path(__file__).resolve().parents[2]
_HEAD_BYTES = 1024 * 1024
# The generated part of a large file, which is then repeated.
_GENERATED_MB = 100


@dataclass(frozen=True)
class Plan:
    """What planning took: the splits, the ranges read, their bytes, and seconds."""

    layout: Layout
    splits: list[Split]
    reads: int
    bytes_read: int
    seconds: float


def main() -> int:
    """Measure and print."""
    options = _parser().parse_args()
    tables = []
    with ExitStack() as stack:
        folder = options.data or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        if options.size_mb:
            tables += _large_files(folder, options.size_mb, options.split_mb)
        if options.workflow_mb:
            source = generate(folder, options.workflow_mb)
            rows = measure_workflow(source.path, options.splits, _say)
            tables.append(workflow_table(source.size, rows))
    publish("splits", facts(), tables, options.write)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.splits",
        description="Measure large files split by split, and a file through the whole workflow.",
        epilog="Example: python -m tests.benchmarks.splits --size-mb 500 --workflow-mb 0",
    )
    parser.add_argument(
        "--size-mb",
        type=float,
        nargs="*",
        default=[1000, 2000, 4000],
        help="sizes of the files on the disk in 10^6 bytes (default: 1000 2000 4000)",
    )
    parser.add_argument(
        "--split-mb", type=float, default=268.435456, help="split size in 10^6 bytes"
    )
    parser.add_argument(
        "--workflow-mb",
        type=float,
        default=300,
        help="size of the file that goes through the workflow, 0 for none (default: 300)",
    )
    parser.add_argument(
        "--splits",
        type=int,
        nargs="+",
        default=[1, 2, 4, 8],
        help="numbers of splits of that file (default: 1 2 4 8)",
    )
    parser.add_argument("--data", type=Path, help="keep the generated files in this folder")
    parser.add_argument("--write", type=Path, help="put the tables into this page")
    return parser


def _large_files(folder: Path, sizes: list[float], split_mb: float) -> list[str]:
    """Tables of planning, and of measuring and transforming some splits."""
    plans, steps = [], []
    for megabytes in sizes:
        source = _large_file(folder, megabytes)
        plan = _planned(source, int(split_mb * 1_000_000))
        plans.append(_plan_row(source, plan))
        _say(f"{source.name}: {len(plan.splits)} splits")
        layout = folder / "layout.json"
        layout.write_text(json.dumps(plan.layout.to_document()), encoding="utf-8")
        for split in _some(plan.splits):
            for step in ("measure", "transform"):
                steps.append(_step_row(source, layout, split, step))
                _say(steps[-1])
        source.unlink()
    return [
        "\n".join(
            [
                "| file (MB) | splits | ranges read | KB read | of them a split | ms |",
                "|---:|---:|---:|---:|---:|---:|",
                *plans,
            ]
        ),
        "\n".join(
            [
                "| file (MB) | split | step | MB read | seconds | CPU seconds | MB a CPU second "
                "| peak MB | output / input | statistics (KB) |",
                "|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|",
                *steps,
            ]
        ),
    ]


def _large_file(folder: Path, megabytes: float) -> Path:
    """Generated orders, repeated: the header once, then the same records again and again."""
    orders = generate(folder, min(megabytes, _GENERATED_MB))
    header, _, body = orders.path.read_bytes().partition(b"\n")
    path = folder / f"large-{megabytes:g}.csv"
    with path.open("wb") as file:
        file.write(header + b"\n")
        for _ in range(max(1, round(megabytes / _GENERATED_MB))):
            file.write(body)
    return path


def _planned(source: Path, split_bytes: int) -> Plan:
    with source.open("rb") as file:
        reads: list[int] = []

        def read_range(start: int, length: int) -> bytes:
            file.seek(start)
            reads.append(length)
            return file.read(length)

        layout = read_layout(
            file.read(_HEAD_BYTES),
            size=source.stat().st_size,
            name=source.name,
            contract=parse_contract(CONTRACT),
        )
        started = time.perf_counter()
        splits = plan_splits(layout, read_range, split_bytes=split_bytes)
        seconds = time.perf_counter() - started
    return Plan(layout, splits, len(reads), sum(reads), seconds)


def _some(splits: list[Split]) -> list[Split]:
    """The first split, one in the middle, and the last but one: the last may be a small rest."""
    return [splits[index] for index in sorted({0, len(splits) // 2, max(0, len(splits) - 2)})]


def _plan_row(source: Path, plan: Plan) -> str:
    return (
        f"| {source.stat().st_size / 1e6:,.0f} | {len(plan.splits)} | {plan.reads} "
        f"| {plan.bytes_read / 1e3:,.0f} | {plan.bytes_read / 1e3 / len(plan.splits):.0f} "
        f"| {plan.seconds * 1000:.1f} |"
    )


def _step_row(source: Path, layout: Path, split: Split, step: str) -> str:
    run = measure(
        [
            *(sys.executable, "-m", "tests.benchmarks.splits_worker"),
            *(step, str(source), str(layout), json.dumps(asdict(split))),
        ],
        environment={"PYTHONPATH": f"{_ROOT}:{_ROOT / 'functions'}", "POLARS_MAX_THREADS": "1"},
    )
    found = json.loads(run.output)
    size = (split.end or source.stat().st_size) - split.start
    outputs = ""
    if step == "transform":
        written = found["processed"] + found["rejected"] + found["corrections"]
        outputs = f"{written / size:.2f} | {found['statistics'] / 1e3:,.0f}"
    return (
        f"| {source.stat().st_size / 1e6:,.0f} | {split.index} | {step} "
        f"| {found['bytes_read'] / 1e6:.1f} | {found['seconds']:.2f} "
        f"| {found['processor_seconds']:.2f} | {size / 1e6 / found['processor_seconds']:.1f} "
        f"| {run.peak_bytes / 1e6:,.0f} | {outputs or '|'} |"
    )


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
