"""Reads objects as Athena would through a Glue table, with DuckDB in Athena's place.

Only what the table states is used: location, columns, types, SerDe and its parameters.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb

from tabular.writing.athena_columns import members_of

_TYPES = {
    "string": "VARCHAR",
    "bigint": "BIGINT",
    "int": "INTEGER",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "decimal(38,18)": "DECIMAL(38,18)",
}
_ZONE = " WITH TIME ZONE"


def read_table(table: Mapping[str, Any], objects: Iterable[bytes]) -> list[dict[str, Any]]:
    """The rows that the table shows of these objects, in their order."""
    storage = table["StorageDescriptor"]
    serde = storage["SerdeInfo"]["SerializationLibrary"]
    with tempfile.TemporaryDirectory() as folder:
        if serde == "org.openx.data.jsonserde.JsonSerDe":
            return _read_json(storage, objects, Path(folder))
        assert serde == "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
        return _read_parquet(storage, objects, Path(folder))


def _read_json(
    storage: Mapping[str, Any], objects: Iterable[bytes], folder: Path
) -> list[dict[str, Any]]:
    lines = [line for content in objects for line in content.splitlines()]
    path = folder / "all.jsonl"
    # The SerDe compares keys in any case.
    path.write_text("".join(f"{json.dumps(_lowered(json.loads(line)))}\n" for line in lines))
    mappings = {
        name.removeprefix("mapping."): key
        for name, key in storage["SerdeInfo"]["Parameters"].items()
        if name.startswith("mapping.")
    }
    columns = {column["Name"]: column["Type"] for column in storage["Columns"]}
    keys = {name: mappings.get(name, name) for name in columns}
    types = {keys[name]: _duckdb_type(kind, mappings) for name, kind in columns.items()}
    relation = duckdb.connect().execute(
        f"SELECT * FROM read_json('{path}', format='newline_delimited', columns={types})"
    )
    rows = [dict(zip(columns, row, strict=True)) for row in relation.fetchall()]
    names = {key: name for name, key in mappings.items()}
    return [{name: _renamed(value, names) for name, value in row.items()} for row in rows]


def _read_parquet(
    storage: Mapping[str, Any], objects: Iterable[bytes], folder: Path
) -> list[dict[str, Any]]:
    for number, content in enumerate(objects):
        (folder / f"{number:05}.parquet").write_bytes(content)
    connection = duckdb.connect()
    source = f"read_parquet('{folder}/*.parquet', union_by_name=true)"
    present = {
        name.lower(): kind
        for name, kind, *_ in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    }
    columns = {column["Name"]: column["Type"] for column in storage["Columns"]}
    for name, kind in columns.items():
        found = present.get(name, _duckdb_type(kind, {}))
        assert found.removesuffix(_ZONE) == _duckdb_type(kind, {}), name
    selected = ", ".join(
        f'{_value(name, present[name])} AS "{name}"' if name in present else f'NULL AS "{name}"'
        for name in columns
    )
    rows = connection.execute(f"SELECT {selected} FROM {source}").fetchall()
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _value(name: str, kind: str) -> str:
    """A column's value: Athena's timestamps have no time zone and show instants in UTC."""
    return f'make_timestamp(epoch_us("{name}"))' if kind.endswith(_ZONE) else f'"{name}"'


def _duckdb_type(kind: str, mappings: Mapping[str, str]) -> str:
    if kind.startswith("array<"):
        return f"{_duckdb_type(kind[len('array<') : -1], mappings)}[]"
    members = members_of(kind)
    if members is None:
        return _TYPES[kind]
    inner = (
        f'"{mappings.get(name, name)}" {_duckdb_type(of, mappings)}' for name, of in members.items()
    )
    return f"STRUCT({', '.join(inner)})"


def _lowered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key.lower(): _lowered(item) for key, item in value.items()}
    return [_lowered(item) for item in value] if isinstance(value, list) else value


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {names.get(key, key): _renamed(item, names) for key, item in value.items()}
    return value
