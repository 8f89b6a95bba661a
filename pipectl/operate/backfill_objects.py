"""Finds objects in `raw/` that have no successful run, and has them run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pipectl.client.message_batches import batches, send_batch
from pipectl.client.metadata_items import MetadataItem, MetadataItems
from pipectl.client.side_by_side import side_by_side
from pipectl.client.starter_messages import starter_message
from pipectl.client.step_functions import Executions
from pipectl.errors import PipectlError
from pipectl.operate.failed_files import last_attempt_in
from pipectl.operate.find_failures import running_files
from shared import keys
from shared.job import Source
from shared.sources import source_of_object
from shared.versions import is_later
from tabular.file_names import IgnoredNames, InvalidPatterns, why_ignored

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack

ObjectState = Literal["never_run", "failed", "superseded", "running", "succeeded"]


@dataclass
class RawObject:
    """One version of an object in `raw/`; `ignored` is why the pipeline ignores it, or None."""

    source: Source
    state: ObjectState
    ignored: str | None
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
            "ignored": self.ignored,
            "sent": self.sent,
        }


def find_objects(
    stack: Stack, *, prefix: str, since: datetime | None, all_versions: bool
) -> list[RawObject]:
    """The objects under a prefix, each with its state, in the order of their upload.

    It takes one call per thousand versions, one per hundred files for their metadata, and one per
    failed file.
    """
    bucket = stack.output("InputBucketName")
    s3 = stack.client("s3")
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    versions = [version for page in pages for version in page.get("Versions", [])]
    sources = list(sources_of(bucket, versions, since=since, all_versions=all_versions))
    ignored = ignored_names(stack.deployment.parameters)
    table = MetadataItems(stack)
    items = table.get(source.file_id for source in sources)
    running = running_files(Executions(stack))
    found = with_states(sources, items, running, ignored)
    failed = [items[one.source.file_id] for one in found if one.state == "failed"]
    mark_superseded(found, items, table.of_sources(item["source"] for item in failed))
    return found


def send(stack: Stack, chosen: Iterable[RawObject]) -> None:
    """Ask the starter to run the objects."""
    sqs, queue = stack.client("sqs"), stack.output("ProcessingQueueUrl")

    def body(found: RawObject) -> str:
        return json.dumps(starter_message(found.source, max(found.attempts, 1)))

    def send_some(batch: Sequence[RawObject]) -> None:
        refused = send_batch(sqs, queue, [body(found) for found in batch])
        for position, found in enumerate(batch):
            found.sent = position not in refused

    side_by_side(send_some, batches(chosen, body))


def sources_of(
    bucket: str,
    versions: Iterable[Mapping[str, Any]],
    *,
    since: datetime | None,
    all_versions: bool,
) -> Iterator[Source]:
    """The versions that were uploaded since then: the current ones, or all."""
    for version in versions:
        too_old = since is not None and version["LastModified"] < since
        if too_old or not (all_versions or version["IsLatest"]):
            continue
        yield source_of_object(
            bucket,
            version["Key"],
            version_id=version["VersionId"],
            etag=version["ETag"],
            size=version["Size"],
            modified=version["LastModified"],
        )


def with_states(
    sources: Iterable[Source],
    items: Mapping[str, MetadataItem],
    running: Mapping[str, str],
    ignored: IgnoredNames,
) -> list[RawObject]:
    """The objects, each with its state, in the order of their upload."""
    found = [
        RawObject(
            source,
            _state(source.file_id, items, running),
            ignored=why_ignored(source.key, source.size, ignored),
            attempts=last_attempt_in(items[source.file_id]) if source.file_id in items else 0,
        )
        for source in sources
    ]
    return sorted(found, key=lambda one: (one.source.event_time, one.source.key))


def mark_superseded(
    found: Iterable[RawObject],
    items: Mapping[str, MetadataItem],
    versions: Mapping[str, Sequence[MetadataItem]],
) -> None:
    """Mark failed objects of whose key a later version, perhaps archived since, has succeeded."""
    for one in found:
        if one.state == "failed":
            own = items[one.source.file_id]
            if any(
                version["status"] == "succeeded" and is_later(version, own)
                for version in versions[own["source"]]
            ):
                one.state = "superseded"


def ignored_names(parameters: Mapping[str, str]) -> IgnoredNames:
    """The names that a stack with these parameters ignores besides those on the list."""
    try:
        return IgnoredNames.parse(parameters.get("IgnoredNames", ""))
    except InvalidPatterns as error:
        raise PipectlError(f"The stack's parameter IgnoredNames is not valid. {error}") from None


def checked_prefix(prefix: str) -> str:
    """The prefix below `raw/`: `orders/` means `raw/orders/`."""
    return prefix if prefix.startswith(keys.RAW_PREFIX) else keys.RAW_PREFIX + prefix


def _state(
    file_id: str, items: Mapping[str, MetadataItem], running: Mapping[str, str]
) -> ObjectState:
    item = items.get(file_id)
    if item is not None and item["status"] in ("succeeded", "superseded"):
        state: ObjectState = item["status"]
        return state
    if file_id in running:
        return "running"
    return "never_run" if item is None else "failed"
