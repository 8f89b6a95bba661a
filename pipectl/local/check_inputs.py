"""Finds the files that `pipectl check` reads: files, folders, patterns and standard input."""

from __future__ import annotations

import glob
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipectl.errors import UsageError

if TYPE_CHECKING:
    from tabular.file_names import IgnoredNames

STDIN = "-"
_STDIN_NAME = "stdin.csv"


@dataclass(frozen=True)
class Input:
    """A file to check, and its name in reports."""

    path: Path
    source: str


@dataclass(frozen=True)
class Inputs:
    """The files to check, and those of a folder that are left out, each with the reason."""

    files: tuple[Input, ...]
    left_out: tuple[tuple[str, str], ...]


@contextmanager
def opened_inputs(arguments: Sequence[str], ignored: IgnoredNames) -> Iterator[Inputs]:
    """Find the files that arguments name.

    A folder means the files below it that the pipeline would process, and a pattern such as
    `day/*.csv` the files that it matches. `-` is standard input, which is copied to a file that is
    deleted at the end. Raises UsageError if an argument names nothing.
    """
    files: list[Input] = []
    left_out: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory(prefix="pipectl-stdin-") as folder:
        for argument in arguments:
            if argument == STDIN:
                path = Path(folder) / _STDIN_NAME
                with path.open("wb") as copy:
                    shutil.copyfileobj(sys.stdin.buffer, copy)
                files.append(Input(path, STDIN))
            else:
                _add(argument, ignored, files, left_out)
        yield Inputs(tuple(files), tuple(left_out))


def _add(
    argument: str, ignored: IgnoredNames, files: list[Input], left_out: list[tuple[str, str]]
) -> None:
    path = Path(argument)
    if path.is_dir():
        _add_folder(path, ignored, files, left_out)
        return
    if path.exists():
        files.append(Input(path, argument))
        return
    # pathlib's own patterns are relative to a folder, and the argument may be absolute.
    found = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207
    if not found:
        raise UsageError(f"There is no file '{argument}', and no file matches it as a pattern.")
    files += [Input(Path(name), name) for name in found if not Path(name).is_dir()]


def _add_folder(
    folder: Path, ignored: IgnoredNames, files: list[Input], left_out: list[tuple[str, str]]
) -> None:
    from tabular.errors import UnsupportedFormat
    from tabular.file_names import check_name, why_ignored

    count = len(files)
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            continue
        below = path.relative_to(folder).as_posix()
        reason = why_ignored(below, path.stat().st_size, ignored)
        if reason is None:
            try:
                check_name(path.name)
            except UnsupportedFormat as error:
                reason = str(error)
        if reason is None:
            files.append(Input(path, str(path)))
        else:
            left_out.append((str(path), reason))
    if len(files) == count:
        raise UsageError(f"The folder '{folder}' has no file that the pipeline would process.")
