"""Checks corrected rows of a file on this machine, uploads them, and follows their execution."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipectl.client.metadata_items import MetadataItem, MetadataItems
from pipectl.client.step_functions import DescribedExecution, Executions
from pipectl.client.uploads import find_contract
from pipectl.errors import PipectlError
from pipectl.operate.find_rejects import find_rejects, read_bytes
from shared.errors import is_missing
from shared.executions import attempt_name
from shared.keys import archive_key, corrections_key
from tabular.contract.descriptor import read_contract
from tabular.correction_format import is_cut
from tabular.errors import TabularError
from tabular.reading.corrected_rows import MAX_CORRECTED_BYTES, read_corrected_rows, too_large
from tabular.reading.layout import Layout, read_layout
from tabular.values.cells import reader
from tabular.writing.output_formats import FORMATS

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack
    from tabular.faults import Fault
    from tabular.reading.patches import Patch

_HEAD_BYTES = 1024 * 1024
_AWS_INTERVAL = 2.0
_EMBEDDED_INTERVAL = 0.1
# The upload waits for a running attempt, which may take as long as the workflow allows. Without
# one, an attempt starts within seconds.
_PATIENCE_SECONDS = 180


@dataclass(frozen=True)
class CorrectedRow:
    """One changed row: its number, its changed cells, and what is still wrong with its cells.

    `changes` has the column's name, the text before and the text after of each changed cell.
    """

    row: int
    changes: tuple[tuple[str, str, str], ...]
    faults: tuple[Fault, ...]

    def to_document(self) -> dict[str, Any]:
        """What `pipectl correct --json` prints."""
        return {
            "row": self.row,
            "changes": [
                {"column": name, "before": before, "after": after}
                for name, before, after in self.changes
            ],
            "errors": [fault.to_document() for fault in self.faults],
        }


@dataclass
class FileCorrection:
    """The corrected rows of a file, and the execution that they have started, once there is one."""

    item: MetadataItem
    content: bytes
    rows: list[CorrectedRow]
    execution: DescribedExecution | None = None
    outcome: Mapping[str, Any] = field(default_factory=dict)

    @property
    def file_id(self) -> str:
        """The file whose rows are corrected."""
        return str(self.item["file_id"])

    @property
    def wrong(self) -> int:
        """The number of changed rows that will be rejected again."""
        return sum(bool(row.faults) for row in self.rows)

    def to_document(self) -> dict[str, Any]:
        """What `pipectl correct --json` prints."""
        names = ("record_count", "processed_count", "error_count", "corrected_count")
        return {
            "file_id": self.file_id,
            "rows": [row.to_document() for row in self.rows],
            "execution": self.execution.name if self.execution else None,
            "status": self.outcome.get("status"),
            "error": self.outcome.get("error"),
            **{name: self.outcome.get(name) for name in names},
        }


def check_corrections(stack: Stack, file_id: str, path: Path) -> FileCorrection:
    """Compare a corrected file with the rejected rows, and its changed cells with the contract.

    Uniqueness, and limits of the whole file, are checked only when the file is processed again.
    Raises `PipectlError` if the file is unknown or has no rejected rows, or if rows can't be used.
    """
    item = MetadataItems(stack).get([file_id]).get(file_id)
    if item is None:
        raise PipectlError(
            f"Nothing is known of the file {file_id}. List the known files with: pipectl executions"
        )
    try:
        if path.stat().st_size > MAX_CORRECTED_BYTES:
            raise too_large(path.stat().st_size)
        content = path.read_bytes()
        rejects = find_rejects(stack, file_id, "csv")
        if not rejects.keys:
            raise PipectlError(rejects.about)
        layout = _layout(stack, item)
        patches = read_corrected_rows(content, read_bytes(stack, rejects), layout)
        rows = [_checked(patch, layout) for patch in patches]
    except TabularError as error:
        raise PipectlError(f"{type(error).__name__}: {error}") from None
    return FileCorrection(item, content, rows)


def upload_corrections(stack: Stack, correction: FileCorrection) -> str | None:
    """Upload the corrected rows, which starts the file's next attempt; returns their version."""
    answer = stack.client("s3").put_object(
        Bucket=stack.output("InputBucketName"),
        Key=corrections_key(correction.item["dataset"], correction.file_id),
        Body=correction.content,
        ContentType="text/csv",
    )
    version: str | None = answer.get("VersionId")
    return version


def follow_corrections(
    stack: Stack,
    correction: FileCorrection,
    version: str | None,
    waiting: Callable[[DescribedExecution], None],
) -> None:
    """Wait for the attempt that the upload starts, and for its outcome.

    `waiting` is called for each running attempt that has to end first. Raises `PipectlError` if no
    attempt starts.
    """
    executions = Executions(stack)
    interval = _EMBEDDED_INTERVAL if stack.emulated else _AWS_INTERVAL
    first, last_change = int(correction.item["attempt"]), time.monotonic()
    waited: set[str] = set()
    while True:
        found = _attempt_with(executions, correction.file_id, first, version)
        if found is not None and not found.running:
            correction.execution = found
            break
        for other in _running(executions, correction.file_id, first) if found is None else ():
            last_change = time.monotonic()
            if other.name not in waited:
                waited.add(other.name)
                waiting(other)
        if found is None and time.monotonic() - last_change > _PATIENCE_SECONDS:
            raise PipectlError(
                f"No execution was started within {_PATIENCE_SECONDS} s. Either the message is"
                " still in the processing queue, or the starter refused it and logged the reason."
            )
        time.sleep(interval)
    correction.outcome = MetadataItems(stack).get([correction.file_id])[correction.file_id]


def _attempt_with(
    executions: Executions, file_id: str, first: int, version: str | None
) -> DescribedExecution | None:
    for execution in _attempts(executions, file_id, first):
        upload = execution.document.get("corrections") or {}
        if upload.get("version_id") == version:
            return execution
    return None


def _running(executions: Executions, file_id: str, first: int) -> Iterator[DescribedExecution]:
    return (one for one in _attempts(executions, file_id, first) if one.running)


def _attempts(executions: Executions, file_id: str, first: int) -> Iterator[DescribedExecution]:
    """The attempts from `first` on; the first may have been removed, 90 days after its end."""
    for number in itertools.count(first):
        execution = executions.describe(attempt_name(file_id, number))
        if execution is not None:
            yield execution
        elif number > first:
            return


def _layout(stack: Stack, item: MetadataItem) -> Layout:
    """How the file is read under the contract that its dataset has now."""
    s3 = stack.client("s3")
    bucket, dataset = item["source_bucket"], item["dataset"]
    key = find_contract(stack.deployment, dataset)
    contract = None
    if key is not None:
        body = s3.get_object(Bucket=stack.output("InputBucketName"), Key=key)["Body"].read()
        contract = read_contract(body, output_formats=FORMATS)
    places: list[dict[str, Any]] = [
        {
            "Bucket": bucket,
            "Key": item["source_key"],
            **({"VersionId": item["source_version_id"]} if "source_version_id" in item else {}),
        },
        {"Bucket": bucket, "Key": archive_key(dataset, item["file_id"], item["source_key"])},
    ]
    size = int(item["source_bytes"])

    def read(start: int, length: int) -> bytes:
        for place in places:
            try:
                answer = s3.get_object(**place, Range=f"bytes={start}-{start + length - 1}")
            except ClientError as error:
                if not is_missing(error):
                    raise
                continue
            content: bytes = answer["Body"].read()
            return content
        raise PipectlError(f"The file {item['file_id']} no longer exists in s3://{bucket}.")

    head = read(0, min(size, _HEAD_BYTES))
    return read_layout(head, size=size, name=item["source_key"], contract=contract, read=read)


def _checked(patch: Patch, layout: Layout) -> CorrectedRow:
    cells = [
        old if new is None else new for old, new in zip(patch.before, patch.after, strict=True)
    ]
    changes = tuple(
        (label, old, new)
        for label, old, new in zip(layout.labels, patch.before, patch.after, strict=True)
        if new is not None
    )
    faults = tuple(
        fault
        for column in layout.columns
        if column.position is not None and not is_cut(cells[column.position])
        for fault in reader(column.field)(cells[column.position]).faults
    )
    return CorrectedRow(patch.row, changes, faults)
