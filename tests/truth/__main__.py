"""Runs the scenarios on MiniStack and compares: `make truth`.

Prints a table of the differences, and of the scenarios that agree. Exit status: 0 if all
differences are known and still occur, 1 if not, and 0 with the reason where MiniStack can't run.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.truth.known import MINISTACK
from tests.truth.ministack import BUILT, EngineError, MiniStack
from tests.truth.runner import Runner
from tests.truth.scenarios import SPLIT_SIZE_BYTES, scenarios
from tests.truth.verdicts import ComparedAspect, compare, problems

# So that a file passes every state.
PARAMETERS = {
    "ArchiveSource": "true",
    "GlueDatabase": "analytics",
    "SplitSizeBytes": str(SPLIT_SIZE_BYTES),
}


def main() -> int:
    """Run all scenarios, or those whose name contains `--only`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", type=Path, help="The Python of MiniStack's environment.")
    parser.add_argument("--only", default="", help="Run scenarios whose name contains this.")
    arguments = parser.parse_args()
    if not arguments.python.exists():
        print(f"Skipped: {arguments.python} does not exist; MiniStack runs on Python 3.13.")
        return 0
    if not BUILT.is_dir():
        print("There is no built stack; `make truth` builds it.")
        return 1
    if shutil.which("openssl") is None:
        print("Skipped: MiniStack makes its certificate with openssl, which is not installed.")
        return 0
    chosen = [one for one in scenarios() if arguments.only in one.name]
    if not chosen:
        print(f"No scenario's name contains {arguments.only!r}.")
        return 1
    verdicts: list[ComparedAspect] = []
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="truth-") as folder:
        engine = MiniStack(arguments.python.absolute(), Path(folder), PARAMETERS)
        with engine:
            runner = Runner(engine)
            for scenario in chosen:
                seen, resumed = runner.run(scenario)
                known = MINISTACK
                verdicts += compare(scenario.name, scenario.expected, seen, known)
                if scenario.resumed is not None and resumed is not None:
                    name = f"{scenario.name}: resumed"
                    verdicts += compare(name, scenario.resumed, resumed, known)
                print(f"{time.monotonic() - started:6.1f} s  {scenario.name}", file=sys.stderr)
        found = list(problems(verdicts, MINISTACK if not arguments.only else ()))
        if not engine.repaired.exists():
            found.append("MiniStack answers ranges of versions now: remove start_ministack.py")
    _print(verdicts)
    for problem in found:
        print(problem)
    return 1 if found else 0


def _print(verdicts: list[ComparedAspect]) -> None:
    table = Table(title="MiniStack", title_justify="left")
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
    try:
        sys.exit(main())
    except EngineError as error:
        sys.exit(str(error))
