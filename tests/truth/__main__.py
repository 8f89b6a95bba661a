"""Runs the scenarios on engines that are neither ours nor moto's, and compares: `make truth`.

Prints a table for each engine with the differences, and the scenarios that agree. Exit status: 0 if
all differences are known and still occur, and 1 if not. An engine that can't run here is skipped,
with the reason.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.truth.engine import Emulator, EngineError
from tests.truth.known import LOCALSTACK, MINISTACK
from tests.truth.localstack import LocalStack
from tests.truth.ministack import MiniStack
from tests.truth.runner import Runner
from tests.truth.scenarios import SPLIT_SIZE_BYTES, Scenario, scenarios
from tests.truth.verdicts import ComparedAspect, Known, compare, problems, summary

# So that a file passes every state.
PARAMETERS = {
    "ArchiveSource": "true",
    "GlueDatabase": "analytics",
    "SplitSizeBytes": str(SPLIT_SIZE_BYTES),
}


@dataclass(frozen=True)
class _Entry:
    """An engine that can be run: its environment's Python, and its known differences."""

    name: str
    python: Path
    known: tuple[Known, ...]
    start: Callable[[Path, Path, Mapping[str, str]], Emulator]
    skipped: str = ""
    """Why it can't be run, if it can't."""


def main() -> int:
    """Run all scenarios, or those whose name contains `--only`, on all engines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environments", type=Path, help="The folder of the engines' environments.")
    parser.add_argument("--only", default="", help="Run scenarios whose name contains this.")
    parser.add_argument("--engine", default="", help="Run only the engine of this name.")
    arguments = parser.parse_args()
    chosen = [one for one in scenarios() if arguments.only in one.name]
    if not chosen:
        print(f"No scenario's name contains {arguments.only!r}.")
        return 1
    entries = [
        one
        for one in _entries(arguments.environments.absolute())
        if arguments.engine.lower() in {"", one.name.lower()}
    ]
    if not entries:
        print(f"There is no engine {arguments.engine!r}.")
        return 1
    found: list[str] = []
    for entry in entries:
        if entry.skipped:
            print(f"Skipped {entry.name}: {entry.skipped}")
            continue
        try:
            found += _run(entry, chosen, whole=not arguments.only)
        except EngineError as error:
            found.append(f"{entry.name}: {error}")
    for problem in found:
        print(problem)
    return 1 if found else 0


def _entries(environments: Path) -> Iterator[_Entry]:
    openssl = "" if shutil.which("openssl") else "it makes its certificate with openssl."
    for name, known, start, lacking in (
        ("MiniStack", MINISTACK, MiniStack, openssl),
        ("LocalStack", LOCALSTACK, LocalStack, ""),
    ):
        python = environments / name.lower() / "bin" / "python"
        skipped = lacking if python.exists() else _NO_ENVIRONMENT.format(name.lower())
        yield _Entry(name, python, known, start, skipped)


_NO_ENVIRONMENT = (
    "it has no environment. It needs Python 3.13, which PYTHON313 names, and the packages of"
    " requirements/{}.txt."
)


def _run(entry: _Entry, chosen: Sequence[Scenario], *, whole: bool) -> list[str]:
    """Run scenarios on an engine and print how they compare; returns what is wrong."""
    verdicts: list[ComparedAspect] = []
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="truth-") as folder,
        entry.start(entry.python, Path(folder), PARAMETERS) as engine,
    ):
        runner = Runner(engine)
        for scenario in chosen:
            seen, resumed = runner.run(scenario)
            verdicts += compare(scenario.name, scenario.expected, seen, entry.known)
            if scenario.resumed is not None and resumed is not None:
                name = f"{scenario.name}: resumed"
                verdicts += compare(name, scenario.resumed, resumed, entry.known)
            print(f"{time.monotonic() - started:6.1f} s  {scenario.name}", file=sys.stderr)
        found = list(problems(verdicts, entry.known if whole else ()))
        # Some scenarios need no repair.
        found += engine.problems() if whole else []
    _print(entry.name, verdicts)
    print(f"{entry.name}: {summary(verdicts)}, after {time.monotonic() - started:.0f} s")
    return [f"{entry.name}: {one}" for one in found]


def _print(engine: str, verdicts: list[ComparedAspect]) -> None:
    table = Table(title=engine, title_justify="left")
    for column in ("scenario", "aspect", "expected", "seen", "verdict"):
        table.add_column(column, overflow="fold")
    names = list(dict.fromkeys(one.scenario for one in verdicts))
    for name in names:
        different = [one for one in verdicts if one.scenario == name and not one.agrees]
        if not different:
            table.add_row(name, "all", "", "", "agrees")
        for one in different:
            table.add_row(name, one.aspect, _text(one.expected), _text(one.seen), one.text)
    Console(width=160).print(table)


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


if __name__ == "__main__":
    sys.exit(main())
