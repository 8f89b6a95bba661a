"""Measures how many columns `pipectl contract infer` types as a careful person would.

`python -m tests.benchmarks.infer` reads the files of `infer_files`; with `--folder DIR --truth
FILE.json` also those of a folder, whose truth is a document {file: {column: type or [types]}}.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pipectl.local.infer.file_reading import FileSample
from pipectl.local.infer.inference import Options, infer_contract
from tabular.errors import TabularError
from tests.benchmarks.infer_files import KnownFile, known_files

if TYPE_CHECKING:
    from tests.benchmarks.infer_files import Truth

LEAST_SHARE = 0.95
TODAY = date(2026, 11, 26)
"""Decides which two-digit years would be in the future."""
_SAMPLE_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class InferResult:
    """How a file was typed; each wrong column is (name, what was found, what is right)."""

    name: str
    columns: int
    wrong: tuple[tuple[str, str, str], ...]

    @property
    def right(self) -> int:
        """The number of columns that are typed as they should be."""
        return self.columns - len(self.wrong)


def result_of(known: KnownFile) -> InferResult:
    """Infer a contract of a file and compare it with the truth."""
    sample = FileSample(known.name, known.content[:_SAMPLE_BYTES], len(known.content))
    try:
        inference = infer_contract([sample], Options(today=TODAY))
        found = {column.name: column.type for column in inference.columns}
    except TabularError as error:
        found = dict.fromkeys(known.truth, f"{type(error).__name__}: {error}")
    wrong = [
        (name, found.get(name, "no such column"), " or ".join(_accepted(truth)))
        for name, truth in known.truth.items()
        if found.get(name) not in _accepted(truth)
    ]
    return InferResult(known.name, len(known.truth), tuple(wrong))


def share(results: Sequence[InferResult]) -> float:
    """The share of all columns that are typed as they should be."""
    return sum(result.right for result in results) / sum(result.columns for result in results)


def files_of(folder: Path, truths: Mapping[str, Mapping[str, Truth]]) -> Iterable[KnownFile]:
    """The files of a folder whose truth is known."""
    for name, truth in truths.items():
        yield KnownFile(name, (folder / name).read_bytes(), truth)


def _accepted(truth: Truth) -> tuple[str, ...]:
    return (truth,) if isinstance(truth, str) else tuple(truth)


def _show(title: str, results: Sequence[InferResult]) -> None:
    for result in results:
        sys.stdout.write(f"{result.name:<28} {result.right:>3} of {result.columns:>3}\n")
        for name, found, right in result.wrong:
            sys.stdout.write(f"    {name}: {found}, not {right}\n")
    total = sum(result.columns for result in results)
    matching = sum(result.right for result in results)
    sys.stdout.write(
        f"{title}: {matching} of {total} columns of {len(results)} files are right "
        f"({share(results):.1%})\n\n"
    )


def main() -> int:
    """Print the share of each set of files; exit status 1 if one is below 95%."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="folder with further files")
    parser.add_argument("--truth", type=Path, help="their columns' types, as JSON")
    arguments = parser.parse_args()
    sets = {"Files of known truth": [result_of(known) for known in known_files()]}
    if arguments.folder and arguments.truth:
        truths = json.loads(arguments.truth.read_text(encoding="utf-8"))
        sets["Files of the folder"] = [
            result_of(known) for known in files_of(arguments.folder, truths)
        ]
    for title, results in sets.items():
        _show(title, results)
    return int(any(share(results) < LEAST_SHARE for results in sets.values()))


if __name__ == "__main__":
    sys.exit(main())
