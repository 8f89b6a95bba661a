"""The stamp of a part, which identifies the engine that made it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

import tabular
import transform.stamp


def test_the_engine_names_every_library_that_the_layer_holds() -> None:
    layer = Path(__file__).parents[3] / "layers/engine/requirements.txt"
    held = {
        line.partition("==")[0].split("[")[0]
        for line in layer.read_text().splitlines()
        if "==" in line
    }
    engine = transform.stamp.engine()
    # What Polars compiled is a package of its own, of Polars' version.
    assert {name for name in held if not name.startswith("polars-runtime")} <= engine.keys()
    assert engine["polars"] == version("polars")
    assert engine["orjson"] == version("orjson")


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "values" / "cells.py").write_text("pass"),
        lambda folder: (folder / "values" / "new.py").write_text(""),
        lambda folder: (folder / "values" / "cells.py").rename(folder / "values" / "sells.py"),
        lambda folder: (folder / "transform.py").unlink(),
    ],
    ids=["changed", "added", "renamed", "removed"],
)
def test_every_file_of_the_engine_is_in_its_code_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]
) -> None:
    copy = Path(shutil.copytree(tabular.__path__[0], tmp_path / "tabular"))
    monkeypatch.setattr(tabular, "__path__", [str(copy)])
    before = transform.stamp._code_version()
    change(copy)
    assert transform.stamp._code_version() != before
