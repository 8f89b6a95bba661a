"""How far a Map over the splits of a large file is, read from the parts that it has written."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.errors import is_missing
from shared.keys import Work

if TYPE_CHECKING:
    from pipectl.client.deployment import Deployment

# Seconds between two looks at the parts of a file.
_LOOK_SECONDS = 1.0
_SPLIT = re.compile(r"\d+")

MEASURE, TRANSFORM = "MeasureSplits", "TransformSplits"
# What a step writes last for a split, with the number of the split's records.
_REPORTS = {MEASURE: ".measure.json", TRANSFORM: ".report.json"}


@dataclass(frozen=True)
class SplitsDone:
    """The splits of a file that are done: their number, bytes and records, and those of all."""

    splits: int
    splits_of: int
    size: int
    size_of: int
    records: int
    seconds: float

    def __str__(self) -> str:
        """For people: `3 of 7 splits, 43%, 512,000 records/s`; the rate once a split is done."""
        text = f"{self.splits:,} of {self.splits_of:,} splits"
        if not self.splits:
            return text
        rate = round(self.records / max(self.seconds, 0.001))
        return f"{text}, {self.size * 100 // max(self.size_of, 1)}%, {rate:,} records/s"


class MapProgress:
    """Follows the parts that one execution writes in the state `MEASURE` or `TRANSFORM`.

    A part's report is written last, so a split is done when its report exists. The report has the
    number of the split's records. `size` is the file's, in bytes.
    """

    def __init__(self, deployment: Deployment, work: Work, state: str, size: int) -> None:
        self._s3 = deployment.client("s3")
        self._bucket = deployment.outputs["OutputBucketName"]
        self._parts = work.parts
        self._report = _REPORTS[state]
        self._plan = work.splits if state == MEASURE else work.numbered_splits
        self._size = size
        self._started = time.monotonic()
        self._looked: float | None = None
        self._planned: list[Mapping[str, Any]] = []
        self._records: dict[int, int] = {}
        self._last_part = self._started

    def read(self) -> SplitsDone:
        """What is done by now. Looks at the parts at most once a second."""
        now = time.monotonic()
        if self._looked is None or now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            self._look(now)
        return SplitsDone(
            splits=len(self._records),
            splits_of=len(self._planned),
            size=sum(self._bytes(split) for split in self._planned if self._done(split)),
            size_of=sum(map(self._bytes, self._planned)),
            records=sum(self._records.values()),
            # Not until now: the records since the last part are not known yet.
            seconds=self._last_part - self._started,
        )

    def _look(self, now: float) -> None:
        self._planned = self._planned or self._document(self._plan) or []
        pages = self._s3.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix=self._parts):
            for found in page.get("Contents", []):
                name = found["Key"].removeprefix(self._parts)
                split = name.removesuffix(self._report)
                if split == name or not _SPLIT.fullmatch(split) or int(split) in self._records:
                    continue
                report = self._document(found["Key"])
                if report is not None:
                    # A split that is not aligned has no count.
                    self._records[int(split)] = int(report.get("record_count", 0))
                    self._last_part = now

    def _done(self, split: Mapping[str, Any]) -> bool:
        return split["index"] in self._records

    def _bytes(self, split: Mapping[str, Any]) -> int:
        end = self._size if split["end"] is None else split["end"]
        return int(end - split["start"])

    def _document(self, key: str) -> Any:
        try:
            return json.loads(self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read())
        except ClientError as error:
            if is_missing(error):
                return None
            raise
