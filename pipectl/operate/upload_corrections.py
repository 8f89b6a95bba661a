"""Uploads the rejected rows of a file, as they are or corrected, to be run again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pipectl.client.metadata_items import MetadataItem, MetadataItems
from pipectl.client.step_functions import Executions
from pipectl.errors import PipectlError
from pipectl.operate.rerun_options import RerunOptions
from pipectl.operate.rerun_plan import FileRerun
from shared.keys import correction_key
from shared.sources import source_of_object

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack


def upload_rejected_rows(stack: Stack, options: RerunOptions) -> FileRerun:
    """Upload a file's rejected rows, or the corrected copy of them; returns what to follow.

    The key `raw/<dataset>/<file_id>.csv` makes the upload a correction. Raises `PipectlError` if
    the file has no rejected rows and, unless forced, if records of an earlier correction would be
    lost.
    """
    file_id, corrected = str(options.targets[0].file_id), options.corrected
    items = MetadataItems(stack)
    item = items.get([file_id]).get(file_id)
    problem = _obstacle(file_id, item)
    bucket = stack.output("InputBucketName")
    if item is not None and problem is None and corrected is None and not options.force:
        place = f"{bucket}/{correction_key(item['dataset'], file_id)}"
        problem = _loss(current_correction(stack, items.of_sources([place])[place]))
    if item is None or problem is not None:
        raise PipectlError(problem or _unknown(file_id))
    key = correction_key(item["dataset"], file_id)
    s3 = stack.client("s3")
    if corrected is None:
        # A managed copy: it copies in parts if the rows are more than 5 GB.
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
    rows = f"corrected rows from {corrected}" if corrected else "rejected rows as they are"
    return FileRerun(
        source.file_id,
        source.uri,
        "correction",
        f"{rows}, of the file {file_id}",
        status="started",
        execution_arn=Executions(stack).arn(source.file_id),
    )


def current_correction(stack: Stack, corrections: Iterable[MetadataItem]) -> MetadataItem | None:
    """The correction whose records are in the output.

    A later correction replaces them, and so does the file's own run under another contract.
    """
    succeeded = [one for one in corrections if one["status"] == "succeeded"]
    if not succeeded:
        return None
    last = max(succeeded, key=lambda one: str(one["recorded_at"]))
    listed = stack.client("s3").list_objects_v2(
        Bucket=last["output_bucket"], Prefix=last["output_key"], MaxKeys=1
    )
    return last if listed["KeyCount"] else None


def _loss(correction: MetadataItem | None) -> str | None:
    """Why the rejected rows should not run as they are: an earlier correction gave records."""
    if correction is None or not correction.get("processed_count"):
        return None
    return (
        f"Its correction {correction['file_id']} gave {correction['processed_count']} records, and"
        " the rejected rows as they are would replace them. Name a corrected copy with --with, or"
        " add --force to replace them."
    )


def _obstacle(file_id: str, item: MetadataItem | None) -> str | None:
    """Why a file has no rejected rows to run again; None if it has some."""
    if item is None:
        return _unknown(file_id)
    if item["status"] != "succeeded":
        return (
            f"The file {file_id} failed with {item['error']['code']}, so it has no rejected rows."
            f" Rerun it with: pipectl rerun {file_id}"
        )
    if "rejected_csv_key" not in item:
        return f"The file {file_id} has no rejected rows: all its records were processed."
    return None


def _unknown(file_id: str) -> str:
    return f"Nothing is known of the file {file_id}. List the known files with: pipectl executions"
