"""The engines that are compared: how each is started, and the work that it does."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.benchmarks.orders import Orders

_ONE_THREAD = {"POLARS_MAX_THREADS": "1"}
_TWO_THREADS = {"POLARS_MAX_THREADS": "2"}


@dataclass(frozen=True)
class Engine:
    """One competitor: a module of `runs`, or a command of its own.

    `work` says in a few words what it does. Those that `validates` must agree on the counts.
    `memory_factor` is how many times the file's size it needs in memory, where it holds it whole;
    `own_megabytes` the size it is measured on where the common one would take too long. `warm`
    engines also take part in the comparison on a small file.
    """

    name: str
    work: str
    module: str | None = None
    command: tuple[str, ...] = ()
    validates: bool = False
    memory_factor: float = 0
    own_megabytes: float | None = None
    warm: bool = False
    needs: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def missing(self) -> str | None:
        """What is not installed, or None if the engine can run."""
        if self.command and not shutil.which(self.command[0]):
            return f"{self.command[0]} is not installed"
        if self.needs and not importlib.util.find_spec(self.needs):
            return f"{self.needs} is not installed"
        return None

    def start(self, orders: Orders, out: Path, *, repeat: int = 1) -> list[str]:
        """The command line that reads `orders` and writes into the folder `out`."""
        if self.command:
            return [*self.command, str(orders.path)]
        worker = [sys.executable, "-m", "tests.benchmarks.worker", str(self.module)]
        paths = [str(orders.path), str(orders.contract_path), str(out)]
        return [*worker, *paths, "--repeat", str(repeat)]


ENGINES = (
    Engine(
        name="engine-1",
        work="this engine, 1 process: everything",
        module="whole_engine",
        validates=True,
        warm=True,
        environment=_ONE_THREAD,
    ),
    Engine(
        name="engine-2",
        work="this engine, 2 processes: everything",
        module="two_processes",
        validates=True,
        environment=_ONE_THREAD,
    ),
    Engine(
        name="reference",
        work="the reference's algorithm: whole file as dicts, no contract",
        module="reference",
        memory_factor=50,
        warm=True,
    ),
    Engine(
        name="stdlib",
        work="csv.reader and orjson, streaming: everything",
        module="stdlib_csv",
        validates=True,
        warm=True,
    ),
    Engine(
        name="pandas",
        work="pandas in chunks: everything, flat records",
        module="pandas_csv",
        validates=True,
        needs="pandas",
    ),
    Engine(
        name="duckdb",
        work="DuckDB, 2 threads: everything but lines and raw text of broken rules",
        module="duckdb_csv",
        validates=True,
        needs="duckdb",
    ),
    Engine(
        name="frictionless",
        work="frictionless: validation alone",
        module="frictionless_csv",
        validates=True,
        own_megabytes=10,
        needs="frictionless",
    ),
    Engine(
        name="miller",
        work="mlr --icsv --ojsonl cat: conversion alone",
        command=("mlr", "--icsv", "--ojsonl", "--allow-ragged-csv-input", "cat"),
    ),
    Engine(
        name="polars",
        work="polars scan_csv to sink_ndjson, 2 threads: conversion alone",
        module="polars_bare",
        environment=_TWO_THREADS,
    ),
)
