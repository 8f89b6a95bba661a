"""Concatenate S3 objects into one, by server-side copies wherever S3 allows them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from shared.clients import s3
from shared.errors import InternalError, SourceNotFound, aws_errors
from shared.job import Location
from shared.storage import (
    Condition,
    ObjectChanged,
    ObjectWriter,
    Properties,
    abort_upload,
    conditional,
    content_type,
    read_range,
)

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, CopySourceTypeDef

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
MIN_PIECE = 5 * 1024**2
MAX_PIECE = 5 * 1024**3
MAX_PIECES = 10_000
# A server-side copy only makes the caller wait, and an output of terabytes takes thousands of them.
COPIES_AT_ONCE = 64
# A joined piece takes less than 10 MiB of memory, and twice that while it is being joined.
_JOINS_AT_ONCE = 16


@dataclass(frozen=True)
class Slice:
    """Bytes `start .. start + length` of an object, or of bytes in memory."""

    source: Location | bytes
    start: int
    length: int


@dataclass(frozen=True)
class Piece:
    """One part of a multipart upload: S3 copies a single slice; several are joined in memory."""

    slices: tuple[Slice, ...]

    @property
    def length(self) -> int:
        """The piece's size in bytes."""
        return sum(slice_.length for slice_ in self.slices)


def compose(
    sources: Sequence[Location | bytes],
    bucket: str,
    key: str,
    properties: Properties | None = None,
    condition: Condition | None = None,
) -> None:
    """Write the bytes of the sources, one after the other, to `s3://bucket/key`.

    `properties` are the properties of the new object; without them its media type follows from its
    key. The object appears complete or not at all, by one request, and only if the condition is met
    at that moment: otherwise `ObjectChanged` is raised. Sources smaller than S3's minimum part size
    are downloaded, less than 10 MiB for each; at most `_JOINS_AT_ONCE` such pieces are in memory.

    Example: sources of 2, 2 and 20 MiB become a first piece of 5 MiB, joined in memory from all of
    the first two and 1 MiB of the third, and a second piece, the other 19 MiB, copied by S3.

    Raises `SourceNotFound` or `SourceChanged` if a source is missing or has changed,
    `TransientError` if a retry can help, and `InternalError` if the object would need more pieces
    than S3 accepts.
    """
    pieces = list(plan_pieces(sources))
    if len(pieces) > MAX_PIECES:
        raise InternalError(
            f"{key} would need {len(pieces)} pieces; S3 accepts {MAX_PIECES}. Raise SplitSizeBytes."
        )
    properties = properties or {"ContentType": content_type(key)}
    if condition is None and len(pieces) == 1 and (source := _copied(pieces[0])):
        _copy(source, bucket, key, properties)
    elif sum(piece.length for piece in pieces) < MIN_PIECE:
        with ObjectWriter(bucket, key, properties, condition) as writer:
            for piece in pieces:
                writer.write(_read(piece))
    else:
        _write_pieces(pieces, bucket, key, properties, condition or {})


def plan_pieces(sources: Sequence[Location | bytes]) -> Iterator[Piece]:
    """Cut the sources into pieces that S3 accepts: 5 MiB to 5 GiB, and the last can be smaller.

    A source that is too small to be a piece is joined with the beginning of the next one.
    """
    pending: list[Slice] = []
    for source in sources:
        rest = Slice(source, 0, len(source) if isinstance(source, bytes) else source.size)
        missing = MIN_PIECE - sum(slice_.length for slice_ in pending)
        if pending and rest.length:
            head, rest = _cut(rest, missing)
            pending.append(head)
            if head.length == missing:
                yield Piece(tuple(pending))
                pending = []
        if not pending:
            while rest.length >= MIN_PIECE:
                head, rest = _cut(rest, MAX_PIECE)
                yield Piece((head,))
            if rest.length:
                pending.append(rest)
    if pending:
        yield Piece(tuple(pending))


def _cut(slice_: Slice, length: int) -> tuple[Slice, Slice]:
    head = replace(slice_, length=min(length, slice_.length))
    tail = replace(slice_, start=slice_.start + head.length, length=slice_.length - head.length)
    return head, tail


def _copy(source: Location, bucket: str, key: str, properties: Properties) -> None:
    """Copy a whole object with its tags, in one request, which has no condition."""
    with aws_errors(source.uri, missing=SourceNotFound):
        s3().copy_object(
            Bucket=bucket,
            Key=key,
            CopySource=_copy_source(source),
            CopySourceIfMatch=source.etag,
            MetadataDirective="REPLACE",
            **properties,
        )


def _write_pieces(
    pieces: Sequence[Piece], bucket: str, key: str, properties: Properties, condition: Condition
) -> None:
    place = f"s3://{bucket}/{key}"
    with aws_errors(place):
        upload_id = s3().create_multipart_upload(Bucket=bucket, Key=key, **properties)["UploadId"]
    joining = BoundedSemaphore(_JOINS_AT_ONCE)

    def write(number: int, piece: Piece) -> str:
        with nullcontext() if _copied(piece) else joining:
            return _write_piece(piece, bucket, key, upload_id, number)

    # The bucket's lifecycle rule removes the upload of a function that was stopped.
    with ThreadPoolExecutor(max_workers=COPIES_AT_ONCE) as pool:
        etags = pool.map(write, itertools.count(1), pieces)
        parts: list[CompletedPartTypeDef] = [
            {"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, start=1)
        ]
    # Only number and ETag, as in storage.py: S3 would answer InvalidPart to a part's checksum.
    try:
        with conditional(place, condition):
            s3().complete_multipart_upload(
                Bucket=bucket,
                Key=key,
                UploadId=upload_id,
                MultipartUpload={"Parts": parts},
                **condition,
            )
    except ObjectChanged:
        abort_upload(bucket, key, upload_id)
        raise


def _write_piece(piece: Piece, bucket: str, key: str, upload_id: str, number: int) -> str:
    """Copy or join one piece into the upload; returns its ETag."""
    source = _copied(piece)
    if source is None:
        body = _read(piece)
        with aws_errors(f"s3://{bucket}/{key}"):
            return s3().upload_part(
                Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=body
            )["ETag"]
    only = piece.slices[0]
    with aws_errors(source.uri, missing=SourceNotFound):
        copied = s3().upload_part_copy(
            Bucket=bucket,
            Key=key,
            UploadId=upload_id,
            PartNumber=number,
            CopySource=_copy_source(source),
            CopySourceIfMatch=source.etag,
            CopySourceRange=f"bytes={only.start}-{only.start + only.length - 1}",
        )
    return copied["CopyPartResult"]["ETag"]


def _copied(piece: Piece) -> Location | None:
    """The object of which the piece is a single slice, so that S3 can copy it; else None."""
    source = piece.slices[0].source
    return source if len(piece.slices) == 1 and isinstance(source, Location) else None


def _read(piece: Piece) -> bytes:
    return b"".join(_read_slice(slice_) for slice_ in piece.slices)


def _read_slice(slice_: Slice) -> bytes:
    if isinstance(slice_.source, bytes):
        return slice_.source[slice_.start : slice_.start + slice_.length]
    return read_range(slice_.source, slice_.start, slice_.length)


def _copy_source(source: Location) -> CopySourceTypeDef:
    if source.version_id:
        return {"Bucket": source.bucket, "Key": source.key, "VersionId": source.version_id}
    return {"Bucket": source.bucket, "Key": source.key}
