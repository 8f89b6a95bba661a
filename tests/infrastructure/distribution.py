"""Builds the wheel of pipectl, and tries it in clean environments, for `make dist`.

The first environment has what the commands for a stack on AWS need, and neither moto nor Polars.
The second one has everything, from the pinned requirements, and processes a sample file.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from tests.infrastructure.deployed import ROOT

DIST = ROOT / "dist"
BIN = Path(sys.executable).parent
NOT_FOR_OPERATORS = ("moto", "polars", "orjson", "samtranslator", "yaml")


def build(folder: Path) -> Path:
    """Build the wheel into a folder, with the installed build backend; returns its path."""
    _run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT)
    (wheel,) = folder.glob("*.whl")
    return wheel


def missing_from(wheel: Path) -> list[str]:
    """The files of the stack that a wheel lacks; byte code and caches that it has."""
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "template.yaml", "samconfig.toml", *_FOLDERS],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    lacking = [name for name in tracked if f"pipectl/project/{name}" not in names]
    return lacking + [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


_FOLDERS = ("events", "functions", "layers", "statemachine")


def try_operators_part(wheel: Path, folder: Path) -> None:
    """Install the wheel without extras, and run what needs none."""
    python = _environment(folder, [str(wheel)])
    blocked = ", ".join(map(repr, NOT_FOR_OPERATORS))
    check = (
        "import importlib.util, pkgutil, importlib; "
        f"found = [n for n in ({blocked},) if importlib.util.find_spec(n)]; "
        "assert not found, found; import pipectl.commands as c; "
        "[importlib.import_module(f'pipectl.commands.{m.name}') for m in "
        "pkgutil.iter_modules(c.__path__)]"
    )
    _run([str(python), "-c", check], cwd=folder)
    sample = folder / "a.csv"
    sample.write_text("id,name\n1,a\n", encoding="utf-8")
    for words in (["--version"], ["doctor", "--offline"], ["check", str(sample)]):
        _run([str(python.parent / "pipectl"), *words], cwd=folder)


def try_everything(wheel: Path, folder: Path) -> None:
    """Install the wheel with the pinned requirements, and process the sample file."""
    requirements = str(ROOT / "requirements" / "run.txt")
    python = _environment(folder, ["--require-hashes", "-r", requirements])
    _run([str(BIN / "uv"), *_INSTALL, str(python), "--no-deps", str(wheel)], cwd=folder)
    project = subprocess.run(
        [str(python), "-c", "from pipectl.options import PROJECT; print(PROJECT)"],
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
        env=_environ(),
    ).stdout.strip()
    events = Path(project) / "events"
    pipectl = str(python.parent / "pipectl")
    contract = str(events / "orders.contract.json")
    _run([pipectl, "run", str(events / "orders-2026-02.csv"), "--contract", contract], cwd=folder)
    assert list(folder.glob("out/processed/orders/*.jsonl"))


_INSTALL = ("pip", "install", "--quiet", "--python")


def _environment(folder: Path, packages: Sequence[str]) -> Path:
    """A new virtual environment with these packages; returns its interpreter."""
    place = folder / "environment"
    _run([str(BIN / "uv"), "venv", "--quiet", "--python", sys.executable, str(place)], cwd=folder)
    python = place / "bin" / "python"
    _run([str(BIN / "uv"), *_INSTALL, str(python), *packages], cwd=folder)
    return python


def _environ() -> dict[str, str]:
    """The environment's variables without those that would find this repository's code."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def _run(command: Sequence[str], *, cwd: Path) -> None:
    subprocess.run(command, cwd=cwd, check=True, env=_environ())


def main() -> None:
    """Build into dist/ and try the wheel."""
    for old in DIST.glob("*.whl"):
        old.unlink()
    wheel = build(DIST)
    assert missing_from(wheel) == [], missing_from(wheel)
    for attempt in (try_operators_part, try_everything):
        with tempfile.TemporaryDirectory() as folder:
            attempt(wheel, Path(folder))
    sys.stdout.write(f"{wheel.relative_to(ROOT)} works in a clean environment.\n")


if __name__ == "__main__":
    main()
