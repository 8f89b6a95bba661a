"""A dialect that says two things about one character is refused."""

from __future__ import annotations

import pytest

from tabular.errors import InvalidContract
from tests.unit.tabular.engine import contract_of


@pytest.mark.parametrize("role", ["delimiter", "quoteChar", "escapeChar"])
def test_skip_initial_space_excludes_a_space_in_other_roles(role: str) -> None:
    with pytest.raises(InvalidContract, match=f"can't be true if the {role} is a space"):
        contract_of({"name": "f"}, dialect={role: " ", "skipInitialSpace": True})
    contract_of({"name": "f"}, dialect={role: " ", "skipInitialSpace": False})
