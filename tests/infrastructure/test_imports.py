"""The imports between the project's modules: which may import which, without cycles."""

from __future__ import annotations

import ast
from collections.abc import Iterator
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


def imports(path: Path) -> Iterator[str]:
    """The project's own modules that a module imports, those for type checking included."""
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


@pytest.mark.parametrize("name", sorted(name for name in MODULES if name.startswith("tabular")))
def test_tabular_imports_only_itself_and_no_higher_layer(name: str) -> None:
    for found in imports(MODULES[name]):
        assert found.startswith("tabular"), f"{name} imports {found}"
        assert tabular_floor(found) <= tabular_floor(name), f"{name} imports {found}"


@pytest.mark.parametrize("name", sorted(name for name in MODULES if name.startswith("shared")))
def test_shared_imports_only_itself(name: str) -> None:
    assert all(found.startswith("shared") for found in imports(MODULES[name]))


@pytest.mark.parametrize("name", sorted(one for one in MODULES if one.startswith("data_report")))
def test_the_report_imports_no_step(name: str) -> None:
    allowed = {"data_report", "shared", "tabular"}
    assert {found.split(".")[0] for found in imports(MODULES[name])} <= allowed


@pytest.mark.parametrize("step", sorted(STEPS))
def test_a_step_imports_no_other_step(step: str) -> None:
    # The report is in Summarize's package only: see functions/Makefile.
    allowed = {step, "shared", "tabular"} | ({"data_report"} if step == "summarize" else set())
    for name, path in MODULES.items():
        if name.split(".")[0] == step:
            assert {found.split(".")[0] for found in imports(path)} <= allowed


@pytest.mark.parametrize("name", sorted(name for name in MODULES if name.startswith("pipectl.")))
def test_pipectl_follows_the_order_of_its_subpackages(name: str) -> None:
    here = subpackage(name)
    for found in imports(MODULES[name]):
        top = found.split(".")[0]
        assert top in {"pipectl", "data_report", "shared", "tabular"}, (
            f"{name} imports the step {found}"
        )
        there = subpackage(found)
        if top == "pipectl" and here and there and here != there:
            assert there in PIPECTL_MAY_IMPORT[here], f"{name} imports {found}"
