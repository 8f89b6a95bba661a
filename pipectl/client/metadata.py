"""The metadata table, read for many files at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer

from pipectl.client.results import plain
from pipectl.client.side_by_side import side_by_side
from shared.job import Source, iso

if TYPE_CHECKING:
    from pipectl.client.stack import Stack

Item = Mapping[str, Any]
"""A file's metadata item, in plain JSON values."""

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
_BATCH = 100

# The failures' index has one partition a day: beyond so many it is scanned, which costs one pass
# over the failed files only.
_MOST_DAYS = 31


class Items:
    """Reads the metadata items of a stack's files."""

    def __init__(self, stack: Stack) -> None:
        self._client = stack.client("dynamodb")
        self._table = stack.output("MetadataTableName")

    def get(self, file_ids: Iterable[str]) -> dict[str, Item]:
        """The items of these files by `file_id`, as they stand now; one call a hundred files."""
        wanted = iter(dict.fromkeys(file_ids))
        batches = iter(lambda: list(itertools.islice(wanted, _BATCH)), [])
        found = itertools.chain.from_iterable(side_by_side(self._get_batch, batches))
        return {item["file_id"]: item for item in found}

    def failed(self, since: datetime | None = None) -> list[Item]:
        """The items of the files that failed (since then), and of no others."""
        earliest = "" if since is None else iso(since)
        days = [] if since is None else _days(since, datetime.now(UTC))
        if not days or len(days) > _MOST_DAYS:
            return [item for item in self._scan("failures-index") if item["failed_at"] >= earliest]
        found = side_by_side(lambda day: self._failed_on(day, earliest), days)
        return list(itertools.chain.from_iterable(found))

    def of_sources(self, sources: Iterable[str]) -> dict[str, list[Item]]:
        """The items of all versions of each source (`bucket/key`), by source."""
        distinct = list(dict.fromkeys(sources))
        return dict(zip(distinct, side_by_side(self._of_source, distinct), strict=True))

    def _get_batch(self, file_ids: list[str]) -> list[Item]:
        found: list[Item] = []
        keys: list[Any] = [{"file_id": {"S": file_id}} for file_id in file_ids]
        while keys:
            answer = self._client.batch_get_item(
                RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}}
            )
            found += map(_plain_item, answer["Responses"].get(self._table, []))
            keys = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
        return found

    def _failed_on(self, day: str, earliest: str) -> list[Item]:
        return self._query(
            "failures-index",
            "failed_on = :day AND failed_at >= :earliest",
            {":day": day, ":earliest": earliest},
        )

    def _of_source(self, source: str) -> list[Item]:
        # `source` is a reserved word in expressions.
        return self._query("source-index", "#source = :source", {":source": source})

    def _query(self, index: str, condition: str, values: Mapping[str, str]) -> list[Item]:
        names = {"ExpressionAttributeNames": {"#source": "source"}} if "#" in condition else {}
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=index,
            KeyConditionExpression=condition,
            ExpressionAttributeValues={name: {"S": value} for name, value in values.items()},
            **names,
        )
        return [_plain_item(item) for page in pages for item in page["Items"]]

    def _scan(self, index: str) -> list[Item]:
        pages = self._client.get_paginator("scan").paginate(TableName=self._table, IndexName=index)
        return [_plain_item(item) for page in pages for item in page["Items"]]


def source_of(item: Item) -> Source:
    """The source as its event described it, for a state document.

    The item's sequencer is padded for sorting. Where the object has no version it is part of the
    file's identity, so that its own length has to be found.
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


def _plain_item(item: Mapping[str, Any]) -> Item:
    read = TypeDeserializer()
    return {name: plain(read.deserialize(value)) for name, value in item.items()}


def _days(since: datetime, until: datetime) -> list[str]:
    """The days from `since` to `until` in UTC, as the index has them."""
    first, last = since.astimezone(UTC).date(), until.astimezone(UTC).date()
    count = (last - first).days + 1
    return [(first + timedelta(days=number)).isoformat() for number in range(count)]
