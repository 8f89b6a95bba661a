"""The rejected records of a file: the published ones, or those that a failed run has left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import ClientError

from pipectl.client.executions import Executions
from pipectl.client.metadata import Item, Items
from pipectl.errors import PipectlError
from shared import keys
from shared.errors import is_missing

if TYPE_CHECKING:
    from pipectl.client.stack import Stack

Kind = Literal["jsonl", "csv"]

# The template's lifecycle rule for work/.
WORK_EXPIRES_AFTER = timedelta(days=15)

_PIECE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Rejects:
    """Where a file's rejected records are: objects that together, in this order, hold them all.

    `about` says for people whether they are published, and why not; it also explains why there are
    none, where `keys` is empty.
    """

    bucket: str
    keys: Sequence[str]
    about: str


def find(stack: Stack, file_id: str, kind: Kind, *, now: datetime | None = None) -> Rejects:
    """Find a file's rejected records; `kind` is `jsonl` (with reasons) or `csv` (to correct).

    Raises `PipectlError` where nothing is known of the file, or what was known has expired.
    """
    item = Items(stack).get([file_id]).get(file_id)
    if item is not None and item["status"] == "succeeded":
        return _published(item, kind)
    bucket = stack.output("OutputBucketName")
    parts = _parts(stack, bucket, file_id, kind)
    if parts:
        place = f"s3://{bucket}/{keys.parts_prefix(file_id)}"
        return Rejects(bucket, parts, f"From the last run, {place}: {_outcome(item)}.")
    if item is None:
        return Rejects(bucket, (), _without_item(stack, file_id))
    age = (now or datetime.now(UTC)) - datetime.fromisoformat(item["failed_at"])
    if age > WORK_EXPIRES_AFTER:
        raise PipectlError(
            f"The file {file_id} failed {age.days} days ago. The rejected records of a failed file"
            f" are deleted after {WORK_EXPIRES_AFTER.days} days. To get them again, run it again:"
            f" pipectl rerun {file_id}"
        )
    return Rejects(bucket, (), f"No records of the file were rejected: {_outcome(item)}.")


def pieces(stack: Stack, rejects: Rejects) -> Iterator[bytes]:
    """The bytes of the rejected records, piece by piece; raises `PipectlError` if they are gone."""
    s3 = stack.client("s3")
    for key in rejects.keys:
        try:
            body = s3.get_object(Bucket=rejects.bucket, Key=key)["Body"]
        except ClientError as error:
            if is_missing(error):
                raise PipectlError(
                    f"s3://{rejects.bucket}/{key} is no longer there: it was deleted, or the file"
                    " has been run again. Try once more."
                ) from None
            raise
        yield from body.iter_chunks(_PIECE_BYTES)


def lines(stack: Stack, rejects: Rejects) -> Iterator[bytes]:
    """The JSON Lines of the rejected records, one each, without its line end."""
    rest = b""
    for piece in pieces(stack, rejects):
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _published(item: Item, kind: Kind) -> Rejects:
    key = item.get("rejected_key" if kind == "jsonl" else "rejected_csv_key")
    counts = f"{item['error_count']} of {item['record_count']} records"
    if key is None:
        return Rejects("", (), f"No records of the file were rejected: {counts}.")
    bucket = str(item["output_bucket"])
    return Rejects(bucket, (key,), f"{counts} were rejected: s3://{bucket}/{key}")


def _parts(stack: Stack, bucket: str, file_id: str, kind: Kind) -> list[str]:
    """The parts of the rejects that the last run left, in the order of the splits."""
    pages = stack.client("s3").get_paginator("list_objects_v2")
    sizes = {
        found["Key"]: found["Size"]
        for page in pages.paginate(Bucket=bucket, Prefix=keys.parts_prefix(file_id))
        for found in page.get("Contents", [])
    }
    # A CSV part can be its header alone, so the other kind says whether there is any record.
    if not any(size for key, size in sizes.items() if key.endswith(".rejected.jsonl")):
        return []
    return sorted(key for key, size in sizes.items() if size and key.endswith(f".rejected.{kind}"))


def _outcome(item: Item | None) -> str:
    if item is None:
        return "the file has not been recorded as succeeded or failed"
    error = item["error"]
    return f"the file failed with {error['code']} in {error['state']}"


def _without_item(stack: Stack, file_id: str) -> str:
    attempts = Executions(stack).attempts(file_id, 0)
    if not attempts:
        raise PipectlError(
            f"Nothing is known of the file {file_id}. See the files there are: pipectl executions"
        )
    last = attempts[-1]
    if last.running:
        return f"No records have been rejected so far: {last.name} is still running."
    return f"No records of the file were rejected: its execution {last.name} {last.status}."
