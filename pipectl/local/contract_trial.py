"""Checks what a contract would have done to the latest files of a dataset in a stack."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipectl.client.metadata_items import MetadataItem, MetadataItems
from pipectl.local.verdicts import Verdict, check_file
from shared.keys import DEFAULT_DATASET, RAW_PREFIX, dataset_of
from tabular.file_names import NO_IGNORED_NAMES, why_ignored

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack
    from tabular.model import Contract

_KEPT_ERRORS = 1
"""Number of errors kept for each file: the first one is enough to see what is wrong."""


@dataclass(frozen=True)
class Trial:
    """One file: its result in the pipeline, and its result with the contract.

    `before` is the metadata item of the file's latest run, None if it has not run.
    """

    key: str
    uploaded_at: datetime
    before: MetadataItem | None
    verdict: Verdict

    @property
    def status_before(self) -> str:
        """The status of the latest run, `never_run` without one."""
        return str(self.before["status"]) if self.before else "never_run"

    @property
    def rejected_before(self) -> int | None:
        """The number of records that were rejected; None if that is unknown."""
        count = (self.before or {}).get("error_count")
        return None if count is None else int(count)

    @property
    def status_now(self) -> str:
        """The status with the contract, without the limits of the stack."""
        return "failed" if self.verdict.file_error else "succeeded"

    @property
    def is_worse(self) -> bool:
        """Whether the file would fail now, or have more rejected records than it had."""
        if self.verdict.file_error is not None:
            return self.status_before != "failed"
        before = self.rejected_before
        return before is not None and self.verdict.error_count > before

    def to_document(self) -> dict[str, Any]:
        """The trial as `--json` prints it."""
        return {
            "key": self.key,
            "uploaded_at": self.uploaded_at.isoformat(),
            "before": {"status": self.status_before, "rejected": self.rejected_before},
            "now": {
                "status": self.status_now,
                "records": self.verdict.record_count,
                "rejected": self.verdict.error_count,
                "file_error": self.verdict.file_error,
                "first_error": next(iter(self.verdict.errors), None),
            },
            "worse": self.is_worse,
        }


def try_contract(stack: Stack, contract: Contract, dataset: str, most: int) -> Iterator[Trial]:
    """Check the dataset's latest files with a contract, newest first. Nothing is written."""
    bucket = stack.output("InputBucketName")
    objects = _latest(stack, bucket, dataset, most)
    items = MetadataItems(stack).of_sources(f"{bucket}/{one['Key']}" for one in objects)
    with tempfile.TemporaryDirectory(prefix="pipectl-trial-") as folder:
        for number, found in enumerate(objects):
            key = found["Key"]
            # The name decides how a file is read, so it is kept.
            path = Path(folder) / str(number) / key.rpartition("/")[2]
            path.parent.mkdir()
            stack.client("s3").download_file(bucket, key, str(path))
            verdict = check_file(path, contract, NO_IGNORED_NAMES, limit=_KEPT_ERRORS, source=key)
            path.unlink()
            runs = items[f"{bucket}/{key}"]
            yield Trial(key, found["LastModified"], _latest_run(runs, found), verdict)


def _latest(stack: Stack, bucket: str, dataset: str, most: int) -> Sequence[Mapping[str, Any]]:
    """The latest objects of a dataset that the pipeline doesn't ignore."""
    prefix = RAW_PREFIX if dataset == DEFAULT_DATASET else f"{RAW_PREFIX}{dataset}/"
    pages = (
        stack.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    )
    found = [
        one
        for page in pages
        for one in page.get("Contents", [])
        if dataset_of(one["Key"]) == dataset and not why_ignored(one["Key"], one["Size"])
    ]
    found.sort(key=lambda one: one["LastModified"], reverse=True)
    return found[:most]


def _latest_run(items: Sequence[MetadataItem], found: Mapping[str, Any]) -> MetadataItem | None:
    """The item of the version that is in the bucket now."""
    current = [item for item in items if item["source_etag"].strip('"') == found["ETag"].strip('"')]
    return max(current, key=lambda item: str(item["uploaded_at"]), default=None)
