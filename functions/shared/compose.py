"""Make one S3 object of the bytes of others, on the S3 side wherever it allows that."""

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
from shared.storage import ObjectWriter, Properties, content_type, read_range

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, CopySourceTypeDef

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
MIN_PIECE = 5 * 1024**2
MAX_PIECE = 5 * 1024**3
MAX_PIECES = 10_000
# A copy on the S3 side is nothing but waiting, and of an output of terabytes there are thousands.
COPIES_AT_ONCE = 64
# A joined piece is under 10 MiB in memory, twice while it is joined.
_JOINS_AT_ONCE = 16


@dataclass(frozen=True)
class Slice:
    """Bytes `start .. start + length` of an object."""

    source: Location
    start: int
    length: int


@dataclass(frozen=True)
class Piece:
    """One part of a multipart upload: a single slice is copied by S3, several are joined here."""

    slices: tuple[Slice, ...]

    @property
    def length(self) -> int:
        """The piece's size in bytes."""
        return sum(slice_.length for slice_ in self.slices)


def compose(
    sources: Sequence[Location], bucket: str, key: str, properties: Properties | None = None
) -> None:
    """Write `s3://bucket/key` as the bytes of the sources, one after the other.

    `properties` are those of the new object; without them its type is told by its key. It appears
    whole or not at all. What is downloaded is less than 10 MiB for each source smaller than S3's
    least part size; memory holds a few such pieces.

    Raises `SourceNotFound` or `SourceChanged` where a source is not what it was,
    `TransientError` where trying again helps, `InternalError` where there would be more pieces
    than S3 takes.
    """
    pieces = list(plan_pieces(sources))
    if len(pieces) > MAX_PIECES:
        raise InternalError(
            f"{key} would need {len(pieces)} pieces, S3 takes {MAX_PIECES}. Raise the split size."
        )
    write = _write_single if len(pieces) <= 1 else _write_pieces
    write(pieces, bucket, key, properties or {"ContentType": content_type(key)})


def plan_pieces(sources: Sequence[Location]) -> Iterator[Piece]:
    """Cut the sources into pieces that S3 takes: all but the last at least 5 MiB, none over 5 GiB.

    What is too small for a piece is joined with what follows it.
    """
    pending: list[Slice] = []
    for source in sources:
        rest = Slice(source, 0, source.size)
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


def _write_single(pieces: Sequence[Piece], bucket: str, key: str, properties: Properties) -> None:
    if len(pieces) == 1 and len(pieces[0].slices) == 1:
        source = pieces[0].slices[0].source
        with aws_errors(source.uri, missing=SourceNotFound):
            s3().copy_object(
                Bucket=bucket,
                Key=key,
                CopySource=_copy_source(source),
                CopySourceIfMatch=source.etag,
                MetadataDirective="REPLACE",
                **properties,
            )
        return
    with ObjectWriter(bucket, key) as writer:
        for piece in pieces:
            writer.write(_read(piece))


def _write_pieces(pieces: Sequence[Piece], bucket: str, key: str, properties: Properties) -> None:
    place = f"s3://{bucket}/{key}"
    with aws_errors(place):
        upload_id = s3().create_multipart_upload(Bucket=bucket, Key=key, **properties)["UploadId"]
    joining = BoundedSemaphore(_JOINS_AT_ONCE)

    def write(number: int, piece: Piece) -> str:
        with joining if len(piece.slices) > 1 else nullcontext():
            return _write_piece(piece, bucket, key, upload_id, number)

    # An upload that is not completed is removed by the bucket's lifecycle rule.
    with ThreadPoolExecutor(max_workers=COPIES_AT_ONCE) as pool:
        etags = pool.map(write, itertools.count(1), pieces)
        parts: list[CompletedPartTypeDef] = [
            {"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, start=1)
        ]
    # By number and ETag alone, as in storage.py: a part's checksum would be an InvalidPart.
    with aws_errors(place):
        s3().complete_multipart_upload(
            Bucket=bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts}
        )


def _write_piece(piece: Piece, bucket: str, key: str, upload_id: str, number: int) -> str:
    """Copy or join one piece into the upload; returns its ETag."""
    if len(piece.slices) > 1:
        body = _read(piece)
        with aws_errors(f"s3://{bucket}/{key}"):
            return s3().upload_part(
                Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=body
            )["ETag"]
    only = piece.slices[0]
    with aws_errors(only.source.uri, missing=SourceNotFound):
        copied = s3().upload_part_copy(
            Bucket=bucket,
            Key=key,
            UploadId=upload_id,
            PartNumber=number,
            CopySource=_copy_source(only.source),
            CopySourceIfMatch=only.source.etag,
            CopySourceRange=f"bytes={only.start}-{only.start + only.length - 1}",
        )
    return copied["CopyPartResult"]["ETag"]


def _read(piece: Piece) -> bytes:
    return b"".join(read_range(part.source, part.start, part.length) for part in piece.slices)


def _copy_source(source: Location) -> CopySourceTypeDef:
    if source.version_id:
        return {"Bucket": source.bucket, "Key": source.key, "VersionId": source.version_id}
    return {"Bucket": source.bucket, "Key": source.key}
