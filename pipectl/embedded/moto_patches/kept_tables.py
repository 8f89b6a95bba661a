"""Glue's databases and tables as documents for the folder of `pipectl up --data`, and back."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

from pipectl.embedded.data_folder import DataFolder, Name
from pipectl.embedded.saving import Kept
from pipectl.embedded.template import ACCOUNT, REGION

KIND = "database"

# moto imports its Glue at the first call of it. That takes longer than all that a stack without a
# catalogue starts with.
_MODELS = "moto.glue.models"


def listed() -> list[Kept]:
    """All databases, each with its tables in all their versions."""
    if _MODELS not in sys.modules:
        return []
    return [
        Kept.of(Name(KIND, name), _described(database))
        for name, database in list(_backend().databases.items())
    ]


def restore(folder: DataFolder) -> None:
    """Create the databases and tables."""
    for name, document in folder.documents(KIND):
        backend = _backend()
        if name not in backend.databases:
            backend.create_database(name, document["input"])
        for table, versions in document["tables"].items():
            made = backend.create_table(name, table, versions["1"])
            made.versions = dict(versions)
            made._current_version = max(map(int, versions))
            made.created_time = datetime.fromisoformat(document["created"][table])


def _backend() -> Any:
    from moto.glue.models import glue_backends

    return glue_backends[ACCOUNT][REGION]


def _described(database: Any) -> dict[str, Any]:
    tables = dict(database.tables)
    return {
        "input": database.input,
        "tables": {name: dict(table.versions) for name, table in tables.items()},
        "created": {name: table.created_time.isoformat() for name, table in tables.items()},
    }
