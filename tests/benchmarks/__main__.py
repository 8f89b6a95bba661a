"""The command: `python -m tests.benchmarks`."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.comparison import Comparison, NotTheSame
from tests.benchmarks.engines import ENGINES
from tests.benchmarks.machine import OtherWork, facts
from tests.benchmarks.tables import cold_table, publish, warm_table

WARM_MEGABYTES = 0.1


def main() -> int:
    """Measure, check, print: 0, or 1 where engines disagree."""
    options = _parser().parse_args()
    engines = [engine for engine in ENGINES if engine.name in options.engines]
    other_work = OtherWork()
    with ExitStack() as stack:
        folder = options.data or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        # Engines start from bytecode, as installed packages do, whatever this shell forbids.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str((folder / "bytecode").resolve())
        comparison = Comparison(engines, folder, log=_say)
        try:
            cold = [
                comparison.cold(size, options.rounds if size < options.large else 1)
                for size in options.size_mb
            ]
            warm = comparison.warm(WARM_MEGABYTES) if options.warm else None
        except NotTheSame as error:
            _say(f"The engines disagree, so there are no times: {error}")
            return 1
    machine = facts() | {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "other work at the time": f"{other_work.cores():.2f} cores busy on average",
    }
    if options.json:
        sizes = [table.to_document() for table in cold]
        document = {"machine": machine, "sizes": sizes, "warm": warm and warm.to_document()}
        print(json.dumps(document, indent=2))
        return 0
    tables = [cold_table(table) for table in cold] + ([warm_table(warm)] if warm else [])
    publish("engines", machine, tables, options.write)
    return 0


def _parser() -> argparse.ArgumentParser:
    names = [engine.name for engine in ENGINES]
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Measure the CSV engine against others, interleaved, each in its own process.",
        epilog="Example: python -m tests.benchmarks --size-mb 20 --engines stdlib miller",
    )
    parser.add_argument(
        "--size-mb",
        type=float,
        nargs="+",
        default=[100, 1000],
        help="sizes of the generated files in 10^6 bytes (default: 100 1000)",
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="runs of every engine, of which the median counts"
    )
    parser.add_argument(
        "--large",
        type=float,
        default=500,
        metavar="MB",
        help="files from this size on are run once (default: 500)",
    )
    parser.add_argument(
        "--engines", nargs="+", choices=names, default=names, help="only these engines"
    )
    parser.add_argument("--no-warm", dest="warm", action="store_false", help="leave out 100 KB")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument(
        "--write", type=Path, metavar="PAGE", help="also put the tables between the marks of a page"
    )
    parser.add_argument("--data", type=Path, help="keep the generated files in this folder")
    return parser


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
