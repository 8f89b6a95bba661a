"""DynamoDB's items as documents for the folder of `pipectl up --data`, and back."""

from __future__ import annotations

import json
from typing import Any

from moto.dynamodb.models import dynamodb_backends

from pipectl.embedded.data_folder import DataFolder, Name
from pipectl.embedded.saving import Kept
from pipectl.embedded.template import ACCOUNT, REGION

KIND = "item"


def listed() -> list[Kept]:
    """All items of all tables."""
    kept = []
    for name, table in list(_tables().items()):
        for item in table.all_items():
            attributes = item.to_json()["Attributes"]
            names = [one for one in (table.hash_key_attr, table.range_key_attr) if one]
            key = {one: attributes[one] for one in names}
            name_of_item = Name(KIND, json.dumps([name, key], sort_keys=True))
            kept.append(Kept.of(name_of_item, attributes))
    return kept


def restore(folder: DataFolder) -> None:
    """Put the items into the tables.

    Raises `PipectlError` if the stack has no such table.
    """
    tables = _tables()
    for identity, attributes in folder.documents(KIND):
        name, _ = json.loads(identity)
        if name not in tables:
            raise folder.of_another_stack(f"the table {name}")
        tables[name].put_item(attributes)


def _tables() -> dict[str, Any]:
    tables: dict[str, Any] = dynamodb_backends[ACCOUNT][REGION].tables
    return tables
