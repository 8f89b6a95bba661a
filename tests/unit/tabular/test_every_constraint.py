"""Every constraint of the model can be written in a contract, rejects something, is described."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from tabular.contract.descriptor import parse_contract
from tabular.model import Constraints
from tests.unit.tabular.engine import run

PAGE = (Path(__file__).parents[3] / "docs" / "contracts.md").read_text(encoding="utf-8")
# For each constraint: a type it applies to, a value, and a cell that breaks it.
BROKEN: dict[str, tuple[str, Any, str]] = {
    "required": ("string", True, ""),
    "unique": ("string", True, "again"),
    "min_length": ("string", 3, "ab"),
    "max_length": ("string", 3, "abcd"),
    "minimum": ("integer", 3, "2"),
    "maximum": ("integer", 3, "4"),
    "exclusive_minimum": ("integer", 3, "3"),
    "exclusive_maximum": ("integer", 3, "3"),
    "pattern": ("string", "[a-z]+", "A"),
    "enum": ("string", ["a", "b"], "c"),
}
NAMES = [field.name for field in dataclasses.fields(Constraints)]


def property_of(name: str) -> str:
    """The property of a contract, `minLength` for `min_length`."""
    return re.sub(r"_([a-z])", lambda letter: letter[1].upper(), name)


def test_every_constraint_has_an_example_here() -> None:
    assert set(BROKEN) == set(NAMES)


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_constraint_in_a_contract_rejects_a_record(name: str) -> None:
    kind, value, text = BROKEN[name]
    field = {"name": "f", "type": kind, "constraints": {property_of(name): value}}
    contract = parse_contract({"fields": [field, {"name": "g"}]})
    rows = "again,1\nagain,1\n" if name == "unique" else f"{text},1\n"

    result = run(f"f,g\n{rows}".encode(), contract)

    faults = [fault for reject in result.rejects for fault in reject["errors"]]
    assert [fault["field"] for fault in faults] == ["f"]


@pytest.mark.parametrize("name", NAMES)
def test_a_constraint_is_described(name: str) -> None:
    table = PAGE.partition("### Constraints\n")[2].partition("\n### ")[0]
    assert f"`{property_of(name)}`" in table
