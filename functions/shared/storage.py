"""S3 as the steps use it: ranged streams in, streamed objects out, small documents."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, NotRequired, Self, TypedDict

from botocore.exceptions import ClientError

from shared.clients import s3
from shared.errors import (
    InternalError,
    PipelineError,
    SourceEncrypted,
    SourceKeyDenied,
    SourceNotFound,
    aws_errors,
    error_code,
    is_missing,
)
from shared.job import Location
from shared.observability import logger

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import (
        CompletedPartTypeDef,
        GetObjectRequestTypeDef,
        HeadObjectRequestTypeDef,
    )

# A range is one request: large enough that its latency does not count, small enough that two of
# them, one being processed and one on its way, are little beside the engine's memory.
RANGE_BYTES = 16 * 1024 * 1024
# A record that begins before a split's end rarely goes on for more than this behind it.
LOOKAHEAD_BYTES = 256 * 1024
# S3 takes 10,000 parts of at least 5 MiB: 160 GB an object at this size.
PART_BYTES = 16 * 1024 * 1024

# One small object takes some 20 ms, most of it waiting; a file has up to 10,000 of them.
SMALL_READS = 32
# So much is read of each at first: all of nearly any, and 32 of them are little.
SMALL_BYTES = 1024 * 1024

_CONTENT_TYPES = {
    "csv": "text/csv",
    "gz": "application/gzip",
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "tsv": "text/tab-separated-values",
}
# What S3 itself gives to an object whose type nobody says.
_UNKNOWN_TYPE = "binary/octet-stream"


def content_type(key: str) -> str:
    """The media type of an object, told by the suffix of its key, in upper case or lower."""
    return _CONTENT_TYPES.get(key.rpartition(".")[2].lower(), _UNKNOWN_TYPE)


@contextmanager
def _reading(
    bucket: str,
    key: str,
    version_id: str | None = None,
    *,
    missing: type[PipelineError] = InternalError,
) -> Iterator[None]:
    """What `aws_errors` does, and a name for an object whose encryption keeps it from us.

    S3 calls that `AccessDenied` or `InvalidRequest`, as it does many other things.
    """
    with aws_errors(f"s3://{bucket}/{key}", missing=missing):
        try:
            yield
        except ClientError as error:
            encrypted = _encrypted(error, bucket, key, version_id)
            if encrypted is not None:
                raise encrypted from None
            raise


def _encrypted(
    error: ClientError, bucket: str, key: str, version_id: str | None
) -> PipelineError | None:
    """The error of an object that is encrypted with a key that the function can't use."""
    code, place = error_code(error), f"s3://{bucket}/{key}"
    if code.startswith("KMS."):  # such as KMS.DisabledException: the key itself is unusable
        return _key_denied(place, f"its KMS key ({code})")
    if code not in {"AccessDenied", "InvalidRequest", "InvalidArgument"}:
        return None
    request: HeadObjectRequestTypeDef = {"Bucket": bucket, "Key": key}
    if version_id:
        request["VersionId"] = version_id
    try:
        head = s3().head_object(**request)
    except ClientError as refused:
        # HEAD needs no KMS key, but it does need the uploader's own.
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
        if code != "AccessDenied" and error_code(refused) == "400":
            return SourceEncrypted(
                f"{place} is encrypted with a key that its uploader supplied (SSE-C), which the "
                "pipeline does not have. Upload the file again without --sse-c."
            )
        return None
    if code == "AccessDenied" and head.get("ServerSideEncryption", "").startswith("aws:kms"):
        return _key_denied(place, f"the KMS key {head.get('SSEKMSKeyId', 'of AWS')}")
    return None


def _key_denied(place: str, key: str) -> SourceKeyDenied:
    return SourceKeyDenied(
        f"{place} is encrypted with {key}, which the function's role can't use. Allow the role "
        "kms:Decrypt on it, in the key's policy too, then rerun the file; or upload the file "
        "again without that key."
    )


def read_range(source: Location, start: int, length: int) -> bytes:
    """Bytes `start .. start + length` of exactly the announced version of the uploaded object.

    Raises `SourceNotFound` where the version is gone, `SourceChanged` where its content differs
    from the announced ETag, `SourceArchived`, `SourceEncrypted` or `SourceKeyDenied` where S3 does
    not give it out, `TransientError` where trying again helps.
    """
    if length <= 0 or start >= source.size:
        return b""
    last = min(start + length, source.size) - 1
    request: GetObjectRequestTypeDef = {
        "Bucket": source.bucket,
        "Key": source.key,
        "Range": f"bytes={start}-{last}",
        "IfMatch": source.etag,
    }
    if source.version_id:
        request["VersionId"] = source.version_id
    with _reading(source.bucket, source.key, source.version_id, missing=SourceNotFound):
        response = s3().get_object(**request)
        return response["Body"].read()


def stream(source: Location, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """Read the object's bytes from `start` on, the next piece while the caller works on this one.

    Up to `end` (default: the object's) the pieces are of `RANGE_BYTES`. What lies behind `end`
    comes in small pieces, as far as the caller goes on. Raises like `read_range`.
    """
    stop = source.size if end is None else min(end, source.size)
    with ThreadPoolExecutor(max_workers=1) as ahead:
        coming: deque[Future[bytes]] = deque()
        for offset in range(start, stop, RANGE_BYTES):
            length = min(RANGE_BYTES, stop - offset)
            coming.append(ahead.submit(read_range, source, offset, length))
            if len(coming) > 1:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
    for offset in range(stop, source.size, LOOKAHEAD_BYTES):
        yield read_range(source, offset, LOOKAHEAD_BYTES)


def read_document(bucket: str, key: str, *, missing: type[PipelineError] | None = None) -> Any:
    """A JSON document from S3; raises `missing`, or `InternalError`, where there is none."""
    with _reading(bucket, key, missing=missing or InternalError):
        body = s3().get_object(Bucket=bucket, Key=key)["Body"].read()
    return json.loads(body)


def read_documents(bucket: str, keys: Sequence[str]) -> Iterator[Any]:
    """Read many small JSON documents side by side; they come in the order of `keys`.

    What is read ahead of the caller is bounded by bytes: of each document at most `SMALL_BYTES`. A
    longer one is read to its end when its turn has come, for some splits' statistics are as long as
    a hundred megabytes.
    """
    with ThreadPoolExecutor(max_workers=SMALL_READS) as pool:
        coming: deque[Future[_Head]] = deque()
        for key in keys:
            coming.append(pool.submit(_read_head, bucket, key))
            if len(coming) == SMALL_READS:
                yield json.loads(_read_rest(coming.popleft().result()))
        while coming:
            yield json.loads(_read_rest(coming.popleft().result()))


class _Head(NamedTuple):
    """The first bytes of an object, and how to get the others."""

    bucket: str
    key: str
    etag: str
    size: int
    content: bytes


def _read_head(bucket: str, key: str) -> _Head:
    with _reading(bucket, key):
        response = s3().get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{SMALL_BYTES - 1}")
        size = int(response["ContentRange"].rpartition("/")[2])
        return _Head(bucket, key, response["ETag"], size, response["Body"].read())


def _read_rest(head: _Head) -> bytes:
    """The whole object, whose first bytes are there."""
    if len(head.content) == head.size:
        return head.content
    with _reading(head.bucket, head.key):
        response = s3().get_object(
            Bucket=head.bucket,
            Key=head.key,
            Range=f"bytes={len(head.content)}-",
            IfMatch=head.etag,
        )
        return head.content + response["Body"].read()


def read_optional(bucket: str, key: str) -> tuple[bytes, str | None] | None:
    """An object's bytes and version, or None where there is no such object."""
    with _reading(bucket, key):
        try:
            response = s3().get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        return response["Body"].read(), response.get("VersionId")


def read_optional_document(bucket: str, key: str) -> Any:
    """A JSON document from S3, or None where there is none."""
    stored = read_optional(bucket, key)
    return json.loads(stored[0]) if stored else None


def write_document(bucket: str, key: str, document: Any, *, indent: int | None = None) -> None:
    """Write a JSON document to S3."""
    body = json.dumps(document, indent=indent, ensure_ascii=False).encode()
    with aws_errors(f"s3://{bucket}/{key}"):
        s3().put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")


def list_objects(bucket: str, prefix: str) -> list[Location]:
    """The newest versions of the objects under a prefix, in the order of their keys."""
    with aws_errors(f"s3://{bucket}/{prefix}"):
        pages = s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [
            Location(bucket, item["Key"], None, item["ETag"].strip('"'), int(item["Size"]))
            for page in pages
            for item in page.get("Contents", [])
        ]


def list_deleted(bucket: str, prefix: str) -> list[str]:
    """The keys under a prefix whose newest version is a delete marker, in their order."""
    with aws_errors(f"s3://{bucket}/{prefix}"):
        pages = s3().get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
        return [
            marker["Key"]
            for page in pages
            for marker in page.get("DeleteMarkers", [])
            if marker["IsLatest"]
        ]


class Properties(TypedDict):
    """What an object has beside its bytes."""

    ContentType: str
    Metadata: NotRequired[dict[str, str]]


def properties_of(location: Location) -> Properties:
    """What the uploader gave the object beside its bytes."""
    request: HeadObjectRequestTypeDef = {"Bucket": location.bucket, "Key": location.key}
    if location.version_id:
        request["VersionId"] = location.version_id
    with aws_errors(location.uri, missing=SourceNotFound):
        head = s3().head_object(**request)
    return {"ContentType": head["ContentType"], "Metadata": head["Metadata"]}


def find(bucket: str, key: str) -> Location | None:
    """The newest version of an object, or None where there is none."""
    with aws_errors(f"s3://{bucket}/{key}"):
        try:
            head = s3().head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if is_missing(error):
                return None
            raise
    return Location(
        bucket, key, head.get("VersionId"), head["ETag"].strip('"'), int(head["ContentLength"])
    )


def delete_objects(bucket: str, keys: list[str]) -> None:
    """Delete objects, whether they are there or not."""
    with aws_errors(f"s3://{bucket}"):
        for key in keys:
            s3().delete_object(Bucket=bucket, Key=key)


def delete_version(location: Location) -> None:
    """Delete exactly this version of an object, whether it is still there or not.

    Without a version (an unversioned bucket) the object is deleted only while it has this ETag.
    """
    with aws_errors(location.uri):
        if location.version_id:
            s3().delete_object(
                Bucket=location.bucket, Key=location.key, VersionId=location.version_id
            )
        elif (there := find(location.bucket, location.key)) and there.etag == location.etag:
            s3().delete_object(Bucket=location.bucket, Key=location.key)


class ObjectWriter:
    """A binary sink whose bytes become one S3 object when its `with` block ends without error.

    Small objects are one PUT. Larger ones are uploaded in parts, each while the next one is
    written, so memory stays at two parts; after an error the upload is aborted and nothing appears.
    An error of a part's upload is raised when the next part is full, or at the end.
    """

    def __init__(self, bucket: str, key: str) -> None:
        self._bucket = bucket
        self._key = key
        self._content_type = content_type(key)
        self._buffer = bytearray()
        self._upload_id: str | None = None
        self._parts: list[CompletedPartTypeDef] = []
        self._uploads = ThreadPoolExecutor(max_workers=1)
        self._under_way: Future[str] | None = None
        self.size = 0

    def write(self, data: bytes | memoryview, /) -> int:
        """Add bytes to the object; returns their number."""
        self._buffer += data
        self.size += len(data)
        while len(self._buffer) >= PART_BYTES:
            self._send(bytes(self._buffer[:PART_BYTES]))
            del self._buffer[:PART_BYTES]
        return len(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._uploads:
            if kind is not None:
                self._abort()
                return
            try:
                self._finish()
            except PipelineError:
                self._abort()
                raise

    @property
    def _place(self) -> str:
        return f"s3://{self._bucket}/{self._key}"

    def _finish(self) -> None:
        if self._upload_id is None:
            self._put()
        else:
            self._complete(self._upload_id)

    def _put(self) -> None:
        with aws_errors(self._place):
            s3().put_object(
                Bucket=self._bucket,
                Key=self._key,
                Body=bytes(self._buffer),
                ContentType=self._content_type,
            )

    def _send(self, part: bytes) -> None:
        """Begin to upload a part, when the one before it has arrived."""
        if self._upload_id is None:
            with aws_errors(self._place):
                self._upload_id = s3().create_multipart_upload(
                    Bucket=self._bucket, Key=self._key, ContentType=self._content_type
                )["UploadId"]
        self._settle()
        number = len(self._parts) + 1
        self._under_way = self._uploads.submit(self._upload, self._upload_id, number, part)

    def _upload(self, upload_id: str, number: int, part: bytes) -> str:
        with aws_errors(self._place):
            return s3().upload_part(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=upload_id,
                PartNumber=number,
                Body=part,
            )["ETag"]

    def _settle(self) -> None:
        """Wait for the part that is under way; raises what its upload has raised."""
        if self._under_way is not None:
            under_way, self._under_way = self._under_way, None
            etag = under_way.result()
            self._parts.append({"ETag": etag, "PartNumber": len(self._parts) + 1})

    def _complete(self, upload_id: str) -> None:
        if self._buffer:
            self._send(bytes(self._buffer))
        self._settle()
        # Parts by number and ETag alone. S3 answers InvalidPart to a part's checksum where the
        # upload was created without an algorithm, as here, although boto3 sends one with each part.
        with aws_errors(self._place):
            s3().complete_multipart_upload(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=upload_id,
                MultipartUpload={"Parts": self._parts},
            )

    def _abort(self) -> None:
        if self._upload_id is None:
            return
        if self._under_way is not None:
            # S3 keeps a part that arrives after its upload was aborted.
            wait([self._under_way])
        try:
            with aws_errors(self._place):
                s3().abort_multipart_upload(
                    Bucket=self._bucket, Key=self._key, UploadId=self._upload_id
                )
        except PipelineError as error:
            # The first error is the one to report, and the bucket's lifecycle rule removes what
            # is left of an upload.
            logger().warning("upload not aborted", extra={"error": type(error).__name__})
