"""The registry of the errors' names, against the classes and the workflow."""

from __future__ import annotations

import ast
import inspect
from types import ModuleType

import pytest

import shared.errors
import tabular.errors
from shared.errors import PipelineError
from shared.remedies import REMEDIES, remedy_of
from tabular.errors import TabularError
from tests.infrastructure import deployed, workflow

BASES = (PipelineError, TabularError)


def _declared(module: ModuleType) -> dict[str, type[Exception]]:
    return {
        name: kind
        for name, kind in vars(module).items()
        if inspect.isclass(kind) and issubclass(kind, BASES) and kind not in BASES
    }


CLASSES = _declared(shared.errors) | _declared(tabular.errors)


def test_every_error_class_has_a_remedy_and_every_remedy_a_class() -> None:
    assert set(REMEDIES) == set(CLASSES)


def test_no_other_module_declares_an_error_of_the_workflow() -> None:
    roots = {base.__name__ for base in BASES} | set(CLASSES)
    elsewhere = [
        f"{path.relative_to(deployed.ROOT)}: {node.name}"
        for path in sorted((deployed.ROOT / "functions").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and roots & {ast.unparse(base).rpartition(".")[2] for base in node.bases}
        and node.name not in CLASSES
        # No step: a file's execution never fails with an error of theirs.
        and path.parent.name not in {"starter", "webhook"}
    ]
    assert elsewhere == []


def test_the_workflow_starts_over_after_exactly_the_errors_that_a_contract_can_cure() -> None:
    states = dict(workflow.states(deployed.definition()))
    (rule,) = [it for it in states["ResumeAt"]["Choices"] if it["Next"] == "StartOver"]
    assert {it["StringEquals"] for it in rule["Or"]} == {
        error for error, remedy in REMEDIES.items() if remedy == "start_over"
    }


def test_an_error_of_aws_can_be_redriven() -> None:
    assert remedy_of("States.Timeout") == "redrive"
    assert remedy_of("EmptyFile") == "upload"


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("length", [4001, 40_000, 4_000_000])
def test_a_message_is_bounded_where_it_is_made(base: type[Exception], length: int) -> None:
    text = str(base(f"The column {'x' * length} is unknown. Rename it."))
    assert len(text) <= 4000
    assert text.startswith("The column xxx")
    assert text.endswith("xxx is unknown. Rename it.")


@pytest.mark.parametrize("base", BASES)
def test_a_message_within_the_limit_is_whole(base: type[Exception]) -> None:
    assert str(base("x" * 4000)) == "x" * 4000


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_error_is_made_by_the_bounded_constructor(name: str) -> None:
    assert len(str(CLASSES[name]("\0" * 100_000))) <= 4000
