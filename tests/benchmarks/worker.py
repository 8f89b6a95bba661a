"""Runs one engine in a process of its own: `python -m tests.benchmarks.worker ENGINE ...`.

It prints one JSON object: what the run found, and the seconds of each repetition, in which the
interpreter's start and the imports are not counted.
"""

from __future__ import annotations

import argparse
import importlib
import json
import tempfile
import time
from pathlib import Path


def main() -> None:
    """Run the engine as often as asked, each time into a fresh folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module", help="a module of tests.benchmarks.runs")
    parser.add_argument("source", type=Path)
    parser.add_argument("contract", type=Path)
    parser.add_argument("out", type=Path, help="the folder that outputs go into")
    parser.add_argument("--repeat", type=int, default=1)
    options = parser.parse_args()
    engine = importlib.import_module(f"tests.benchmarks.runs.{options.module}")
    seconds = []
    for _ in range(options.repeat):
        with tempfile.TemporaryDirectory(dir=options.out) as folder:
            started = time.perf_counter()
            result = engine.run(options.source, options.contract, Path(folder))
            seconds.append(time.perf_counter() - started)
    print(json.dumps({**result._asdict(), "seconds": seconds}))


if __name__ == "__main__":
    main()
