"""Proposes constraints that the values of a sample suggest, each with its evidence."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipectl.local.infer.column_types import ColumnTexts

_LEAST_RECORDS = 20
"""With fewer records, a column may be without gaps by chance."""
_LEAST_UNIQUE = 50
_MOST_ENUM_VALUES = 20
_LEAST_A_VALUE = 5
"""Minimum number of records per value of an enumeration, on average."""
_SHOWN_VALUES = 8
_NAME_OF_KEY = re.compile(r"(?:^|[^a-z])(?:id|key|nr|no|number|code|uuid|guid)(?:$|[^a-z])|id$")


@dataclass(frozen=True)
class Proposals:
    """A contract with the proposed constraints, and (column, evidence) for each of them."""

    document: dict[str, Any]
    evidence: tuple[tuple[str, str], ...]


def propose(document: Mapping[str, Any], columns: Sequence[ColumnTexts]) -> Proposals:
    """Add `required`, `unique`, `enum` and `primaryKey` to the fields of these columns."""
    by_name = {column.name: column for column in columns}
    evidence: list[tuple[str, str]] = []
    schema = dict(document.get("schema", document))
    unique: list[str] = []
    fields = []
    for field in schema["fields"]:
        column = by_name.get(field["name"])
        fields.append(field if column is None else _constrained(field, column, evidence, unique))
    schema["fields"] = fields
    if unique and "primaryKey" not in schema:
        key = unique[0]
        schema["primaryKey"] = [key]
        field = next(field for field in fields if field["name"] == key)
        field["constraints"].pop("unique", None)
        evidence.append((key, "primaryKey: the first column that is unique and never empty"))
    whole = {**document, "schema": schema} if "schema" in document else schema
    return Proposals(whole, tuple(evidence))


def _constrained(
    field: Mapping[str, Any],
    column: ColumnTexts,
    evidence: list[tuple[str, str]],
    unique: list[str],
) -> dict[str, Any]:
    constraints = dict(field.get("constraints", {}))
    records, name = column.records, column.name
    missing = set(field.get("missingValues", ()))
    filled = {text: n for text, n in column.texts.items() if text.strip() not in missing and text}
    is_full = sum(filled.values()) + column.others == records
    if is_full and records >= _LEAST_RECORDS:
        constraints["required"] = True
        evidence.append((name, f"required: all {records} records have a value"))
    if is_full and len(filled) == records >= _LEAST_UNIQUE and _may_be_key(field):
        constraints["unique"] = True
        unique.append(name)
        evidence.append((name, f"unique: {records} different values in {records} records"))
    enum = _enumeration(field, column)
    if enum:
        constraints["enum"] = sorted(enum)
        shown = [f"{text!r} {n}x" for text, n in sorted(enum.items(), key=lambda item: -item[1])]
        more = f" and {len(shown) - _SHOWN_VALUES} more" if len(shown) > _SHOWN_VALUES else ""
        evidence.append(
            (name, f"enum: {len(enum)} values: {', '.join(shown[:_SHOWN_VALUES])}{more}")
        )
    return {**field, **({"constraints": constraints} if constraints else {})}


def _may_be_key(field: Mapping[str, Any]) -> bool:
    """Whether a field may be a key: by its name, or because its values are addresses or UUIDs."""
    if field.get("format") in ("uuid", "email"):
        return True
    return field["type"] in ("string", "integer") and bool(
        _NAME_OF_KEY.search(field["name"].lower())
    )


def _enumeration(field: Mapping[str, Any], column: ColumnTexts) -> dict[str, int]:
    """The values of a column of few texts, with how often each occurs; empty if it has many."""
    if field["type"] != "string" or field.get("format"):
        return {}
    values = {text: count for text, count in column.texts.items() if text}
    few = not column.others and 1 < len(values) <= _MOST_ENUM_VALUES
    return values if few and len(values) * _LEAST_A_VALUE <= sum(values.values()) else {}
