"""A dialect that says two things about one character is refused."""

from __future__ import annotations

import pytest

from tabular.errors import InvalidContract
from tests.unit.tabular.engine import contract_of


@pytest.mark.parametrize("role", ["delimiter", "quoteChar", "escapeChar"])
def test_spaces_that_are_dropped_are_nothing_else(role: str) -> None:
    with pytest.raises(InvalidContract, match=f"expected another {role} than the space"):
        contract_of({"name": "f"}, dialect={role: " ", "skipInitialSpace": True})
    contract_of({"name": "f"}, dialect={role: " ", "skipInitialSpace": False})
