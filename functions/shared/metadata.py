"""The metadata table: one item for each file, updated by several steps."""

from __future__ import annotations

from typing import Any, cast

from botocore.exceptions import ClientError

from shared.clients import table
from shared.errors import RecordOutdated, aws_errors, error_code

Item = dict[str, Any]

# One entry for each version of a source key ("<bucket>/<key>"), sorted by sequencer.
SOURCE_INDEX = "source-index"
# The items of failed files, by the day of their failure.
FAILURES_INDEX = "failures-index"

_PLACE = "the metadata table"
_DONE = ("succeeded", "superseded")
_OUTDATED = (
    "The metadata item no longer records the file's success. Rerun the file: it is recorded again."
)
_CONDITION_FAILED = "ConditionalCheckFailedException"


def read_item(table_name: str, file_id: str) -> Item | None:
    """The file's current item, read consistently, or None."""
    with aws_errors(_PLACE):
        stored = table(table_name).get_item(Key={"file_id": file_id}, ConsistentRead=True)
    return cast("Item | None", stored.get("Item"))


def write_item(table_name: str, item: Item, *, replaces: Item | None) -> bool:
    """Write a whole item in place of the one that was read, `replaces`, or None.

    Returns whether it was written. It isn't if there is another item: read it again and decide
    again.
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
                return False
            raise
    return True


def read_success(table_name: str, file_id: str) -> Item:
    """The item of a file that is recorded as processed, or as superseded.

    Raises `RecordOutdated` if it isn't.

    An execution that is aborted after RecordMetadata is recorded as failed. A redrive of it
    continues after RecordMetadata, and finds an item that says `failed`.
    """
    item = read_item(table_name, file_id)
    if item is None or item["status"] not in _DONE:
        raise RecordOutdated(_OUTDATED)
    return item


def mark_item(
    table_name: str, file_id: str, name: str, value: Item, *, is_new: bool = False
) -> None:
    """Set one attribute, such as `notified`, of the item of a file that `read_success` returns.

    Raises `RecordOutdated` as `read_success` does, and with `is_new` also if the item has the
    attribute already.
    """
    with aws_errors(_PLACE):
        try:
            table(table_name).update_item(
                Key={"file_id": file_id},
                UpdateExpression="SET #name = :value, revision = revision + :one",
                ConditionExpression="#status IN (:succeeded, :superseded)"
                + (" AND attribute_not_exists(#name)" if is_new else ""),
                ExpressionAttributeNames={"#name": name, "#status": "status"},
                ExpressionAttributeValues={
                    ":value": value,
                    ":one": 1,
                    **{f":{status}": status for status in _DONE},
                },
            )
        except ClientError as error:
            if error_code(error) == _CONDITION_FAILED:
                raise RecordOutdated(_OUTDATED) from None
            raise
