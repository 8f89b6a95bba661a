"""Runs the rejected rows of a file again, as they are or mended."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pipectl.client.executions import Executions
from pipectl.client.metadata import Item, Items
from pipectl.errors import PipectlError
from pipectl.operate.rerun import Rerun
from shared.sources import source_of_object

if TYPE_CHECKING:
    from pipectl.client.stack import Stack


def upload_rejects(stack: Stack, file_id: str, corrected: Path | None, *, force: bool) -> Rerun:
    """Upload the rejected rows of a file, or a mended copy of them; returns what to follow.

    The name makes them a mend: `raw/<dataset>/<file_id>.csv`. Raises `PipectlError` where the file
    has no rejected rows, and unless forced where records of an earlier mend would be lost.
    """
    items = Items(stack)
    item = items.get([file_id]).get(file_id)
    problem = obstacle(file_id, item)
    if item is not None and problem is None and corrected is None and not force:
        place = f"{stack.output('InputBucketName')}/{correction_key(item)}"
        problem = corrected_already(current_correction(stack, items.of_sources([place])[place]))
    if item is None or problem is not None:
        raise PipectlError(problem or f"Nothing is known of the file {file_id}.")
    bucket, key = stack.output("InputBucketName"), correction_key(item)
    s3 = stack.client("s3")
    if corrected is None:
        # A managed copy: in parts where the rows are more than 5 GB.
        s3.copy({"Bucket": item["output_bucket"], "Key": item["rejected_csv_key"]}, bucket, key)
    else:
        s3.upload_file(str(corrected), bucket, key, ExtraArgs={"ContentType": "text/csv"})
    head = s3.head_object(Bucket=bucket, Key=key)
    source = source_of_object(
        bucket,
        key,
        version_id=head.get("VersionId"),
        etag=head["ETag"],
        size=head["ContentLength"],
        modified=head["LastModified"],
    )
    what = f"the mended rows of {corrected}" if corrected else "the rejected rows as they are"
    return Rerun(
        source.file_id,
        source.uri,
        "correction",
        f"{what}, of the file {file_id}",
        status="started",
        execution_arn=Executions(stack).arn(source.file_id),
    )


def correction_key(item: Item) -> str:
    """Where the rejected rows of a file are dropped to be run again."""
    return f"raw/{item['dataset']}/{item['file_id']}.csv"


def current_correction(stack: Stack, corrections: Iterable[Item]) -> Item | None:
    """The mend whose records are in the output: a later one replaces it, or the file's own run."""
    succeeded = [correction for correction in corrections if correction["status"] == "succeeded"]
    if not succeeded:
        return None
    last = max(succeeded, key=lambda correction: str(correction["recorded_at"]))
    listed = stack.client("s3").list_objects_v2(
        Bucket=last["output_bucket"], Prefix=last["output_key"], MaxKeys=1
    )
    return last if listed["KeyCount"] else None


def corrected_already(correction: Item | None) -> str | None:
    """Why the rejected rows should not be run again as they are: a mend gave records."""
    if correction is None or not correction.get("processed_count"):
        return None
    return (
        f"A mend of it, {correction['file_id']}, has given {correction['processed_count']} records,"
        " which the rejected rows as they are would replace. Give mended ones with --with,"
        " or run them all the same with --force."
    )


def obstacle(file_id: str, item: Item | None) -> str | None:
    """Why a file has no rejected rows that could be run again; None where it has some."""
    if item is None:
        return f"Nothing is known of the file {file_id}. See those there are: pipectl executions"
    if item["status"] != "succeeded":
        return (
            f"The file {file_id} has failed as a whole ({item['error']['code']}), so it has no"
            f" rejected rows. Run it again with: pipectl rerun {file_id}"
        )
    if "rejected_csv_key" not in item:
        return f"The file {file_id} has no rejected rows: all its records were processed."
    return None
