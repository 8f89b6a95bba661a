"""How a file's columns differ from its contract's fields, where the contract allows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tabular.faults import shown
from tabular.reading.header import compare_columns

if TYPE_CHECKING:
    from tabular.reading.layout import Layout

MAX_NAMES = 20
"""Missing fields that are named. A contract can have thousands of fields."""


def drift_of(layout: Layout) -> dict[str, Any] | None:
    """The missing fields and unknown columns of a file; None if its contract names no fields.

    Returns `{"missing_fields": [name, ...], "missing_count": n, "dropped_columns": n,
    "kept_columns": n}`. Missing fields have names from the contract. Unknown columns are only
    counted, because their names are cells of the file.
    """
    if not layout.has_schema:
        return None
    columns = compare_columns(layout.labels, layout.contract)
    missing = columns["missing"]
    return {
        "missing_fields": [shown(name) for name in missing[:MAX_NAMES]],
        "missing_count": len(missing),
        "dropped_columns": len(columns["dropped"]),
        "kept_columns": len(columns["kept"]),
    }
