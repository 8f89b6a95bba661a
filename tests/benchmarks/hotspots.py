"""Where the engine's time goes: `python -m tests.benchmarks.hotspots`.

A thread looks every millisecond at which function of the engine the main thread is in; time that
Polars or the standard library take counts for the engine's function that called them. The table is
by module, and by function within it. One process; set POLARS_MAX_THREADS as you would measure.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.orders import generate
from tests.benchmarks.runs import whole_engine
from tests.benchmarks.tables import replace_measured

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_INTERVAL = 0.001
_PACKAGE = "/tabular/"
_SHOWN_SHARE = 0.01


def main() -> None:
    """Run the engine once to warm up and once more under observation, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size-mb", type=float, default=100)
    parser.add_argument(
        "--write", type=Path, metavar="PAGE", help="also put the table between the marks of a page"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        orders = generate(folder, options.size_mb)
        whole_engine.run(orders.path, orders.contract_path, folder)
        with sampled() as found:
            whole_engine.run(orders.path, orders.contract_path, folder)
    table = "\n".join(_table(found))
    print(table)
    if options.write:
        replace_measured(options.write, "hotspots", table)


@contextmanager
def sampled() -> Iterator[Counter[tuple[str, str]]]:
    """Sample the present thread inside the block; counts the functions in which it was found."""
    found: Counter[tuple[str, str]] = Counter()
    ended = threading.Event()

    def watch(watched: int) -> None:
        while not ended.wait(_INTERVAL):
            found[_place(sys._current_frames().get(watched))] += 1

    thread = threading.Thread(target=watch, args=[threading.get_ident()])
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def _place(frame: FrameType | None) -> tuple[str, str]:
    """The module and function of the engine that the frame is in, or was called from."""
    while frame is not None:
        code = frame.f_code
        if _PACKAGE in code.co_filename:
            return Path(code.co_filename).stem, code.co_qualname
        frame = frame.f_back
    return "(outside)", ""


def _table(found: Counter[tuple[str, str]]) -> list[str]:
    total = found.total()
    modules: Counter[str] = Counter()
    for (module, _), samples in found.items():
        modules[module] += samples
    lines = ["| share | module | functions |", "|---:|---|---|"]
    for module, samples in modules.most_common():
        functions = [
            f"{function} {count / total:.0%}"
            for (name, function), count in found.most_common()
            if name == module and count >= total * _SHOWN_SHARE
        ]
        if samples >= total * _SHOWN_SHARE:
            lines.append(f"| {samples / total:.0%} | {module} | {', '.join(functions)} |")
    return lines


if __name__ == "__main__":
    main()
