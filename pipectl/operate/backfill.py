"""Objects that lie in `raw/` without a successful run, and how they get one."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pipectl.client.executions import Executions
from pipectl.client.metadata import Item, Items
from pipectl.client.side_by_side import side_by_side
from pipectl.operate.find_failures import running_files
from pipectl.operate.plan import Standing, attempts_in, message
from shared import keys
from shared.job import Source
from shared.metadata import is_later
from shared.sources import source_of_object

if TYPE_CHECKING:
    from pipectl.client.stack import Stack

State = Literal["never_run", "failed", "superseded", "running", "succeeded"]

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
_BATCH = 10


@dataclass
class Found:
    """One version of an object; `notified` tells whether its upload was announced to the queue."""

    source: Source
    state: State
    notified: bool
    attempts: int = 0
    sent: bool = False

    def to_document(self) -> dict[str, Any]:
        """The entry in `pipectl backfill --json`."""
        return {
            "file_id": self.source.file_id,
            "source": self.source.uri,
            "version_id": self.source.version_id,
            "bytes": self.source.size,
            "uploaded_at": self.source.event_time,
            "state": self.state,
            "notified": self.notified,
            "sent": self.sent,
        }


@dataclass(frozen=True)
class Filter:
    """One rule of the bucket's notification: which keys it tells the queue of."""

    prefix: str
    suffix: str

    def matches(self, key: str) -> bool:
        """Whether an upload of this key is announced."""
        return key.startswith(self.prefix) and key.endswith(self.suffix)


def find(stack: Stack, *, prefix: str, since: datetime | None, all_versions: bool) -> list[Found]:
    """The objects under a prefix with what has become of each, in the order of their upload.

    One call a thousand versions, one a hundred files for their metadata, and one a failed file.
    """
    bucket = stack.output("InputBucketName")
    s3 = stack.client("s3")
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    versions = [version for page in pages for version in page.get("Versions", [])]
    sources = list(wanted(bucket, versions, since=since, all_versions=all_versions))
    filters = read_filters(s3.get_bucket_notification_configuration(Bucket=bucket))
    items = Items(stack).get(source.file_id for source in sources)
    running = running_files(Executions(stack))
    found = judged(sources, items, running, filters)
    failed = [items[one.source.file_id] for one in found if one.state == "failed"]
    mark_superseded(found, items, Items(stack).of_sources(item["source"] for item in failed))
    return found


def send(stack: Stack, chosen: Iterable[Found], *, superseded: bool = False) -> None:
    """Ask the starter to run them; `superseded` also where a later version has succeeded."""
    sqs, queue = stack.client("sqs"), stack.output("ProcessingQueueUrl")

    def send_batch(batch: Sequence[Found]) -> None:
        entries = [
            {"Id": str(number), "MessageBody": json.dumps(_message(found, superseded))}
            for number, found in enumerate(batch)
        ]
        answer = sqs.send_message_batch(QueueUrl=queue, Entries=entries)
        for sent in answer.get("Successful", []):
            batch[int(sent["Id"])].sent = True

    waiting = iter(chosen)
    side_by_side(send_batch, iter(lambda: list(itertools.islice(waiting, _BATCH)), []))


def wanted(
    bucket: str,
    versions: Iterable[Mapping[str, Any]],
    *,
    since: datetime | None,
    all_versions: bool,
) -> Iterator[Source]:
    """The versions that hold a file: present ones, or all; no folders; uploaded since then."""
    for version in versions:
        folder = version["Key"].endswith("/") and version["Size"] == 0
        too_old = since is not None and version["LastModified"] < since
        if folder or too_old or not (all_versions or version["IsLatest"]):
            continue
        yield source_of_object(
            bucket,
            version["Key"],
            version_id=version["VersionId"],
            etag=version["ETag"],
            size=version["Size"],
            modified=version["LastModified"],
        )


def judged(
    sources: Iterable[Source],
    items: Mapping[str, Item],
    running: Mapping[str, str],
    filters: Sequence[Filter],
) -> list[Found]:
    """The objects, each with what has become of it, the first uploaded first."""
    found = [
        Found(
            source,
            _state(source.file_id, items, running),
            notified=any(one.matches(source.key) for one in filters),
            attempts=attempts_in(items[source.file_id]) if source.file_id in items else 0,
        )
        for source in sources
    ]
    return sorted(found, key=lambda one: (one.source.event_time, one.source.key))


def mark_superseded(
    found: Iterable[Found], items: Mapping[str, Item], versions: Mapping[str, Sequence[Item]]
) -> None:
    """Tell failed objects of whose key a later version has succeeded, which may be archived."""
    for one in found:
        if one.state == "failed":
            own = items[one.source.file_id]
            if any(
                version["status"] == "succeeded" and is_later(version, own)
                for version in versions[own["source"]]
            ):
                one.state = "superseded"


def read_filters(configuration: Mapping[str, Any]) -> list[Filter]:
    """The rules by which a bucket tells queues of uploads."""
    filters = []
    for queue in configuration.get("QueueConfigurations", []):
        rules = queue.get("Filter", {}).get("Key", {}).get("FilterRules", [])
        named = {rule["Name"].lower(): rule["Value"] for rule in rules}
        filters.append(Filter(named.get("prefix", ""), named.get("suffix", "")))
    return filters


def checked_prefix(prefix: str) -> str:
    """A prefix within `raw/`: `orders/` means `raw/orders/`."""
    return prefix if prefix.startswith(keys.RAW_PREFIX) else keys.RAW_PREFIX + prefix


def _state(file_id: str, items: Mapping[str, Item], running: Mapping[str, str]) -> State:
    item = items.get(file_id)
    if item is not None and item["status"] == "succeeded":
        return "succeeded"
    if file_id in running:
        return "running"
    return "never_run" if item is None else "failed"


def _message(found: Found, superseded: bool) -> dict[str, Any]:
    standing = Standing(found.source, found.attempts)
    return message(standing, max(found.attempts, 1), force=False, superseded=superseded)
