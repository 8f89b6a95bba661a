"""Glue's description of a table: made for a new one, and extended for an existing one.

Everything is added and nothing is changed: a column keeps its type, and what others have added to
the table stays.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tabular.writing.athena_columns import AthenaColumn, members_of, struct_of
from update_catalogue.wanted_table import (
    DATA,
    DATASET_PARAMETER,
    RECORD_PARAMETER,
    WantedTable,
)

if TYPE_CHECKING:
    from mypy_boto3_glue.type_defs import TableInputTypeDef, TableTypeDef

MAX_TYPE_CHARACTERS = 131_072
"""https://docs.aws.amazon.com/glue/latest/webapi/API_Column.html"""

# The fields of a table that UpdateTable takes; the others describe the table's state.
# https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html
_INPUT_FIELDS = (
    "Name",
    "Description",
    "Owner",
    "Retention",
    "StorageDescriptor",
    "PartitionKeys",
    "TableType",
    "Parameters",
    "TargetTable",
)
_MAPPING = "mapping."
_SHOWN_TYPE = 100
"""Characters of a type in a message: the types of structures can be very long."""


def new_table(wanted: WantedTable) -> TableInputTypeDef:
    """The description of a table that doesn't exist yet."""
    described = wanted.format
    return {
        "Name": wanted.name,
        "Description": wanted.description,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {
            "EXTERNAL": "TRUE",
            "classification": described.classification,
            **wanted.marks,
        },
        "StorageDescriptor": {
            "Columns": [
                {"Name": column.name, "Type": column.type} for column in _top_columns(wanted)
            ],
            "Location": wanted.location,
            "InputFormat": described.input_format,
            "OutputFormat": described.output_format,
            "SerdeInfo": {
                "SerializationLibrary": described.serde,
                "Parameters": {**dict(described.serde_parameters), **_mappings(wanted)},
            },
        },
    }


def extended_table(
    existing: TableTypeDef, wanted: WantedTable
) -> tuple[TableInputTypeDef | None, list[str]]:
    """The table with the columns that it lacks, None if it lacks none; and what can't be added.

    The messages say what differs from the contract, and what to do.
    """
    obstacle = _obstacle(existing, wanted)
    if obstacle is not None:
        return None, [obstacle]
    table: Any = {
        name: copy.deepcopy(value) for name, value in existing.items() if name in _INPUT_FIELDS
    }
    storage = table["StorageDescriptor"]
    columns = {one["Name"]: one.get("Type", "") for one in storage.get("Columns", [])}
    problems = _TableProblems(wanted)
    parameters = storage.setdefault("SerdeInfo", {}).setdefault("Parameters", {})
    before = (dict(columns), dict(parameters))
    if wanted.enveloped:
        members = members_of(columns.get(DATA, "struct<>"))
        if members is None:
            return None, [problems.retyped_data(columns[DATA])]
        _add(members, wanted.fields, parameters, problems)
        columns[DATA] = struct_of(AthenaColumn(name, kind, "") for name, kind in members.items())
        _add(columns, wanted.outer, parameters, problems)
    else:
        _add(columns, (*wanted.outer, *wanted.fields), parameters, problems)
    if before == (columns, parameters):
        return None, problems.messages
    known = {one["Name"]: one for one in storage.get("Columns", [])}
    storage["Columns"] = [
        {**known.get(name, {"Name": name}), "Type": kind} for name, kind in columns.items()
    ]
    return table, problems.messages


def too_long(table: TableInputTypeDef) -> str | None:
    """A message about a column whose type is longer than Glue allows, or None."""
    for column in table["StorageDescriptor"]["Columns"]:
        size = len(column.get("Type", ""))
        if size > MAX_TYPE_CHARACTERS:
            return (
                f"The type of the column {column['Name']} of the table {table['Name']} would have "
                f"{size:,} characters; Glue allows {MAX_TYPE_CHARACTERS:,}. The table stays as it "
                'is. Put "record": "flat" into the pipeline settings of the contract, or choose '
                "Parquet; then each field is a column."
            )
    return None


class _TableProblems:
    """Messages about columns that differ from the contract."""

    def __init__(self, wanted: WantedTable) -> None:
        self._wanted = wanted
        self.messages: list[str] = []

    def retyped(self, column: AthenaColumn, kind: str) -> None:
        self.messages.append(
            f"In the table {self._wanted.name}, {self._label(column)} has the type "
            f"{kind[:_SHOWN_TYPE]}, and now it should be {column.type}. The table keeps its type, "
            f"so Athena may fail or read null for the new values. {self._how_to_retype()}"
        )

    def renamed(self, column: AthenaColumn) -> None:
        self.messages.append(
            f"In the table {self._wanted.name}, the column whose name {self._label(column)} has in "
            "Athena belongs to another field. Give the field another outputName in the contract."
        )

    def retyped_data(self, kind: str) -> str:
        return (
            f"In the table {self._wanted.name}, the column {DATA} has the type "
            f"{kind[:_SHOWN_TYPE]}, not a structure. {self._how_to_retype()}"
        )

    def _label(self, column: AthenaColumn) -> str:
        return self._wanted.labels.get(column.source, f"the column {column.name}")

    def _how_to_retype(self) -> str:
        return (
            "To change the type, rerun the dataset's files, so that all objects have the new type, "
            "and delete the table: the next file makes it again."
        )


def _add(
    columns: dict[str, str],
    wanted: Iterable[AthenaColumn],
    parameters: dict[str, str],
    problems: _TableProblems,
) -> None:
    """Add the columns that are missing, with their mappings; report those that differ."""
    for column in wanted:
        kind = columns.get(column.name)
        if kind is None:
            columns[column.name] = column.type
            parameters |= _mapping(column)
        elif parameters.get(_MAPPING + column.name, column.name) != _key_of(column):
            problems.renamed(column)
        elif kind.replace(" ", "").lower() != column.type:
            problems.retyped(column, kind)


def _obstacle(existing: TableTypeDef, wanted: WantedTable) -> str | None:
    """Why the table can't be the wanted one at all, or None."""
    name = wanted.name
    marks = existing.get("Parameters", {})
    storage = existing.get("StorageDescriptor", {})
    if DATASET_PARAMETER not in marks:
        return (
            f"The Glue table {name} was not made by the data pipeline, which leaves it as it is. "
            "Rename or delete it, or set the parameter GlueDatabase to another database."
        )
    if marks[DATASET_PARAMETER] != wanted.marks[DATASET_PARAMETER]:
        return (
            f"The Glue table {name} belongs to another dataset, whose name is the same for Athena. "
            "Rename one of the two datasets' folders to have a table for each."
        )
    if storage.get("Location") != wanted.location:
        return (
            f"The Glue table {name} reads {storage.get('Location')}, not {wanted.location}. Use "
            "one database for each environment."
        )
    if storage.get("SerdeInfo", {}).get("SerializationLibrary") != wanted.format.serde:
        return (
            f"The dataset's output format has changed, and the Glue table {name} reads the old "
            "one. Rerun the dataset's files, so that all objects have the new format, and delete "
            "the table: the next file makes it again."
        )
    if marks.get(RECORD_PARAMETER) != wanted.marks[RECORD_PARAMETER]:
        return (
            f"The shape of the dataset's records has changed, and the Glue table {name} reads the "
            "old one. Rerun the dataset's files, so that all records have the new shape, and "
            "delete the table: the next file makes it again."
        )
    return None


def _top_columns(wanted: WantedTable) -> list[AthenaColumn]:
    if not wanted.enveloped:
        return [*wanted.outer, *wanted.fields]
    data = AthenaColumn(DATA, struct_of(wanted.fields), DATA)
    return [*wanted.outer[:-1], data, wanted.outer[-1]]


def _mappings(wanted: WantedTable) -> dict[str, str]:
    """The SerDe's parameters that give columns other names than their keys have."""
    found: dict[str, str] = {}
    for column in wanted.fields:
        found |= _mapping(column)
    return found


def _mapping(column: AthenaColumn) -> dict[str, str]:
    key = _key_of(column)
    return {} if key == column.name else {_MAPPING + column.name: key}


def _key_of(column: AthenaColumn) -> str:
    """The key that a column is mapped to. The SerDe compares keys in any case."""
    return column.source.lower()
