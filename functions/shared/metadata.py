"""The metadata table: one item a file, changed by several steps."""

from __future__ import annotations

from typing import Any, cast

from botocore.exceptions import ClientError

from shared.clients import table
from shared.errors import RecordOutdated, TransientError, aws_errors, error_code

Item = dict[str, Any]

_PLACE = "the metadata table"
_SUCCEEDED = "succeeded"
_OUTDATED = "The metadata item does not say that the file has succeeded; it is recorded again."
_CONDITION_FAILED = "ConditionalCheckFailedException"


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
            if error_code(error) == _CONDITION_FAILED:
                raise TransientError(
                    "The metadata item changed between reading and writing; it is tried again."
                ) from None
            raise


def read_success(table_name: str, file_id: str) -> Item:
    """The item of a file whose success was recorded; raises `RecordOutdated` if it says otherwise.

    An execution that was aborted after RecordMetadata was recorded as failed since. Redriven, it
    goes on behind RecordMetadata.
    """
    item = read_item(table_name, file_id)
    if item is None or item["status"] != _SUCCEEDED:
        raise RecordOutdated(_OUTDATED)
    return item


def mark_item(table_name: str, file_id: str, name: str, value: Item) -> None:
    """Set one attribute, such as `notified`, of the item of a file whose success was recorded.

    Raises `RecordOutdated` if it says otherwise, as `read_success` does.
    """
    with aws_errors(_PLACE):
        try:
            table(table_name).update_item(
                Key={"file_id": file_id},
                UpdateExpression="SET #name = :value, revision = revision + :one",
                ConditionExpression="#status = :succeeded",
                ExpressionAttributeNames={"#name": name, "#status": "status"},
                ExpressionAttributeValues={":value": value, ":one": 1, ":succeeded": _SUCCEEDED},
            )
        except ClientError as error:
            if error_code(error) == _CONDITION_FAILED:
                raise RecordOutdated(_OUTDATED) from None
            raise
