"""pipectl's wheel has the whole stack, and each part of it needs only what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.infrastructure import distribution
from tests.infrastructure.deployed import ROOT

# Refuses the import of what only the extras install, before anything is imported.
BLOCKER = f"""
import importlib, pkgutil, sys
blocked = {distribution.NOT_FOR_OPERATORS!r}
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return distribution.build(tmp_path_factory.mktemp("dist"))


def test_the_wheel_has_the_template_the_workflow_and_the_functions(wheel: Path) -> None:
    assert distribution.missing_from(wheel) == []


def without_extras(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BLOCKER + code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'functions'}"},
    )


# They check corrected rows with the engine before anything is uploaded.
WITH_ENGINE = {"pipectl.operate.correct_rows"}


def test_what_works_on_aws_imports_neither_moto_nor_polars() -> None:
    process = without_extras(f"""
for part in ("commands", "client", "operate", "scale"):
    package = importlib.import_module(f"pipectl.{{part}}")
    for module in pkgutil.iter_modules(package.__path__):
        name = f"pipectl.{{part}}.{{module.name}}"
        if name not in {WITH_ENGINE!r}:
            importlib.import_module(name)
""")
    assert (process.returncode, process.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "extra"),
    [(["stats"], "engine"), (["contract", "infer"], "engine"), (["run"], "local")],
)
def test_a_missing_extra_is_named(tmp_path: Path, words: list[str], extra: str) -> None:
    sample = tmp_path / "a.csv"
    sample.write_text("a\n1\n")
    code = "sys.argv[0] = 'pipectl'\nfrom pipectl.cli import main\nmain()\n"
    process = without_extras(code, *words, str(sample))
    assert process.returncode == 1
    assert f"pipx install 'csv-step-pipeline[{extra}]'" in process.stderr


@pytest.mark.long
def test_the_wheel_works_in_clean_environments(wheel: Path, tmp_path: Path) -> None:
    for attempt in (distribution.try_operators_part, distribution.try_everything):
        folder = tmp_path / attempt.__name__
        folder.mkdir()
        attempt(wheel, folder)


def test_the_shell_completes_commands() -> None:
    process = subprocess.run(
        [str(distribution.BIN / "pipectl")],
        env={
            **os.environ,
            "_PIPECTL_COMPLETE": "bash_complete",
            "COMP_WORDS": "pipectl contr",
            "COMP_CWORD": "1",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout == "plain,contract\n"
