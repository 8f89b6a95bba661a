"""The contract of a dataset that has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabular.errors import HeaderMismatch
from tabular.model import Contract, Field, NamePolicy, output_name

if TYPE_CHECKING:
    from collections.abc import Sequence

REFERENCE_NUMBERS = frozenset({"amount", "price", "quantity", "total"})
"""Without a contract, the fields of these names (cleaned) hold numbers; all others hold text."""


def reference_contract(header: Sequence[str], names: NamePolicy = "cleaned") -> Contract:
    """Make the contract of a dataset that has none: the rules for any file with a header.

    Output names are the header's, cleaned unless `names` says otherwise. Cells are stripped of
    white space, and empty ones are null. Raises HeaderMismatch if two columns would have the same
    name, or a column has none.
    """
    fields = tuple(_reference_field(name, names) for name in header)
    _check_names([field.output_name for field in fields])
    return Contract(fields=fields, output_names=names)


def _reference_field(name: str, names: NamePolicy) -> Field:
    kind = "number" if output_name(name, "cleaned") in REFERENCE_NUMBERS else "string"
    return Field(name=name, output_name=output_name(name, names), type=kind, trim=True)


def _check_names(names: list[str]) -> None:
    places: dict[str, int] = {}
    for position, name in enumerate(names, start=1):
        if not name:
            raise HeaderMismatch(f"In the header, column {position} has no name. Give it one.")
        first = places.setdefault(name, position)
        if first < position:
            raise HeaderMismatch(
                f"In the header, columns {first} and {position} have the same name in lower case "
                "and with underscores for spaces. Rename one, or keep the names as they are: put "
                '"outputNames": "original" into the pipeline settings of the dataset\'s contract.'
            )
