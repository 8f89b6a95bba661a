"""Finds out which version of an object a file is, from its metadata item."""

from __future__ import annotations

from shared.job import Source
from shared.metadata import Item
from shared.versions import SEQUENCER_LENGTH


def source_of_item(item: Item) -> Source:
    """The source that the item was recorded for.

    The item's sequencer is padded with zeros. Its own length matters only if the bucket has no
    versions: then it is the one for which the file's ID comes out right.
    """
    padded = str(item["sequencer"])
    shortest = padded.rstrip("0")
    candidates = (
        _source(item, shortest.ljust(length, "0"))
        for length in range(len(shortest), SEQUENCER_LENGTH + 1)
    )
    exact = (source for source in candidates if source.file_id == item["file_id"])
    return next(exact, _source(item, shortest))


def _source(item: Item, sequencer: str) -> Source:
    return Source(
        bucket=item["source_bucket"],
        key=item["source_key"],
        version_id=item.get("source_version_id"),
        etag=item["source_etag"],
        size=int(item["source_bytes"]),
        sequencer=sequencer,
        event_time=item["uploaded_at"],
        dataset=item["dataset"],
    )
