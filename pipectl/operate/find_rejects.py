"""Finds the rejected records of a file: the published ones, or those that a failed run left."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from pipectl.client.metadata_items import MetadataItem, MetadataItems
from pipectl.client.step_functions import Executions
from pipectl.errors import PipectlError
from shared.errors import is_missing
from shared.keys import Work

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack

RejectsFormat = Literal["jsonl", "csv"]
_PARTS: dict[RejectsFormat, str] = {"jsonl": ".rejected.jsonl", "csv": ".corrections.csv"}

# The template's lifecycle rule for work/.
WORK_EXPIRES_AFTER = timedelta(days=15)

_PIECE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class FoundRejects:
    """Where a file's rejected records are: all of them, in the objects `keys`, in this order.

    `head` comes before them: the header of a CSV whose first part is missing.

    `about` says for people whether they are published, and if not, why. If `keys` is empty, it says
    why there are none.
    """

    bucket: str
    keys: Sequence[str]
    about: str
    head: bytes = b""


def find_rejects(
    stack: Stack, file_id: str, kind: RejectsFormat, *, now: datetime | None = None
) -> FoundRejects:
    """Find a file's rejected records; `kind` is `jsonl` (with reasons) or `csv` (to correct).

    Raises `PipectlError` if nothing is known of the file or its rejected records have expired.
    """
    item = MetadataItems(stack).get([file_id]).get(file_id)
    if item is not None and item["status"] == "succeeded":
        return _published(item, kind)
    bucket = stack.output("OutputBucketName")
    work = Work(file_id, _last_execution(stack, file_id, item))
    parts = _parts(stack, bucket, work, kind)
    if not parts and kind == "csv":
        parts = _uncorrected(stack, bucket, work)
    if parts:
        place = f"s3://{bucket}/{parts[0].rpartition('/')[0]}/"
        about = f"From the last run, {place}: {_outcome(item)}."
        head = _missing_head(stack, bucket, parts[0]) if kind == "csv" else b""
        return FoundRejects(bucket, parts, about, head)
    if item is None:
        return FoundRejects(bucket, (), _without_item(stack, file_id))
    if item["status"] != "failed":
        return FoundRejects(bucket, (), f"No records of the file were rejected: {_outcome(item)}.")
    age = (now or datetime.now(UTC)) - datetime.fromisoformat(item["failed_at"])
    if age > WORK_EXPIRES_AFTER:
        raise PipectlError(
            f"The file {file_id} failed {age.days} days ago. The rejected records of a failed file"
            f" are deleted after {WORK_EXPIRES_AFTER.days} days. To create them again, rerun the"
            f" file: pipectl rerun {file_id}"
        )
    return FoundRejects(bucket, (), f"No records of the file were rejected: {_outcome(item)}.")


def read_bytes(stack: Stack, rejects: FoundRejects) -> Iterator[bytes]:
    """The bytes of the rejected records, in pieces; raises `PipectlError` if an object is gone."""
    if rejects.head:
        yield rejects.head
    s3 = stack.client("s3")
    for key in rejects.keys:
        try:
            body = s3.get_object(Bucket=rejects.bucket, Key=key)["Body"]
        except ClientError as error:
            if is_missing(error):
                raise PipectlError(
                    f"s3://{rejects.bucket}/{key} no longer exists: it was deleted, or the file has"
                    " been rerun. Try again."
                ) from None
            raise
        yield from body.iter_chunks(_PIECE_BYTES)


def read_lines(stack: Stack, rejects: FoundRejects) -> Iterator[bytes]:
    """The rejected records as JSON, one line each, without line ends."""
    rest = b""
    for piece in read_bytes(stack, rejects):
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _last_execution(stack: Stack, file_id: str, item: MetadataItem | None) -> str:
    if item is not None:
        return str(item["execution_name"])
    attempts = Executions(stack).attempts(file_id, 0)
    return attempts[-1].name if attempts else file_id


def _published(item: MetadataItem, kind: RejectsFormat) -> FoundRejects:
    key = item.get("rejected_key" if kind == "jsonl" else "corrections_key")
    counts = f"{item['error_count']} of {item['record_count']} records"
    if key is None and "rejected_key" in item:
        about = f"{counts} were rejected, but not written as CSV. Rerun the file to get it, with"
        return FoundRejects("", (), f"{about}: pipectl rerun --force {item['file_id']}")
    if key is None:
        return FoundRejects("", (), f"No records of the file were rejected: {counts}.")
    bucket = str(item["output_bucket"])
    return FoundRejects(bucket, (key,), f"{counts} were rejected: s3://{bucket}/{key}")


def _parts(stack: Stack, bucket: str, work: Work, kind: RejectsFormat) -> list[str]:
    """The keys of the rejects that the last run left in its parts, in the order of the splits."""
    pages = stack.client("s3").get_paginator("list_objects_v2")
    sizes = {
        found["Key"]: found["Size"]
        for page in pages.paginate(Bucket=bucket, Prefix=work.parts)
        for found in page.get("Contents", [])
    }
    # A CSV part may be a header only. Whether there are records is decided by the other format.
    if not any(size for key, size in sizes.items() if key.endswith(".rejected.jsonl")):
        return []
    return sorted(key for key, size in sizes.items() if size and key.endswith(_PARTS[kind]))


def _uncorrected(stack: Stack, bucket: str, work: Work) -> list[str]:
    """The rows that a failed execution with corrections was to correct, of an earlier one."""
    document = _document(stack, bucket, work.corrections)
    return list(document["generated"]) if document else []


def _missing_head(stack: Stack, bucket: str, first: str) -> bytes:
    """The header of the CSV, if the part of the first split, which has it, is missing."""
    folder, _, name = first.rpartition("/parts/")
    if not name or name.startswith("00000."):
        return b""
    from tabular.correction_format import head as corrections_head

    plan = _document(stack, bucket, f"{folder}/plan.json")
    return corrections_head(plan["layout"]["labels"]) if plan else b""


def _document(stack: Stack, bucket: str, key: str) -> Any:
    try:
        return json.loads(stack.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if is_missing(error):
            return None
        raise


def _outcome(item: MetadataItem | None) -> str:
    if item is None:
        return "the file is recorded neither as succeeded nor as failed"
    if item["status"] != "failed":
        return f"the file {item['status']}"
    error = item["error"]
    return f"the file failed with {error['code']} in {error['state']}"


def _without_item(stack: Stack, file_id: str) -> str:
    attempts = Executions(stack).attempts(file_id, 0)
    if not attempts:
        raise PipectlError(
            f"Nothing is known of the file {file_id}. List the known files with: pipectl executions"
        )
    last = attempts[-1]
    if last.running:
        return f"No records have been rejected so far: {last.name} is still running."
    return f"No records of the file were rejected: its execution {last.name} {last.status}."
