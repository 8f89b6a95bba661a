"""A class name means one thing: in the deployed code, in the command, and in the tests' helpers."""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache

import pytest

from tests.infrastructure.deployed import ROOT

# Names that several classes have, and why no reader takes one for another.
SHARED_NAMES = {
    "Settings": "each function's environment, in the app.py that reads it",
}


@cache
def places_of_classes() -> dict[str, set[str]]:
    """The modules that define each public class; those of test modules are local and left out."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for folder in ("functions", "pipectl", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.name.startswith("test_"):
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    found[node.name].add(str(path.relative_to(ROOT)))
    return dict(found)


def test_every_class_has_a_name_of_its_own() -> None:
    places_of = places_of_classes()
    several = {name: sorted(places) for name, places in places_of.items() if len(places) > 1}
    assert {name: places for name, places in several.items() if name not in SHARED_NAMES} == {}


@pytest.mark.parametrize("name", SHARED_NAMES)
def test_a_shared_name_is_still_shared(name: str) -> None:
    assert len(places_of_classes()[name]) > 1
