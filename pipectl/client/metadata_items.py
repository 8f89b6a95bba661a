"""The items of the metadata table: one for each file, read for many files at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer

from pipectl.client.side_by_side import side_by_side
from shared.job import Source, iso
from shared.metadata import FAILURES_INDEX, SOURCE_INDEX
from shared.versions import version_attributes

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack

MetadataItem = Mapping[str, Any]
"""A file's metadata item, in plain JSON values."""

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
_BATCH = 100

# The index of failures has one partition per day. Beyond this number of days the index is scanned,
# which is one pass over the failed files only.
_MAX_DAYS = 31


class MetadataItems:
    """Reads the metadata items of a stack's files."""

    def __init__(self, stack: Stack) -> None:
        self._client = stack.client("dynamodb")
        self._table = stack.output("MetadataTableName")

    def get(self, file_ids: Iterable[str]) -> dict[str, MetadataItem]:
        """The current items of these files, by `file_id`; one call per hundred files."""
        wanted = iter(dict.fromkeys(file_ids))
        batches = iter(lambda: list(itertools.islice(wanted, _BATCH)), [])
        found = itertools.chain.from_iterable(side_by_side(self._get_batch, batches))
        return {item["file_id"]: item for item in found}

    def failed(self, since: datetime | None = None) -> list[MetadataItem]:
        """The items of the files that have failed, or that have failed since a time."""
        earliest = "" if since is None else iso(since)
        days = [] if since is None else _days(since, datetime.now(UTC))
        if not days or len(days) > _MAX_DAYS:
            return [item for item in self._scan(FAILURES_INDEX) if item["failed_at"] >= earliest]
        found = side_by_side(lambda day: self._failed_on(day, earliest), days)
        return list(itertools.chain.from_iterable(found))

    def of_sources(self, sources: Iterable[str]) -> dict[str, list[MetadataItem]]:
        """The items of all versions of each source, by source: `{"bucket/key": [item, ...]}`."""
        distinct = list(dict.fromkeys(sources))
        return dict(zip(distinct, side_by_side(self._of_source, distinct), strict=True))

    def of_source(self, source: Source) -> list[MetadataItem]:
        """The items of all versions of one source's key."""
        return self._of_source(version_attributes(source)["source"])

    def _get_batch(self, file_ids: list[str]) -> list[MetadataItem]:
        found: list[MetadataItem] = []
        keys: list[Any] = [{"file_id": {"S": file_id}} for file_id in file_ids]
        while keys:
            answer = self._client.batch_get_item(
                RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}}
            )
            found += map(plain_item, answer["Responses"].get(self._table, []))
            keys = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
        return found

    def _failed_on(self, day: str, earliest: str) -> list[MetadataItem]:
        return self._query(
            FAILURES_INDEX,
            "failed_on = :day AND failed_at >= :earliest",
            {":day": day, ":earliest": earliest},
        )

    def _of_source(self, source: str) -> list[MetadataItem]:
        # `source` is a reserved word in expressions.
        return self._query(SOURCE_INDEX, "#source = :source", {":source": source})

    def _query(self, index: str, condition: str, values: Mapping[str, str]) -> list[MetadataItem]:
        names = {"ExpressionAttributeNames": {"#source": "source"}} if "#" in condition else {}
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=index,
            KeyConditionExpression=condition,
            ExpressionAttributeValues={name: {"S": value} for name, value in values.items()},
            **names,
        )
        return [plain_item(item) for page in pages for item in page["Items"]]

    def _scan(self, index: str) -> list[MetadataItem]:
        pages = self._client.get_paginator("scan").paginate(TableName=self._table, IndexName=index)
        return [plain_item(item) for page in pages for item in page["Items"]]


def source_of(item: MetadataItem) -> Source:
    """The source that an item was made from, for a state document.

    The item's sequencer is padded with zeros for sorting. If the object has no version, the
    sequencer is part of the file's id, so its own length has to be found: of `0A10` padded to
    `0A100000`, the lengths 3 to 8 are tried until the id is the item's.
    """
    padded = str(item["sequencer"])
    stripped = padded.rstrip("0")
    for length in range(len(stripped), len(padded) + 1):
        source = Source(
            bucket=item["source_bucket"],
            key=item["source_key"],
            version_id=item.get("source_version_id"),
            etag=item["source_etag"],
            size=int(item["source_bytes"]),
            sequencer=padded[:length],
            event_time=item["uploaded_at"],
            dataset=item["dataset"],
        )
        if source.file_id == item["file_id"]:
            break
    return source


def plain_item(item: Mapping[str, Any]) -> MetadataItem:
    """An item as the DynamoDB API returns it, in plain JSON values."""
    read = TypeDeserializer()
    return {name: plain(read.deserialize(value)) for name, value in item.items()}


def plain(value: Any) -> Any:
    """A DynamoDB value in JSON's types: Decimals become int or float, sets become lists."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, set):
        return sorted(plain(item) for item in value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def _days(since: datetime, until: datetime) -> list[str]:
    """The days from `since` to `until` in UTC, written as in the index."""
    first, last = since.astimezone(UTC).date(), until.astimezone(UTC).date()
    count = (last - first).days + 1
    return [(first + timedelta(days=number)).isoformat() for number in range(count)]
