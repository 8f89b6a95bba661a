"""A package has the same bytes wherever it is built, so that only changes are deployed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.infrastructure.deployed import ROOT

# Folders of different depth and length, and what their owners keep from others.
PLACES = {"a": 0o022, "some/one else's/checkout": 0o077}


def build(place: Path, umask: int, source: str, target: str) -> Path:
    """Run a build target in a copy of its folder, as `sam build` does; returns what it built."""
    shutil.copytree(
        ROOT / source, place / "code", ignore=shutil.ignore_patterns("__pycache__", ".*_cache")
    )
    package = place / "package"
    package.mkdir()
    subprocess.run(
        ["make", f"build-{target}"],
        cwd=place / "code",
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
            "ARTIFACTS_DIR": str(package),
            "UV": str(Path(sys.executable).with_name("uv")),
        },
        umask=umask,
        check=True,
    )
    return package


def contents(package: Path) -> dict[str, tuple[int, bytes]]:
    """Mode and bytes of each file, by its path in the package."""
    return {
        str(path.relative_to(package)): (path.stat().st_mode, path.read_bytes())
        for path in package.rglob("*")
        if path.is_file()
    }


def differences(tmp_path: Path, source: str, target: str) -> list[str]:
    here, there = (
        contents(build(tmp_path / place, umask, source, target)) for place, umask in PLACES.items()
    )
    assert len(here) > 100
    return sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))


def test_a_function_has_the_same_bytes_from_every_checkout(tmp_path: Path) -> None:
    assert differences(tmp_path, "functions", "NotifyFunction") == []


@pytest.mark.long  # 165 MB, twice
def test_the_layer_has_the_same_bytes_from_every_checkout(tmp_path: Path) -> None:
    assert differences(tmp_path, "layers/engine", "EngineLayer") == []
