"""The command: `python -m tests.fuzz`, or `make fuzz MINUTES=5`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from random import Random

from tests.fuzz.case import CORPUS, Case
from tests.fuzz.check import problem
from tests.fuzz.draw import draw
from tests.fuzz.minimise import minimise

_KIND_CHARACTERS = 40


def main() -> int:
    """Draw, read and compare cases; returns 0, or 1 if a difference was found."""
    options = _parser().parse_args()
    seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(4))
    deadline = time.monotonic() + 60 * options.minutes
    found = set()
    number = 0
    while number == 0 or (time.monotonic() < deadline and options.seed is None):
        case = draw(Random(seed + number))
        text = problem(case)
        if text is not None and _kind(text) not in found:
            found.add(_kind(text))
            _report(seed + number, case, text, options.corpus)
        number += 1
    print(f"{number} cases from seed {seed} on: {len(found)} kinds of problems")
    return 1 if found else 0


def _report(seed: int, case: Case, text: str, corpus: Path) -> None:
    kind = _kind(text)
    small = minimise(case, lambda smaller: _kind(problem(smaller)) == kind)
    corpus.mkdir(parents=True, exist_ok=True)
    path = corpus / f"{seed}.json"
    path.write_text(small.to_text())
    print(f"seed {seed}, minimised in {path}:\n{problem(small)}\n{small.to_text()}", flush=True)


def _kind(text: str | None) -> str | None:
    """A key that problems with the same cause probably share."""
    return text and text.strip().splitlines()[-1][:_KIND_CHARACTERS]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description="Read random files with the engine and with an independent reader.",
        epilog="Exit status: 0 if they agree, 1 if not. A found case is minimised and written into "
        "the corpus, which `make test` reads.",
    )
    parser.add_argument("--minutes", type=float, default=5, help="how long to draw (default: 5)")
    parser.add_argument("--seed", type=int, help="draw the case of this seed alone, as printed")
    parser.add_argument(
        "--corpus", type=Path, default=CORPUS, help="folder for found cases (default: the tests')"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
