"""The metadata table: one item for each file, updated by several steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, cast

from botocore.exceptions import ClientError

from shared.clients import table
from shared.errors import RecordOutdated, TransientError, aws_errors, error_code
from shared.job import Source

Item = dict[str, Any]

# S3's rule for comparing sequencers is to pad the shorter one with zeros on the right and compare
# them as text. Padded to a common length, they sort correctly as the index's range key. Real ones
# are 16 to 18 characters long.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
SEQUENCER_LENGTH = 40

# One entry for each version of a source key ("<bucket>/<key>"), sorted by sequencer.
SOURCE_INDEX = "source-index"
# The items of failed files, by the day of their failure.
FAILURES_INDEX = "failures-index"

_PLACE = "the metadata table"
_SUCCEEDED = "succeeded"
_OUTDATED = (
    "The metadata item no longer records the file's success. Rerun the file: it is recorded again."
)
_CONDITION_FAILED = "ConditionalCheckFailedException"


def read_item(table_name: str, file_id: str) -> Item | None:
    """The file's current item, read consistently, or None."""
    with aws_errors(_PLACE):
        stored = table(table_name).get_item(Key={"file_id": file_id}, ConsistentRead=True)
    return cast("Item | None", stored.get("Item"))


def write_item(table_name: str, item: Item, *, replaces: Item | None) -> None:
    """Write a whole item in place of the one that was read, `replaces`.

    Raises `TransientError` if the item was written by someone else in between: read it again and
    decide again.
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
                    "The metadata item changed between reading and writing. Retry later."
                ) from None
            raise


def read_success(table_name: str, file_id: str) -> Item:
    """The item of a file whose success was recorded; raises `RecordOutdated` if it wasn't.

    An execution that is aborted after RecordMetadata is recorded as failed. A redrive of it
    continues after RecordMetadata, and finds an item that says `failed`.
    """
    item = read_item(table_name, file_id)
    if item is None or item["status"] != _SUCCEEDED:
        raise RecordOutdated(_OUTDATED)
    return item


def mark_item(table_name: str, file_id: str, name: str, value: Item) -> None:
    """Set one attribute, such as `notified`, of the item of a file whose success was recorded.

    Raises `RecordOutdated` if it wasn't recorded, as `read_success` does.
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


def version_attributes(source: Source) -> Item:
    """The item's attributes by which the versions of one source key are found and ordered."""
    return {
        "source": f"{source.bucket}/{source.key}",
        "sequencer": source.sequencer.ljust(SEQUENCER_LENGTH, "0"),
        "uploaded_at": source.event_time,
    }


def is_later(item: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether the version `item` was uploaded after the version `other` of the same key.

    The sequencer decides, regardless of the order in which events arrive. A version that was found
    in the bucket, not announced by an event, has no sequencer; then the time of upload decides.
    """
    ours, theirs = str(item["sequencer"]), str(other["sequencer"])
    if ours.strip("0") and theirs.strip("0"):
        length = max(len(ours), len(theirs))
        return ours.ljust(length, "0") > theirs.ljust(length, "0")
    return datetime.fromisoformat(item["uploaded_at"]) > datetime.fromisoformat(
        other["uploaded_at"]
    )


def later_success(table_name: str, source: Source) -> Item | None:
    """The item of a later version of the same key that has succeeded, or None.

    The index is updated about a second after the table, so a success of this moment can be missed.
    """
    own = version_attributes(source)
    if not own["sequencer"].strip("0"):
        conditions: tuple[str, ...] = ("",)
    else:
        # Later sequencers, and versions without one, which are ordered by their time of upload.
        conditions = (" AND sequencer > :own", " AND sequencer = :none")
    for condition in conditions:
        for item in _succeeded_versions(table_name, own, condition):
            if is_later(item, own):
                return item
    return None


def _succeeded_versions(table_name: str, own: Item, condition: str) -> Iterator[Item]:
    values = {":source": own["source"], ":succeeded": _SUCCEEDED}
    if ":own" in condition:
        values[":own"] = own["sequencer"]
    if ":none" in condition:
        values[":none"] = "0" * SEQUENCER_LENGTH
    request: dict[str, Any] = {
        "IndexName": SOURCE_INDEX,
        # `source` and `status` are reserved words in expressions.
        "KeyConditionExpression": f"#source = :source{condition}",
        "FilterExpression": "#status = :succeeded",
        "ExpressionAttributeNames": {"#source": "source", "#status": "status"},
        "ExpressionAttributeValues": values,
    }
    start: dict[str, Any] = {}
    while True:
        with aws_errors(f"the metadata table's {SOURCE_INDEX}"):
            page = table(table_name).query(**request, **start)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
