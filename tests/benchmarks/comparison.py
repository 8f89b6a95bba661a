"""Runs engines in turns on the same file, and compares their results before their times count."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.measure import measure, touch_memory
from tests.benchmarks.orders import generate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.benchmarks.engines import Engine
    from tests.benchmarks.measure import Measurement
    from tests.benchmarks.orders import Orders

_ROOT = Path(__file__).resolve().parents[2]
_WARM_REPEATS = 25
_WARM_UP = 5  # repetitions before an engine counts as warm
_DIGITS = 1e-12  # sums of doubles in another order agree that far


class NotTheSame(Exception):
    """An engine's counts differ from those that the generator wrote."""


@dataclass
class ComparisonRow:
    """One engine's runs."""

    engine: Engine
    megabytes: float
    skipped: str | None = None
    runs: list[Measurement] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The median wall time, from the process's start to its end."""
        return statistics.median(run.seconds for run in self.runs)

    @property
    def processor_seconds(self) -> float:
        """The median processor time of all its processes."""
        return statistics.median(run.processor_seconds for run in self.runs)

    @property
    def rate(self) -> float:
        """Megabytes (10^6 bytes) of the CSV a second."""
        return self.megabytes / self.seconds

    @property
    def processor_rate(self) -> float:
        """Megabytes (10^6 bytes) of the CSV a second of processor time."""
        return self.megabytes / self.processor_seconds

    @property
    def peak_megabytes(self) -> float:
        """The largest memory (10^6 bytes) of all its processes together in any run."""
        return max(run.peak_bytes for run in self.runs) / 1e6

    def to_document(self) -> dict[str, Any]:
        """JSON-able: medians, and the seconds of each run."""
        about = {"engine": self.engine.name, "work": self.engine.work, "megabytes": self.megabytes}
        if self.skipped:
            return about | {"skipped": self.skipped}
        return about | {
            "seconds": self.seconds,
            "processor_seconds": self.processor_seconds,
            "megabytes_a_second": self.rate,
            "peak_megabytes": self.peak_megabytes,
            "runs": [run.seconds for run in self.runs],
        }


@dataclass
class ColdTable:
    """All engines on one size."""

    orders: Orders
    rounds: int
    rows: list[ComparisonRow]

    def to_document(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "bytes": self.orders.size,
            "records": self.orders.records,
            "rejected": self.orders.rejected,
            "rounds": self.rounds,
            "engines": [row.to_document() for row in self.rows],
        }


@dataclass
class WarmTable:
    """Median milliseconds of engines on a small file, in a process that has run them before."""

    orders: Orders
    milliseconds: dict[str, float]

    def to_document(self) -> dict[str, Any]:
        """JSON-able."""
        about = asdict(self.orders)
        return {key: about[key] for key in ("size", "records")} | {
            "milliseconds": self.milliseconds
        }


class Comparison:
    """Generates the files and runs the engines on them."""

    def __init__(
        self, engines: Sequence[Engine], folder: Path, *, log: Callable[[str], None]
    ) -> None:
        self._engines = engines
        self._folder = folder
        self._log = log
        self._files: dict[float, Orders] = {}

    def cold(self, megabytes: float, rounds: int) -> ColdTable:
        """Run every engine `rounds` times, in turns, beginning with another one each round.

        Raises NotTheSame, and CommandFailed where an engine breaks.
        """
        rows = [self._row(engine, megabytes) for engine in self._engines]
        able = [row for row in rows if not row.skipped]
        for number in range(rounds):
            for row in able[number % len(able) :] + able[: number % len(able)]:
                run = self._run(row.engine, self._orders(row.megabytes))
                row.runs.append(run)
                self._log(f"round {number + 1}: {row.engine.name} {run.seconds:.2f} s")
        for row in able:
            row.megabytes = self._orders(row.megabytes).size / 1e6
        return ColdTable(self._orders(megabytes), rounds, rows)

    def warm(self, megabytes: float) -> WarmTable:
        """Run the engines that take part again and again in one process each."""
        orders = self._orders(megabytes)
        milliseconds = {}
        for engine in self._engines:
            if engine.warm and not engine.missing():
                run = self._run(engine, orders, repeat=_WARM_REPEATS)
                seconds = json.loads(run.output)["seconds"][_WARM_UP:]
                milliseconds[engine.name] = statistics.median(seconds) * 1000
        return WarmTable(orders, milliseconds)

    def _row(self, engine: Engine, megabytes: float) -> ComparisonRow:
        size = min(megabytes, engine.own_megabytes or megabytes)
        skipped = engine.missing()
        available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e6
        if engine.memory_factor * size > available:
            skipped = f"would need some {engine.memory_factor * size / 1000:.0f} GB of memory"
        return ComparisonRow(engine, size, skipped)

    def _orders(self, megabytes: float) -> Orders:
        if megabytes not in self._files:
            self._log(f"generating {megabytes:g} MB")
            self._files[megabytes] = generate(self._folder, megabytes)
        return self._files[megabytes]

    def _run(self, engine: Engine, orders: Orders, *, repeat: int = 1) -> Measurement:
        """One measured run. Its outputs are on the disk of the data, and are thrown away."""
        touch_memory()
        with tempfile.TemporaryDirectory(dir=self._folder) as out:
            run = measure(
                engine.start(orders, Path(out), repeat=repeat),
                environment={
                    **engine.environment,
                    "PYTHONPATH": f"{_ROOT}{os.pathsep}{_ROOT / 'functions'}",
                },
                stdout=Path(out) / "records.jsonl" if engine.command else None,
            )
        if engine.validates:
            _check(engine, orders, json.loads(run.output))
        return run


def _check(engine: Engine, orders: Orders, found: dict[str, Any]) -> None:
    for what, expected in (("processed", orders.processed), ("rejected", orders.rejected)):
        if found[what] != expected:
            raise NotTheSame(
                f"{engine.name} says {found[what]} records {what} of {orders.path.name}, "
                f"there are {expected}."
            )
    amount = found["amount"]
    if amount is not None and abs(amount - float(orders.amount)) > _DIGITS * float(orders.amount):
        raise NotTheSame(
            f"{engine.name} sums the amounts of {orders.path.name} up to {amount}, "
            f"the sum is {orders.amount}."
        )
