"""Erases a file: every version of its key, and everything that was made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipectl.client.dead_letter_queue import DeadLetter, DeadLetterQueue
from pipectl.client.metadata_items import MetadataItem, MetadataItems
from pipectl.client.object_versions import (
    ObjectVersion,
    delete_versions,
    versions_below,
    versions_of,
)
from pipectl.client.step_functions import Executions
from pipectl.errors import PipectlError
from pipectl.operate.backfill_objects import sources_of
from pipectl.operate.find_failures import running_files
from shared import keys
from shared.job import iso
from tabular.writing.output_formats import FORMATS

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack

# The item's attributes that lead to erased objects, or into the index of failures.
POINTERS = (
    "archive",
    "corrections_key",
    "failed_at",
    "failed_on",
    "output_bucket",
    "output_key",
    "rejected_key",
    "report_key",
    "summary_key",
)
_OUTPUT_POINTERS = ("output_key", "rejected_key", "corrections_key", "summary_key", "report_key")


@dataclass(frozen=True)
class Erasure:
    """All versions of one key, which are the files `file_ids`, with everything made of them.

    `dead_letters` are the messages about these files alone. `shared_dead_letters` is the number of
    those that are about other files as well, which are kept: they contain keys, but no cell of a
    file.
    """

    bucket: str
    key: str
    file_ids: Sequence[str]
    objects: Sequence[ObjectVersion]
    items: Sequence[MetadataItem]
    dead_letters: int
    shared_dead_letters: int

    def to_document(self, *, dry_run: bool) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "dry_run": dry_run,
            "source": f"s3://{self.bucket}/{self.key}",
            "file_ids": list(self.file_ids),
            "objects": [one.to_document() for one in self.objects],
            "metadata_items": [item["file_id"] for item in self.items],
            "dead_letters": self.dead_letters,
            "shared_dead_letters": self.shared_dead_letters,
        }


def plan_erasure(stack: Stack, file_id: str) -> Erasure:
    """Everything that the stack has of the file's key.

    Raises `PipectlError` if the stack does not know the file, or if one of the key's versions is
    running: it would write its outputs again.
    """
    table, executions = MetadataItems(stack), Executions(stack)
    bucket, key = _source_of(file_id, table, executions)
    items = {item["file_id"]: item for item in table.of_sources([f"{bucket}/{key}"]).popitem()[1]}
    file_ids = list(dict.fromkeys((file_id, *items, *_listed_files(stack, bucket, key))))
    items |= table.get(one for one in file_ids if one not in items)
    running = running_files(executions)
    busy = [running[one] for one in file_ids if one in running]
    if busy:
        raise PipectlError(
            f"The execution {busy[0]} is processing a version of s3://{bucket}/{key}. Wait until it"
            " has ended, or stop it, and erase the file then."
        )
    objects = dict.fromkeys(_objects(stack, bucket, key, file_ids, items))
    own, shared = _sorted_letters(DeadLetterQueue(stack).peek(), file_ids)
    return Erasure(bucket, key, file_ids, list(objects), list(items.values()), len(own), shared)


def erase(stack: Stack, erasure: Erasure) -> None:
    """Erase it, outputs first and uploads last, so that it can be repeated if it is interrupted.

    The metadata items stay as a record, without what leads to the objects, and with time and
    caller: `erased_at` and `erased_by`.
    """
    identity = stack.deployment.session.client(
        "sts", endpoint_url=stack.deployment.endpoint
    ).get_caller_identity()
    delete_versions(stack, erasure.objects)
    queue = DeadLetterQueue(stack)
    with queue.held() as dead_letters:
        queue.delete(_sorted_letters(dead_letters, erasure.file_ids)[0])
    for item in erasure.items:
        _mark(stack, item["file_id"], str(identity["Arn"]))


def _source_of(file_id: str, table: MetadataItems, executions: Executions) -> tuple[str, str]:
    item = table.get([file_id]).get(file_id)
    if item is not None:
        return item["source_bucket"], item["source_key"]
    # The file's first attempt has its name.
    described = executions.describe(file_id)
    if described is None or not described.source:
        raise PipectlError(
            f"The stack knows no file {file_id}. List the files with `pipectl executions`."
        )
    return described.source["bucket"], described.source["key"]


def _listed_files(stack: Stack, bucket: str, key: str) -> Iterator[str]:
    """The files of the key's versions in the bucket; some have never run and have no item."""
    pages = stack.client("s3").get_paginator("list_object_versions")
    for page in pages.paginate(Bucket=bucket, Prefix=key):
        versions = page.get("Versions", ())
        own = [one for one in versions if one["Key"] == key]
        for source in sources_of(bucket, own, since=None, all_versions=True):
            yield source.file_id
        if len(own) < len(versions):
            return


def _objects(
    stack: Stack,
    bucket: str,
    key: str,
    file_ids: Sequence[str],
    items: Mapping[str, MetadataItem],
) -> Iterator[ObjectVersion]:
    """Outputs, then corrections and archived copies, then the uploads themselves."""
    outputs = stack.output("OutputBucketName")
    dataset = keys.dataset_of(key)
    for file_id in file_ids:
        yield from versions_below(stack, outputs, keys.work_of(file_id))
    for one in dict.fromkeys(_output_keys(bucket, key, dataset, file_ids, items)):
        yield from versions_of(stack, outputs, one)
    for file_id in file_ids:
        yield from versions_of(stack, bucket, keys.corrections_key(dataset, file_id))
        yield from versions_of(stack, bucket, keys.archive_key(dataset, file_id, key))
    yield from versions_of(stack, bucket, key)


def _output_keys(
    bucket: str,
    key: str,
    dataset: str,
    file_ids: Sequence[str],
    items: Mapping[str, MetadataItem],
) -> Iterator[str]:
    """The keys under which the key's outputs can be, recorded or not."""
    for item in items.values():
        yield from (item[name] for name in _OUTPUT_POINTERS if item.get(name))
    suffixes = [one.suffix for one in FORMATS.values()]
    path = keys.output_path(bucket, key, suffixes)
    for name in (path, *(keys.path_of_version(path, file_id) for file_id in file_ids)):
        yield from (keys.processed_key(dataset, name, suffix) for suffix in suffixes)
        yield keys.rejected_key(dataset, name)
    for file_id in file_ids:
        yield keys.corrections_key(dataset, file_id)
        yield keys.applied_key(dataset, file_id)
        yield keys.summary_key(dataset, file_id)
        yield keys.report_key(dataset, file_id)


def _sorted_letters(
    dead_letters: Sequence[DeadLetter], file_ids: Sequence[str]
) -> tuple[list[DeadLetter], int]:
    """The messages about these files alone, and the number of those about others as well."""
    about = [one for one in dead_letters if set(one.file_ids) & set(file_ids)]
    own = [one for one in about if set(one.file_ids) <= set(file_ids)]
    return own, len(about) - len(own)


def _mark(stack: Stack, file_id: str, caller: str) -> None:
    # Some of them are reserved words in expressions.
    names = {f"#{name}": name for name in POINTERS}
    stack.client("dynamodb").update_item(
        TableName=stack.output("MetadataTableName"),
        Key={"file_id": {"S": file_id}},
        UpdateExpression=f"SET erased_at = :at, erased_by = :by,"
        " revision = if_not_exists(revision, :zero) + :one"
        f" REMOVE {', '.join(names)}",
        ExpressionAttributeNames=names,
        ConditionExpression="attribute_exists(file_id)",
        ExpressionAttributeValues={
            ":at": {"S": iso(datetime.now(UTC))},
            ":by": {"S": caller},
            ":zero": {"N": "0"},
            ":one": {"N": "1"},
        },
    )
