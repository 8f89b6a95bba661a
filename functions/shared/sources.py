"""Reads uploaded objects as `Source` from an event, a listing or a HEAD request."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from shared.job import Source, iso, new_job


def source_of_record(record: Mapping[str, Any]) -> Source:
    """The object that one record of an S3 event reports.

    Raises KeyError, TypeError or ValueError if the record is malformed.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    item = record["s3"]["object"]
    return new_job(
        bucket=str(record["s3"]["bucket"]["name"]),
        key=unquote_plus(str(item["key"])),
        version_id=item.get("versionId"),
        etag=str(item["eTag"]).strip('"'),
        size=int(item.get("size", 0)),
        sequencer=str(item.get("sequencer", "")),
        event_time=str(record["eventTime"]),
    ).source


def source_of_object(
    bucket: str, key: str, *, version_id: str | None, etag: str, size: int, modified: datetime
) -> Source:
    """The object as S3 lists or describes it.

    Only events have a sequencer. Versions without one are ordered by the time of their upload.
    """
    return new_job(
        bucket=bucket,
        key=key,
        version_id=version_id,
        etag=etag.strip('"'),
        size=size,
        sequencer="",
        event_time=iso(modified),
    ).source
