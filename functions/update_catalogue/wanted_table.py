"""The Glue tables that a published file needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared import keys
from tabular.writing.athena_columns import (
    REJECT_COLUMNS,
    TABLE_FORMATS,
    AthenaColumn,
    TableFormat,
    athena_columns,
    athena_name,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tabular.reading.layout import Layout

REJECTS_TABLE = "rejected_records"
DATA = "data"
"""The column of an enveloped record that has its fields."""

# In the table's parameters: the dataset whose folder the table reads, and the shape of its records.
# They also mark the tables that the pipeline made: it changes no others.
DATASET_PARAMETER = "data_pipeline.dataset"
RECORD_PARAMETER = "data_pipeline.record"


@dataclass(frozen=True)
class WantedTable:
    """A table over the objects under `location`, all in one format.

    `fields` are columns of the table or, if `enveloped`, members of the structure `data`. The
    marks are the table parameters that say what the table is of. `labels` name the fields in
    messages: by the contract's names, or by their numbers if a name is text of the file.
    """

    name: str
    description: str
    location: str
    format: TableFormat
    marks: Mapping[str, str]
    outer: tuple[AthenaColumn, ...]
    fields: tuple[AthenaColumn, ...]
    enveloped: bool
    labels: Mapping[str, str]


def records_table(
    layout: Layout, *, dataset: str, output_bucket: str, output_format: str
) -> tuple[WantedTable | None, list[str]]:
    """The table of a dataset's records, and a message for each field that it can't have.

    The table is None if none could read the records.
    """
    contract = layout.contract
    columns = athena_columns(layout.fields, output_format=output_format, record=contract.record)
    named = {field.output_name for field in contract.fields} if layout.has_named_fields else set()
    labels = {
        field.output_name: (
            f"the field {field.output_name}"
            if field.output_name in named
            else f"column {number} of the file"
        )
        for number, field in enumerate(layout.fields, 1)
    }
    if columns.alike is not None:
        one, other = (labels[layout.fields[position].output_name] for position in columns.alike)
        return None, [
            f"The table of the dataset {dataset} stays as it is: the names of {one} and {other} "
            "differ only in case, which Athena ignores. Give one another outputName in the "
            "contract."
        ]
    name = athena_name(dataset)
    if name == REJECTS_TABLE:
        return None, [
            f"The dataset {dataset} has no table: {REJECTS_TABLE} is the table of all rejected "
            "records. Rename the dataset's folder to have one."
        ]
    table = WantedTable(
        name=name,
        description=f"Records of the dataset {dataset}, written by the data pipeline.",
        location=f"s3://{output_bucket}/{keys.PROCESSED_PREFIX}{dataset}/",
        format=TABLE_FORMATS[output_format],
        marks={
            DATASET_PARAMETER: dataset,
            RECORD_PARAMETER: contract.record if columns.enveloped else "flat",
        },
        outer=columns.outer,
        fields=columns.fields,
        enveloped=columns.enveloped,
        labels=labels,
    )
    missing = [
        f"The table {table.name} has no column for {labels[layout.fields[position].output_name]}: "
        f"{reason}. Give the field another outputName in the contract."
        for position, reason in columns.unnamable
    ]
    return table, missing


def rejects_table(output_bucket: str) -> WantedTable:
    """The table of all datasets' rejected records."""
    return WantedTable(
        name=REJECTS_TABLE,
        description="Rejected records of all datasets, written by the data pipeline.",
        location=f"s3://{output_bucket}/{keys.REJECTED_PREFIX}",
        format=TABLE_FORMATS["jsonl"],
        marks={DATASET_PARAMETER: "*", RECORD_PARAMETER: "rejected"},
        outer=REJECT_COLUMNS,
        fields=(),
        enveloped=False,
        labels={},
    )
