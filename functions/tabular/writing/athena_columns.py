"""The columns of a dataset's records as Athena, Glue and Hive name and type them.

They correspond to the writers: `jsonl.py` and `parquet.py` write the values, and this module
defines how a table over their objects reads them. Athena reads a value that doesn't fit its
column's type as null, so the types in JSON Lines are wide:

- Numbers are `double`, which every finite number of a contract fits. Parquet has decimals.
- Datetimes are text: some have a time zone and some don't, and Athena's timestamps have none.
- Objects are JSON text, because a contract doesn't describe their content.
- Integers are `bigint`, as everyone expects, although a contract allows larger ones. In Parquet
  these are rejected.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tabular.faults import Fault
from tabular.model import ORIGIN_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tabular.model import Field, RecordShape

MAX_NAME_BYTES = 255
"""https://docs.aws.amazon.com/glue/latest/webapi/API_Column.html"""

_JSON_TYPES = {
    "boolean": "boolean",
    "date": "date",
    "integer": "bigint",
    "number": "double",
    "year": "int",
    "array": "array<string>",
}
_ITEM_TYPES = {"boolean": "boolean", "date": "date", "integer": "bigint", "number": "double"}
_POINTS = {
    "default": "array<double>",
    "array": "array<double>",
    "object": "struct<lon:double,lat:double>",
}
_PARQUET_TYPES = {
    "boolean": "boolean",
    "date": "date",
    "datetime": "timestamp",
    "integer": "bigint",
    "number": "decimal(38,18)",
    "year": "int",
}
_UNNAMABLE = re.compile(r"[^a-z0-9_]")


@dataclass(frozen=True)
class TableFormat:
    """How a table reads the objects of an output format.

    `maps_names` says whether a column can have another name than in the objects.
    """

    classification: str
    serde: str
    input_format: str
    output_format: str
    serde_parameters: tuple[tuple[str, str], ...]
    maps_names: bool


# The OpenX SerDe, not Hive's: only it can give a column another name than its key has, and it reads
# keys in any case, inside structures too. Malformed JSON is an error, as by default.
_JSON = TableFormat(
    classification="json",
    serde="org.openx.data.jsonserde.JsonSerDe",
    input_format="org.apache.hadoop.mapred.TextInputFormat",
    output_format="org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
    serde_parameters=(("serialization.format", "1"),),
    maps_names=True,
)
_PARQUET = TableFormat(
    classification="parquet",
    serde="org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
    input_format="org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    output_format="org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    serde_parameters=(("serialization.format", "1"),),
    maps_names=False,
)
TABLE_FORMATS = {"jsonl": _JSON, "parquet": _PARQUET}
"""By the name of the output format."""


@dataclass(frozen=True)
class AthenaColumn:
    """A column or a structure's field: its name in Athena, its type, its name in the objects."""

    name: str
    type: str
    source: str


@dataclass(frozen=True)
class AthenaColumns:
    """A table's columns.

    `outer` are the columns of a record besides the fields, and `fields` those of the fields, which
    are members of the structure `data` if `enveloped`. `unnamable` are the positions (from 0) of
    fields without a column, with the reason. `alike` are the positions of two fields whose names
    differ only in case: Athena can't read records that have both.
    """

    outer: tuple[AthenaColumn, ...]
    fields: tuple[AthenaColumn, ...]
    enveloped: bool
    unnamable: tuple[tuple[int, str], ...]
    alike: tuple[int, int] | None


REJECT_COLUMNS = (
    AthenaColumn("row", "bigint", "row"),
    AthenaColumn("line", "bigint", "line"),
    AthenaColumn("byte_offset", "bigint", "byte_offset"),
    AthenaColumn(
        "errors",
        f"array<struct<{','.join(f'{name}:string' for name in Fault._fields)}>>",
        "errors",
    ),
    AthenaColumn("raw", "string", "raw"),
)
"""The columns of a rejected record (`rejects.py`)."""


def athena_name(name: str) -> str:
    """The name in lower case, with `_` for every character that Athena doesn't accept in names."""
    return _UNNAMABLE.sub("_", name.lower())


def athena_columns(
    fields: Sequence[Field], *, output_format: str, record: RecordShape
) -> AthenaColumns:
    """The columns of records with these fields, in an output format and of a shape."""
    table_format = TABLE_FORMATS[output_format]
    is_json = table_format is _JSON
    enveloped = is_json and record == "envelope"
    outer = _ENVELOPE if enveloped else _ORIGIN
    # A mapped name applies on every level of a record, so it must not be a name of the envelope.
    reserved = {column.name for column in outer} | ({"data"} if enveloped else set())
    columns: list[AthenaColumn] = []
    unnamable: list[tuple[int, str]] = []
    taken: set[str] = set()
    for position, field in enumerate(fields):
        source = field.output_name
        name = athena_name(source)
        reason = None
        # Without the name: in a file without a contract, it is text of the file.
        if name in taken:
            reason = "in Athena, another column has the same name already"
        elif name in reserved and name != source:
            reason = "in Athena, its name is a name that records reserve"
        elif len(name) > MAX_NAME_BYTES:
            reason = f"its name has more than {MAX_NAME_BYTES} characters"
        elif name != source.lower() and not table_format.maps_names:
            reason = "Athena accepts only letters a to z, digits and underscores"
        if reason is not None:
            unnamable.append((position, reason))
            continue
        taken.add(name)
        type_ = _json_type(field) if is_json else _PARQUET_TYPES.get(field.type, "string")
        columns.append(AthenaColumn(name, type_, source))
    alike = _alike([field.output_name for field in fields])
    return AthenaColumns(outer, tuple(columns), enveloped, tuple(unnamable), alike)


def _alike(names: Sequence[str]) -> tuple[int, int] | None:
    first: dict[str, int] = {}
    for position, name in enumerate(names):
        if first.setdefault(name.lower(), position) != position:
            return first[name.lower()], position
    return None


def struct_of(columns: Iterable[AthenaColumn]) -> str:
    """The type of a structure with these members."""
    return f"struct<{','.join(f'{column.name}:{column.type}' for column in columns)}>"


def members_of(struct: str) -> dict[str, str] | None:
    """The types of a structure's members by name, in order; None if the type is no structure.

    Example: `struct<a:int,b:array<struct<x:int,y:int>>>` gives `int` for `a` and
    `array<struct<x:int,y:int>>` for `b`.
    """
    if not (struct.startswith("struct<") and struct.endswith(">")):
        return None
    members: dict[str, str] = {}
    depth, start = 0, len("struct<")
    for position in range(start, len(struct)):
        character = struct[position]
        if (character == "," and depth == 0) or position == len(struct) - 1:
            name, colon, kind = struct[start:position].partition(":")
            if not colon:
                return None
            members[name.strip()] = kind.strip()
            start = position + 1
        elif character in "<(":
            depth += 1
        elif character in ">)":
            depth -= 1
    return members


_ENVELOPE = (
    AthenaColumn("id", "string", "id"),
    AthenaColumn("original_row", "bigint", "original_row"),
    AthenaColumn("processed_at", "string", "processed_at"),
)
_ORIGIN = tuple(
    AthenaColumn(name, kind, name)
    for name, kind in zip(ORIGIN_NAMES, ("string", "bigint"), strict=True)
)


def _json_type(field: Field) -> str:
    if field.type == "list":
        return f"array<{_ITEM_TYPES.get(field.list_item_type, 'string')}>"
    if field.type == "geopoint":
        return _POINTS[field.format]
    return _JSON_TYPES.get(field.type, "string")
