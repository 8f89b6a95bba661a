"""From a descriptor document to a `Contract`, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabular.contract import Contract, Field

if TYPE_CHECKING:
    from collections.abc import Sequence

REFERENCE_NUMBERS = frozenset({"amount", "price", "quantity", "total"})
"""Without a contract, the fields of these names (cleaned) hold numbers; all others hold text."""


def reference_contract(header: Sequence[str]) -> Contract:
    """Make the contract of a dataset that has none: the rules for any file with a header.

    Output names are the header's, stripped, in lower case and with `_` for spaces. Cells are
    stripped of white space, and what is then empty is null.
    """
    return Contract(fields=tuple(_reference_field(name) for name in header))


def _reference_field(name: str) -> Field:
    output_name = name.strip().lower().replace(" ", "_")
    kind = "number" if output_name in REFERENCE_NUMBERS else "string"
    return Field(name=name, output_name=output_name, type=kind, trim=True)
