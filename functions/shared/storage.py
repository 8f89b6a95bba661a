"""S3 access for the steps: ranged reads, streamed writes and small JSON documents."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import datetime
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
from shared.part_buffer import PartBuffer

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import (
        CompletedPartTypeDef,
        GetObjectRequestTypeDef,
        HeadObjectRequestTypeDef,
    )

# One range is one request: large enough that latency doesn't matter, and small enough that two of
# them (one being processed, one being read ahead) are small compared to the engine's memory.
RANGE_BYTES = 16 * 1024 * 1024
# A record that begins before a split's end rarely continues for more than this after it.
LOOKAHEAD_BYTES = 256 * 1024
# S3 accepts 10,000 parts of at least 5 MiB: at this size, objects of up to 160 GB.
PART_BYTES = 16 * 1024 * 1024

# Reading a small object takes about 20 ms, mostly waiting, and a file has up to 10,000 of them.
SMALL_READS = 32
# The first read of a small object has this many bytes: enough for nearly all of them, and 32 of
# them take little memory.
SMALL_BYTES = 1024 * 1024

_UPDATE_ATTEMPTS = 5

_CONTENT_TYPES = {
    "csv": "text/csv",
    "gz": "application/gzip",
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "psv": "text/plain",
    "tsv": "text/tab-separated-values",
    "txt": "text/plain",
    "zip": "application/zip",
}
# S3's default for an object without a media type.
_UNKNOWN_TYPE = "binary/octet-stream"


def content_type(key: str) -> str:
    """The media type of an object, from the suffix of its key in any case."""
    return _CONTENT_TYPES.get(key.rpartition(".")[2].lower(), _UNKNOWN_TYPE)


@contextmanager
def _reading(
    bucket: str,
    key: str,
    version_id: str | None = None,
    *,
    missing: type[PipelineError] = InternalError,
) -> Iterator[None]:
    """Translate errors like `aws_errors`, and recognise objects that encryption makes unreadable.

    S3 reports those as `AccessDenied` or `InvalidRequest`, like many other problems.
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
    """The error for an object encrypted with a key that the function can't use, or None."""
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
        # HEAD works without permission for a KMS key, but not without the uploader's own key.
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
    """Bytes `start .. start + length` of exactly this version of the object.

    Raises `SourceNotFound` if the version no longer exists, `SourceChanged` if its ETag differs,
    `SourceArchived`, `SourceEncrypted` or `SourceKeyDenied` if S3 doesn't return its content, and
    `TransientError` if a retry can help.
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
    """Yield the object's bytes from `start`, reading the next piece while the caller uses this one.

    Up to `end` (by default the object's end) a piece has `RANGE_BYTES`. The bytes after `end` come
    in pieces of `LOOKAHEAD_BYTES`, for as long as the caller asks for them. Raises like
    `read_range`.
    """
    stop = source.size if end is None else min(end, source.size)
    if stop - start <= RANGE_BYTES:  # nothing to read ahead
        if stop > start:
            yield read_range(source, start, stop - start)
    else:
        yield from _stream_ahead(source, start, stop)
    for offset in range(stop, source.size, LOOKAHEAD_BYTES):
        yield read_range(source, offset, LOOKAHEAD_BYTES)


def _stream_ahead(source: Location, start: int, stop: int) -> Iterator[bytes]:
    with ThreadPoolExecutor(max_workers=1) as ahead:
        coming: deque[Future[bytes]] = deque()
        for offset in range(start, stop, RANGE_BYTES):
            length = min(RANGE_BYTES, stop - offset)
            coming.append(ahead.submit(read_range, source, offset, length))
            if len(coming) > 1:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


def stream_lines(source: Location) -> Iterator[bytes]:
    """The lines of an object, without line ends; each range is read while the last one is used."""
    rest = b""
    for piece in stream(source, 0, None):
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        yield rest


def read_document(bucket: str, key: str, *, missing: type[PipelineError] | None = None) -> Any:
    """A JSON document from S3; raises `missing` (by default `InternalError`) if there is none."""
    with _reading(bucket, key, missing=missing or InternalError):
        body = s3().get_object(Bucket=bucket, Key=key)["Body"].read()
    return json.loads(body)


def read_documents(bucket: str, keys: Sequence[str]) -> Iterator[Any]:
    """Read many small JSON documents concurrently, and yield them in the order of `keys`.

    Only the first `SMALL_BYTES` of a document are read ahead, which limits memory: the statistics
    of a split can have a hundred megabytes. The rest of a longer document is read when its turn
    comes.
    """
    if len(keys) == 1:  # no threads for it
        yield json.loads(_read_rest(_read_head(bucket, keys[0])))
        return
    with ThreadPoolExecutor(max_workers=SMALL_READS) as pool:
        coming: deque[Future[_Head]] = deque()
        for key in keys:
            coming.append(pool.submit(_read_head, bucket, key))
            if len(coming) == SMALL_READS:
                yield json.loads(_read_rest(coming.popleft().result()))
        while coming:
            yield json.loads(_read_rest(coming.popleft().result()))


class _Head(NamedTuple):
    """The first bytes of an object, and what is needed to read the rest."""

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
    """The whole object's content, from its first bytes and a read of the others."""
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
    """An object's bytes and version, or None if there is no such object."""
    with _reading(bucket, key):
        try:
            response = s3().get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        return response["Body"].read(), response.get("VersionId")


def read_optional_document(bucket: str, key: str) -> Any:
    """A JSON document from S3, or None if there is none."""
    stored = read_optional(bucket, key)
    return json.loads(stored[0]) if stored else None


def write_document(bucket: str, key: str, document: Any, *, indent: int | None = None) -> None:
    """Write a JSON document to S3."""
    body = json.dumps(document, indent=indent, ensure_ascii=False).encode()
    put(bucket, key, body, Properties(ContentType="application/json"))


class ReadDocument(NamedTuple):
    """A JSON document, None if there is none, and the condition that it is still the same."""

    content: Any
    unchanged: Condition


def read_to_update(bucket: str, key: str) -> ReadDocument:
    """Read a JSON document that `update_document` will replace."""
    with _reading(bucket, key):
        try:
            response = s3().get_object(Bucket=bucket, Key=key)
            return ReadDocument(json.loads(response["Body"].read()), {"IfMatch": response["ETag"]})
        except ClientError as error:
            if not is_missing(error):
                raise
            return ReadDocument(None, {"IfNoneMatch": "*"})


def update_document(
    bucket: str, key: str, change: Callable[[Any], Any], *, read: ReadDocument | None = None
) -> bool:
    """Replace a JSON document by the result of `change`, which gets None if there is none.

    `read` is the document if it was read a moment before. Returns whether it was written. If others
    change it at the same time, it is tried a few times, and then left as it is: only for documents
    that may lack an update.
    """
    for _ in range(_UPDATE_ATTEMPTS):
        before, read = read or read_to_update(bucket, key), None
        body = json.dumps(change(before.content), ensure_ascii=False).encode()
        try:
            put(bucket, key, body, Properties(ContentType="application/json"), before.unchanged)
        except ObjectChanged:
            continue
        return True
    return False


def list_objects(bucket: str, prefix: str) -> list[Location]:
    """The current versions of the objects under a prefix, in the order of their keys."""
    with aws_errors(f"s3://{bucket}/{prefix}"):
        pages = s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [
            Location(bucket, item["Key"], None, item["ETag"].strip('"'), int(item["Size"]))
            for page in pages
            for item in page.get("Contents", [])
        ]


def list_few(bucket: str, prefix: str, *, most: int) -> list[str] | None:
    """The keys under a prefix, in order, with one request; None if there are more than `most`."""
    with aws_errors(f"s3://{bucket}/{prefix}"):
        page = s3().list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=most)
    return None if page["IsTruncated"] else [item["Key"] for item in page.get("Contents", [])]


def list_modified(bucket: str, prefix: str) -> dict[str, datetime]:
    """The keys under a prefix, and when each object was last written."""
    with aws_errors(f"s3://{bucket}/{prefix}"):
        pages = s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {
            item["Key"]: item["LastModified"] for page in pages for item in page.get("Contents", [])
        }


def list_folders(bucket: str, prefix: str) -> list[str]:
    """The names of the folders right below a prefix, which ends with a slash."""
    with aws_errors(f"s3://{bucket}/{prefix}"):
        pages = (
            s3()
            .get_paginator("list_objects_v2")
            .paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
        )
        found = [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])]
    return [folder.removeprefix(prefix).removesuffix("/") for folder in found]


def list_deleted(bucket: str, prefix: str) -> list[str]:
    """The keys under a prefix whose current version is a delete marker, in order."""
    with aws_errors(f"s3://{bucket}/{prefix}"):
        pages = s3().get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
        return [
            marker["Key"]
            for page in pages
            for marker in page.get("DeleteMarkers", [])
            if marker["IsLatest"]
        ]


class ObjectChanged(Exception):
    """The object at the key is not the one that a write's condition expects: look again."""


class Condition(TypedDict, total=False):
    """What must be at a key for a write to happen: an ETag, or nothing (`IfNoneMatch` is `*`).

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    """

    IfMatch: str
    IfNoneMatch: str


# With `If-Match`, S3 answers 404 if the object has been deleted, and 409 if another write of it is
# under way.
_CONFLICTS = frozenset({"412", "PreconditionFailed", "409", "ConditionalRequestConflict"})


@contextmanager
def conditional(place: str, condition: Condition | None) -> Iterator[None]:
    """Translate errors like `aws_errors`; raises `ObjectChanged` if the condition isn't met."""
    with aws_errors(place):
        try:
            yield
        except ClientError as error:
            if condition and (error_code(error) in _CONFLICTS or is_missing(error)):
                raise ObjectChanged from None
            raise


class Properties(TypedDict):
    """An object's media type and user metadata."""

    ContentType: str
    Metadata: NotRequired[dict[str, str]]


def properties_of(location: Location) -> Properties:
    """The media type and metadata that the uploader gave the object."""
    request: HeadObjectRequestTypeDef = {"Bucket": location.bucket, "Key": location.key}
    if location.version_id:
        request["VersionId"] = location.version_id
    with aws_errors(location.uri, missing=SourceNotFound):
        head = s3().head_object(**request)
    return {"ContentType": head["ContentType"], "Metadata": head["Metadata"]}


class Described(NamedTuple):
    """What S3 says about a version of an object: its size in bytes, and when it was stored."""

    size: int
    modified: datetime


def describe(source: Location) -> Described | None:
    """The size and time of exactly this version of an object.

    None if it doesn't exist, or is encrypted with its uploader's own key (SSE-C).
    """
    version: Any = {"VersionId": source.version_id} if source.version_id else {}
    with aws_errors(source.uri):
        try:
            head = s3().head_object(Bucket=source.bucket, Key=source.key, **version)
        except ClientError as error:
            # Without the uploader's key, S3 answers 400.
            if is_missing(error) or error_code(error) == "400":
                return None
            raise
    return Described(int(head["ContentLength"]), head["LastModified"])


def tags(source: Location) -> dict[str, str]:
    """The tags of exactly this version of an object; raises `SourceNotFound` if it is missing."""
    version: Any = {"VersionId": source.version_id} if source.version_id else {}
    with aws_errors(source.uri, missing=SourceNotFound):
        answer = s3().get_object_tagging(Bucket=source.bucket, Key=source.key, **version)
    return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}


def find(bucket: str, key: str) -> Location | None:
    """The current version of an object, or None if there is none."""
    found = find_with_metadata(bucket, key)
    return found[0] if found else None


def locate(bucket: str, key: str) -> Location:
    """The current version of an object of the pipeline's own; raises `InternalError` if missing."""
    found = find(bucket, key)
    if found is None:
        raise InternalError(f"s3://{bucket}/{key} is missing. Start a new execution.")
    return found


def find_with_metadata(bucket: str, key: str) -> tuple[Location, Mapping[str, str]] | None:
    """The current version of an object and its user metadata, or None if there is none."""
    with aws_errors(f"s3://{bucket}/{key}"):
        try:
            head = s3().head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if is_missing(error):
                return None
            raise
    location = Location(
        bucket, key, head.get("VersionId"), head["ETag"].strip('"'), int(head["ContentLength"])
    )
    return location, head.get("Metadata", {})


def put(
    bucket: str,
    key: str,
    body: bytes,
    properties: Properties,
    condition: Condition | None = None,
) -> None:
    """Write an object with one request; raises `ObjectChanged` if the condition isn't met."""
    with conditional(f"s3://{bucket}/{key}", condition):
        s3().put_object(Bucket=bucket, Key=key, Body=body, **properties, **(condition or {}))


def delete_unchanged(location: Location) -> None:
    """Delete an object if it still has this ETag; raises `ObjectChanged` if not."""
    with conditional(location.uri, {"IfMatch": location.etag}):
        s3().delete_object(Bucket=location.bucket, Key=location.key, IfMatch=location.etag)


def delete_version(location: Location) -> None:
    """Delete exactly this version of an object; a missing one is ignored.

    Without a version ID (an unversioned bucket) the object is deleted only if it has this ETag.
    """
    with aws_errors(location.uri):
        if location.version_id:
            s3().delete_object(
                Bucket=location.bucket, Key=location.key, VersionId=location.version_id
            )
        elif (there := find(location.bucket, location.key)) and there.etag == location.etag:
            s3().delete_object(Bucket=location.bucket, Key=location.key)


def abort_upload(bucket: str, key: str, upload_id: str) -> None:
    """Abort a multipart upload after an error, which is the one to report: this one is logged.

    The bucket's lifecycle rule removes what could not be aborted.
    """
    try:
        with aws_errors(f"s3://{bucket}/{key}"):
            s3().abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
    except PipelineError as error:
        logger().warning("upload not aborted", extra={"error": type(error).__name__})


class ObjectWriter:
    """A binary sink whose bytes become one S3 object when its `with` block ends without an error.

    A small object is uploaded with one PUT. A larger one is uploaded in parts, each while the next
    one is written, so at most two parts are in memory. After an error the upload is aborted and no
    object appears. An error in a part's upload is raised when the next part is full, or at the end.
    """

    def __init__(
        self,
        bucket: str,
        key: str,
        properties: Properties | None = None,
        condition: Condition | None = None,
    ) -> None:
        """Start an object; without `properties` its media type follows from its key.

        The end of the block raises `ObjectChanged` if the condition isn't met then.
        """
        self._bucket = bucket
        self._key = key
        self._condition = condition or {}
        self._properties = properties or Properties(ContentType=content_type(key))
        self._buffer = PartBuffer(PART_BYTES)
        self._upload_id: str | None = None
        self._parts: list[CompletedPartTypeDef] = []
        self._uploads = ThreadPoolExecutor(max_workers=1)
        self._under_way: Future[str] | None = None
        self._discarded = False
        self.size = 0

    def write(self, data: bytes | memoryview, /) -> int:
        """Append bytes to the object; returns their number."""
        self.size += len(data)
        for part in self._buffer.add(data):
            self._send(part)
        return len(data)

    def discard(self) -> None:
        """Let no object appear at the end of the block."""
        self._discarded = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._uploads:
            if kind is not None or self._discarded:
                self._abort()
                return
            try:
                self._finish()
            except (PipelineError, ObjectChanged):
                self._abort()
                raise

    @property
    def _place(self) -> str:
        return f"s3://{self._bucket}/{self._key}"

    def _finish(self) -> None:
        if self._upload_id is None:
            put(self._bucket, self._key, self._buffer.rest(), self._properties, self._condition)
        else:
            self._complete(self._upload_id)

    def _send(self, part: bytes) -> None:
        """Start to upload a part after the upload of the previous one has finished."""
        if self._upload_id is None:
            with aws_errors(self._place):
                self._upload_id = s3().create_multipart_upload(
                    Bucket=self._bucket, Key=self._key, **self._properties
                )["UploadId"]
        self._wait_for_upload()
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

    def _wait_for_upload(self) -> None:
        """Wait for the part that is being uploaded; raises the error of its upload."""
        if self._under_way is not None:
            under_way, self._under_way = self._under_way, None
            etag = under_way.result()
            self._parts.append({"ETag": etag, "PartNumber": len(self._parts) + 1})

    def _complete(self, upload_id: str) -> None:
        if rest := self._buffer.rest():
            self._send(rest)
        self._wait_for_upload()
        # Only number and ETag: S3 answers InvalidPart to a part's checksum if the upload was
        # created without a checksum algorithm, as here, although boto3 sends one with each part.
        with conditional(self._place, self._condition):
            s3().complete_multipart_upload(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=upload_id,
                MultipartUpload={"Parts": self._parts},
                **self._condition,
            )

    def _abort(self) -> None:
        if self._upload_id is None:
            return
        if self._under_way is not None:
            # S3 keeps a part that arrives after its upload was aborted, so wait for it first.
            wait([self._under_way])
        abort_upload(self._bucket, self._key, self._upload_id)
