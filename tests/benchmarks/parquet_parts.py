"""The command: `python -m tests.benchmarks.parquet_parts`, what one Parquet object of many costs.

A part is written once, and the footer of a file of many such parts composed, in a process of its
own. Then each reader reads that footer. S3 is not part of it: `WriteOutput` reads the end of each
part with one request, 32 at a time, and S3 copies the parts as it does for JSON Lines.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from tabular.writing.output_format import Excerpt
from tabular.writing.parquet_footer import compose_footer, read_footer
from tests.benchmarks.machine import facts
from tests.benchmarks.measure import measure
from tests.benchmarks.tables import publish

_ROOT = Path(__file__).resolve().parents[2]
_ROWS = 100
# Larger offsets, as real parts have, take more bytes than those of a part of 100 rows.
_PART_BYTES = 64_000_000
READERS = ("polars", "pyarrow", "duckdb")


def main() -> int:
    """Measure and print."""
    options = _parser().parse_args()
    if options.step:
        step, folder, *rest = options.step
        print(json.dumps(_STEPS[step](Path(folder), *rest)))
        return 0
    rows = [_row(splits, columns) for columns in options.columns for splits in options.splits]
    table = "\n".join(
        [
            "| splits | columns | footer (MB) | compose (CPU s) | peak MB | "
            + " | ".join(f"{reader} (CPU s)" for reader in READERS)
            + " |",
            "|---:|---:|---:|---:|---:|" + "---:|" * len(READERS),
            *rows,
        ]
    )
    publish("parquet parts", facts(), [table], options.write)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.parquet_parts",
        description="Measure how long it takes to make one Parquet file of many parts.",
        epilog="Example: python -m tests.benchmarks.parquet_parts --splits 10 100 --columns 11",
    )
    parser.add_argument(
        "--splits",
        type=int,
        nargs="+",
        default=[10, 100, 1000, 9999],
        help="numbers of parts, of one row group each (default: 10 100 1000 9999)",
    )
    parser.add_argument(
        "--columns",
        type=int,
        nargs="+",
        default=[11, 200],
        help="numbers of columns, half of them text (default: 11 200)",
    )
    parser.add_argument("--write", type=Path, help="put the table into this page")
    parser.add_argument("--step", nargs="+", help=argparse.SUPPRESS)
    return parser


def _row(splits: int, columns: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        _step("part", folder, columns)
        seconds, peak, footer_bytes = _step("compose", folder, splits)
        readers = [f"{_step(reader, folder)[0]:.2f}" for reader in READERS]
    print(f"{splits} splits, {columns} columns: {seconds:.2f} s", file=sys.stderr, flush=True)
    return (
        f"| {splits:,} | {columns} | {footer_bytes / 1e6:,.2f} | {seconds:.2f} "
        f"| {peak / 1e6:,.0f} | {' | '.join(readers)} |"
    )


def _step(name: str, folder: str, *rest: int) -> tuple[float, int, int]:
    """Processor seconds of the step, peak memory of its process, and the footer's bytes."""
    command = [sys.executable, "-m", "tests.benchmarks.parquet_parts", "--step", name, folder]
    run = measure(
        [*command, *map(str, rest)],
        environment={"PYTHONPATH": f"{_ROOT}:{_ROOT / 'functions'}"},
    )
    found = json.loads(run.output)
    return found["seconds"], run.peak_bytes, found.get("footer_bytes", 0)


# What a step does not need isn't imported: its memory would count.


def _write_part(folder: Path, columns: str) -> dict[str, float]:
    polars = import_module("polars")
    texts = [f"{number} is some text" for number in range(_ROWS)]
    frame = polars.DataFrame(
        {
            f"column_{number}": texts if number % 2 else list(range(number, number + _ROWS))
            for number in range(int(columns))
        }
    )
    started = time.process_time()
    frame.write_parquet(folder / "part.parquet")
    return {"seconds": time.process_time() - started}


def _compose(folder: Path, splits: str) -> dict[str, float]:
    part = (folder / "part.parquet").read_bytes()

    def excerpts() -> Iterator[Excerpt]:
        for _ in range(int(splits)):
            footer = read_footer(len(part), lambda at, length: part[at : at + length])
            yield Excerpt(_PART_BYTES, footer)

    started = time.process_time()
    tail = compose_footer(excerpts())
    seconds = time.process_time() - started
    (folder / "composed.parquet").write_bytes(b"PAR1" + tail)
    return {"seconds": seconds, "footer_bytes": len(tail)}


def _polars(folder: Path) -> dict[str, float]:
    polars = import_module("polars")
    started = time.process_time()
    polars.scan_parquet(folder / "composed.parquet").select(polars.len()).collect()
    return {"seconds": time.process_time() - started}


def _pyarrow(folder: Path) -> dict[str, float]:
    parquet = import_module("pyarrow.parquet")
    started = time.process_time()
    parquet.read_metadata(folder / "composed.parquet")
    return {"seconds": time.process_time() - started}


def _duckdb(folder: Path) -> dict[str, float]:
    duckdb = import_module("duckdb")
    started = time.process_time()
    duckdb.execute(f"SELECT count(*) FROM '{folder / 'composed.parquet'}'").fetchall()
    return {"seconds": time.process_time() - started}


_STEPS: dict[str, Callable[..., dict[str, float]]] = {
    "part": _write_part,
    "compose": _compose,
    "polars": _polars,
    "pyarrow": _pyarrow,
    "duckdb": _duckdb,
}


if __name__ == "__main__":
    sys.exit(main())
