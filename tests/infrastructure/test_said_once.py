"""Knowledge that belongs to one module of `shared` is written there and nowhere else."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.infrastructure.deployed import ROOT

# What a text must not contain -> the module that knows it. Texts with a space are sentences and
# examples for people, which may name a key.
KNOWN_BY = {
    r"^(raw|contracts|work|processed|rejected|reports)/(?!\S*\s)": "functions/shared/keys.py",
    r":execution:": "functions/shared/executions.py",
    r"^eventTime$": "functions/shared/sources.py",
    r"^(States|Lambda|Sandbox|Runtime|Function|Extension)\.$": "functions/shared/errors.py",
    r"-index$": "functions/shared/metadata.py",
}
# Its texts are AWS's own formats, not the pipeline's.
EMULATOR = ROOT / "pipectl" / "embedded"


@cache
def texts(path: Path) -> tuple[str, ...]:
    """The string constants of a module, and the beginnings of its f-strings; no docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return tuple(
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in statements
    )


@pytest.mark.parametrize(("text", "place"), KNOWN_BY.items())
def test_it_is_written_in_one_module(text: str, place: str) -> None:
    modules = [*(ROOT / "functions").rglob("*.py"), *(ROOT / "pipectl").rglob("*.py")]
    found = {
        str(path.relative_to(ROOT))
        for path in modules
        if EMULATOR not in path.parents and any(re.search(text, one) for one in texts(path))
    }
    assert found == {place}
