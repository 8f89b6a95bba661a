"""The imports between the project's modules: which may import which, without cycles."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
SOURCES = {"functions": PROJECT / "functions", "pipectl": PROJECT}
STEPS = {path.parent.name for path in (PROJECT / "functions").glob("*/app.py")}

# Lower layers first: a subpackage may import those before it, and itself. Other modules directly in
# `tabular` are the lowest layer.
TABULAR_LAYERS = ("statistics", "values", "contract", "reading", "writing")
TABULAR_TOP = {"uniqueness", "batch", "transform"}

PIPECTL_PACKAGES = (
    "client",
    "operate",
    "views",
    "embedded",
    "scale",
    "local",
    "console",
    "commands",
)
PIPECTL_MAY_IMPORT = {
    "client": set(),
    "operate": {"client"},
    "views": {"client", "operate"},
    "scale": {"embedded"},
    "embedded": {"client"},
    "local": {"client", "embedded"},
    "console": {"client", "operate", "views", "local"},
    "commands": {"client", "operate", "views", "embedded", "scale", "local", "console"},
}


def modules() -> dict[str, Path]:
    """Every module of the deployed code and of the command, by its dotted name."""
    found = {}
    for folder in ("functions", "pipectl"):
        for path in (PROJECT / folder).rglob("*.py"):
            parts = path.relative_to(SOURCES[folder]).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


@cache
def imports(path: Path) -> tuple[str, ...]:
    """The project's own modules that a module imports, those for type checking included."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found = name if name in MODULES else node.module
                if found in MODULES:
                    yield found
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)


def subpackage(module: str) -> str:
    """The subpackage of a module: `reading` of `tabular.reading.blocks`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 2 or (PROJECT / "pipectl" / parts[-1]).is_dir() else ""


def tabular_floor(module: str) -> int:
    parts = module.split(".")
    if len(parts) > 1 and parts[1] in TABULAR_LAYERS:
        return 1 + TABULAR_LAYERS.index(parts[1])
    return 1 + len(TABULAR_LAYERS) if len(parts) > 1 and parts[1] in TABULAR_TOP else 0


def test_no_module_imports_itself_through_others() -> None:
    graph = {
        name: {found for found in imports(path) if found != name} for name, path in MODULES.items()
    }
    # Raises CycleError, whose text names the cycle.
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


def modules_of(package: str) -> list[str]:
    """The modules of a package, and the package itself."""
    return [name for name in sorted(MODULES) if name.split(".")[0] == package]


def foreign(package: str, allowed: Collection[str]) -> list[str]:
    """The imports of a package's modules that are not of the packages allowed."""
    return [
        f"{name} imports {found}"
        for name in modules_of(package)
        for found in imports(MODULES[name])
        if found.split(".")[0] not in allowed
    ]


def test_every_module_has_imports_that_are_found() -> None:
    assert "tabular.transform" in imports(MODULES["transform.app"])
    assert len(modules_of("tabular")) > 50 < len(modules_of("pipectl"))


def test_tabular_imports_only_itself_and_no_higher_layer() -> None:
    assert [
        f"{name} imports {found}"
        for name in modules_of("tabular")
        for found in imports(MODULES[name])
        if found.split(".")[0] != "tabular" or tabular_floor(found) > tabular_floor(name)
    ] == []


def test_shared_imports_only_itself() -> None:
    assert foreign("shared", {"shared"}) == []


def test_the_report_imports_no_step() -> None:
    assert foreign("data_report", {"data_report", "shared", "tabular"}) == []


@pytest.mark.parametrize("step", sorted(STEPS))
def test_a_step_imports_no_other_step(step: str) -> None:
    # The report is in Summarize's package only: see functions/Makefile.
    allowed = {step, "shared", "tabular"} | ({"data_report"} if step == "summarize" else set())
    assert foreign(step, allowed) == []


def test_pipectl_imports_no_step() -> None:
    assert foreign("pipectl", {"pipectl", "data_report", "shared", "tabular"}) == []


def test_pipectl_follows_the_order_of_its_subpackages() -> None:
    wrong = []
    for name in modules_of("pipectl"):
        here = subpackage(name)
        for found in imports(MODULES[name]):
            there = subpackage(found) if found.split(".")[0] == "pipectl" else ""
            if here and there and here != there and there not in PIPECTL_MAY_IMPORT[here]:
                wrong.append(f"{name} imports {found}")
    assert wrong == []
