"""The metadata table: one item a file, changed by several steps."""

from __future__ import annotations

from typing import Any, cast

from botocore.exceptions import ClientError

from shared.clients import table
from shared.errors import TransientError, aws_errors, error_code

Item = dict[str, Any]

_PLACE = "the metadata table"


def read_item(table_name: str, file_id: str) -> Item | None:
    """The file's item as it stands now, or None."""
    with aws_errors(_PLACE):
        stored = table(table_name).get_item(Key={"file_id": file_id}, ConsistentRead=True)
    return cast("Item | None", stored.get("Item"))


def write_item(table_name: str, item: Item, *, replaces: Item | None) -> None:
    """Write a whole item in the place of the one that was read.

    Raises `TransientError` where another write came between: read it and decide anew.
    """
    with aws_errors(_PLACE):
        try:
            table(table_name).put_item(
                Item=item,
                ConditionExpression="attribute_not_exists(file_id) OR revision = :read",
                ExpressionAttributeValues={":read": replaces["revision"] if replaces else 0},
            )
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                raise TransientError(
                    "The metadata item changed between reading and writing; it is tried again."
                ) from None
            raise


def mark_item(table_name: str, file_id: str, name: str, value: Item) -> None:
    """Set one attribute of the file's item, such as `notified`; the item has to be there."""
    with aws_errors(_PLACE):
        table(table_name).update_item(
            Key={"file_id": file_id},
            UpdateExpression="SET #name = :value, revision = revision + :one",
            ConditionExpression="attribute_exists(file_id)",
            ExpressionAttributeNames={"#name": name},
            ExpressionAttributeValues={":value": value, ":one": 1},
        )
