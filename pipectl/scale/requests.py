"""The requests that each state makes for a file whose key has no output yet.

The numbers follow the code in `functions/`. A test compares them with files on the embedded AWS.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shared.compose import MIN_PIECE, plan_pieces
from shared.job import Location
from shared.storage import PART_BYTES, RANGE_BYTES
from tabular.reading.splits import sample_count
from tabular.writing.output_formats import FORMATS

# Objects per page of a list.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
_LIST_PAGE = 1000
# Objects that a Map's ResultWriter writes: a manifest and one file of results.
_RESULT_OBJECTS = 2
# Objects of one of several parts: records, rejects as JSON and CSV, statistics, report, counts.
_PART_OBJECTS = 6
_COPY_BYTES = 5 * 1024**3

Requests = Counter[str]
"""Requests by `service:Operation`."""


@dataclass(frozen=True)
class FileProfile:
    """The properties of a file on which requests depend; sizes in bytes, per split in order."""

    splits: tuple[int, ...]
    output: tuple[int, ...]
    rejected: tuple[int, ...]
    """The processed and the rejected records of each split, as JSON Lines."""
    corrections: tuple[int, ...]
    tail: int = 0
    """Bytes that the output's format adds after the splits' parts, which are read for that."""

    @property
    def size(self) -> int:
        """The whole file."""
        return sum(self.splits)

    @property
    def has_rejects(self) -> bool:
        """Whether any record is rejected."""
        return any(self.rejected)


def requests_of(state: str, file: FileProfile, *, fails: bool = False) -> Requests:
    """The requests of a state of the parent execution, including a Map's children.

    A state that `fails` does so at its first look at the file, as ParseCsv does if the header can't
    be read. A Map fails with its first child.
    """
    if fails:
        return Counter(_AT_FAILURE.get(state, {}))
    made = _BY_STATE.get(state)
    return made(file) if made else Counter()


def total(requests: Mapping[str, int], *operations: str) -> int:
    """The sum of some operations' requests."""
    return sum(requests.get(operation, 0) for operation in operations)


# For a dataset without a contract, which takes one request more than with one: the contract is
# searched for among all, which are few, then among deleted objects under its name's first letter in
# both cases.
_NO_CONTRACT = {"s3:ListObjectsV2": 1, "s3:ListObjectVersions": 2}


def _parse(file: FileProfile) -> Requests:
    # The file's head, one window per boundary, or samples of a large file that is one split; the
    # plan, and several splits; the output of a later version.
    several = len(file.splits) > 1
    windows = len(file.splits) - 1 if several else sample_count(file.size)
    written = 1 + several
    made = {"s3:GetObject": 1 + windows, "s3:PutObject": written, "s3:HeadObject": 1}
    return Counter({**made, **_NO_CONTRACT})


def _measure_all(file: FileProfile) -> Requests:
    made = _map(file)
    for index, size in enumerate(file.splits):
        made += _reading(size, last=index == len(file.splits) - 1)
        made += Counter({"s3:GetObject": 1, "s3:PutObject": 1})  # the plan; the counts
    return made


def _number(file: FileProfile) -> Requests:
    # The splits and each one's counts; the numbered splits.
    return Counter({"s3:GetObject": 1 + len(file.splits), "s3:PutObject": 1})


def _transform_all(file: FileProfile) -> Requests:
    return _map(file) + _transform(file)


def _transform(file: FileProfile) -> Requests:
    made: Requests = Counter()
    if len(file.splits) == 1:
        # The plan; the report, with statistics and layout. What is empty is not written.
        made += _reading(file.size, last=True) + Counter({"s3:GetObject": 1, "s3:PutObject": 1})
        rejects = (*file.rejected, *file.corrections) if file.has_rejects else ()
        for written in (*file.output, *rejects):
            made += _writing(written)
        return made
    for index, size in enumerate(file.splits):
        made += _reading(size, last=index == len(file.splits) - 1)
        # The plan, and whether the part is there; statistics and report.
        made += Counter({"s3:GetObject": 2, "s3:PutObject": 2})
        for written in (file.output[index], file.rejected[index], file.corrections[index]):
            made += _writing(written)
    return made


def _write_output(file: FileProfile) -> Requests:
    splits = len(file.splits)
    # An only part without rejects has no other object, and is read whole if it is small.
    is_listed = splits > 1 or file.has_rejects or sum(file.output) >= MIN_PIECE
    pages = -(-splits * _PART_OBJECTS // _LIST_PAGE) if is_listed else 0
    # The reports, and of several parts the plan for the reject limits; the parts, and the file's
    # corrections; the output in the other formats before and after. Before rejected records are
    # published, the output in its own format, too; if there are none, those of an earlier version.
    made = Counter(
        {
            "s3:GetObject": splits + (file.has_rejects and splits > 1),
            "s3:ListObjectsV2": pages + 1,
            "s3:HeadObject": 2 * (len(FORMATS) - 1) + 1,
        }
    )
    if file.has_rejects:
        made += _composing(file.rejected) + _composing(file.corrections)
    if file.tail:
        made["s3:GetObject"] += splits
    return made + _composing(file.output, file.tail)


def _summarize(file: FileProfile) -> Requests:
    # A part's report and the dataset's history; of several parts the plan and the statistics;
    # summary, report and history.
    splits = len(file.splits)
    return Counter({"s3:GetObject": 2 + (1 + splits if splits > 1 else 0), "s3:PutObject": 3})


def _update_catalogue(file: FileProfile) -> Requests:
    # The plan; the dataset's table, and that of rejected records.
    return Counter({"s3:GetObject": 1, "glue:GetTable": 1 + file.has_rejects})


def _record(file: FileProfile) -> Requests:
    # Whether a later version has published its output in the meantime.
    return _record_failure(file) + Counter({"s3:HeadObject": 1})


def _record_failure(_file: FileProfile) -> Requests:
    return Counter({"dynamodb:PutItem": 1})


def _notify(_file: FileProfile) -> Requests:
    sent = {"sns:Publish": 1, "events:PutEvents": 1}
    return Counter({"dynamodb:UpdateItem": 1, **sent})


def _archive(file: FileProfile) -> Requests:
    copy = Counter({"s3:CopyObject": 1})
    if file.size > _COPY_BYTES:
        copy = _composing((file.size,))
    made = Counter({"s3:HeadObject": 2, "s3:DeleteObject": 1, "dynamodb:UpdateItem": 1})
    return made + copy


def _map(_file: FileProfile) -> Requests:
    """The Map's own requests: it reads its items and writes its results."""
    return Counter({"s3:GetObject": 1, "s3:PutObject": _RESULT_OBJECTS})


def _reading(size: int, *, last: bool) -> Requests:
    """Reading a split in ranges, and the bytes after it."""
    return Counter({"s3:GetObject": max(1, -(-size // RANGE_BYTES)) + (not last)})


def _writing(size: int) -> Requests:
    """Writing an object: one PUT, or an upload in parts."""
    if size < PART_BYTES:
        return Counter({"s3:PutObject": 1})
    parts = -(-size // PART_BYTES)
    return _upload("s3:UploadPart", parts)


def _composing(parts: tuple[int, ...], tail: int = 0) -> Requests:
    """Composing an object from parts and bytes: S3 copies parts, the function joins small ones."""
    sources: list[Location | bytes] = [Location("", "", None, "", size) for size in parts]
    pieces = list(plan_pieces([*sources, bytes(tail)]))
    joined = [
        piece
        for piece in pieces
        if len(piece.slices) > 1 or isinstance(piece.slices[0].source, bytes)
    ]
    # S3 copies a small object only without a condition, so its parts are read.
    is_small = sum(piece.length for piece in pieces) < MIN_PIECE
    read = [slice_ for piece in (pieces if is_small else joined) for slice_ in piece.slices]
    made = Counter({"s3:GetObject": sum(isinstance(slice_.source, Location) for slice_ in read)})
    if is_small:
        return made + Counter({"s3:PutObject": 1})
    made += _upload("s3:UploadPartCopy", len(pieces) - len(joined))
    return made + Counter({"s3:UploadPart": len(joined)})


def _upload(operation: str, parts: int) -> Requests:
    return Counter(
        {"s3:CreateMultipartUpload": 1, operation: parts, "s3:CompleteMultipartUpload": 1}
    )


_BY_STATE: dict[str, Callable[[FileProfile], Requests]] = {
    "ParseCsv": _parse,
    "MeasureSplits": _measure_all,
    "NumberSplits": _number,
    "TransformSplits": _transform_all,
    "Transform": _transform,
    "WriteOutput": _write_output,
    "Summarize": _summarize,
    "UpdateCatalogue": _update_catalogue,
    "RecordMetadata": _record,
    "Notify": _notify,
    "ArchiveSource": _archive,
    "SplitFailure": lambda _file: Counter({"s3:ListObjectsV2": 1, "s3:GetObject": 1}),
    "SendToDeadLetterQueue": lambda _file: Counter({"sqs:SendMessage": 1}),
    "NotifyFailure": lambda _file: Counter(
        {"s3:ListObjectsV2": 1, "sns:Publish": 1, "events:PutEvents": 1}
    ),
    "RecordFailure": _record_failure,
}

_AT_FAILURE: dict[str, dict[str, int]] = {
    # RecordFailure searches for the contract again, since the failed step did not return it.
    "ParseCsv": {
        "s3:GetObject": 1,
        "s3:ListObjectsV2": 2,
        "s3:ListObjectVersions": 2,
        "s3:HeadObject": 1,
    },
    "MeasureSplits": {"s3:GetObject": 3, "s3:PutObject": _RESULT_OBJECTS},
    "NumberSplits": {"s3:GetObject": 2},
    "TransformSplits": {"s3:GetObject": 4, "s3:PutObject": _RESULT_OBJECTS},
    "Transform": {"s3:GetObject": 2},
    "WriteOutput": {"s3:GetObject": 2},
    "Summarize": {"s3:GetObject": 2},
    "RecordMetadata": {"dynamodb:PutItem": 1},
    # RecordFailure reads what RecordMetadata has written.
    "Notify": {"events:PutEvents": 1, "dynamodb:GetItem": 1},
}

S3_WRITES = (
    "s3:PutObject",
    "s3:CopyObject",
    "s3:ListObjectsV2",
    "s3:ListObjectVersions",
    "s3:CreateMultipartUpload",
    "s3:UploadPart",
    "s3:UploadPartCopy",
    "s3:CompleteMultipartUpload",
)
"""S3's requests that are billed as writes. Deletes are free."""
S3_READS = ("s3:GetObject", "s3:HeadObject")
"""S3's requests that are billed as reads."""
SQS = ("s3:Notification", "sqs:ReceiveMessage", "sqs:DeleteMessageBatch", "sqs:SendMessage")
"""The requests to SQS, including S3's notification."""
