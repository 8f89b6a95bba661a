"""Which functions have called which API, as IAM names it: an action and, for S3, the resource."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

# IAM's prefixes for services that boto3 names differently.
_PREFIXES = {"AWSEvents": "events", "stepfunctions": "states"}


class Call(NamedTuple):
    """An action that a caller needed; `resource` is `bucket` or `bucket/key` for S3, else empty."""

    caller: str
    action: str
    resource: str


def calls_of(environ: Mapping[str, Any], service: str, action: str) -> Iterator[Call]:
    """The actions that a request needs. Its access key names the calling function.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
    """
    caller = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].partition("/")[0]
    if service != "s3":
        yield Call(caller, f"{_PREFIXES.get(service, service)}:{action}", "")
        return
    place = str(environ.get("PATH_INFO", "")).strip("/")
    query = parse_qs(str(environ.get("QUERY_STRING", "")), keep_blank_values=True)
    yield Call(caller, f"s3:{_s3_action(action, place, query)}", place)
    source = unquote(str(environ.get("HTTP_X_AMZ_COPY_SOURCE", ""))).strip("/")
    if source:
        key, _, version = source.partition("?versionId=")
        yield Call(caller, "s3:GetObjectVersion" if version else "s3:GetObject", key)


def _s3_action(method: str, place: str, query: Mapping[str, Any]) -> str:
    if "/" not in place:
        return "ListBucketVersions" if "versions" in query else "ListBucket"
    if method in ("GET", "HEAD"):
        return "GetObjectVersion" if "versionId" in query else "GetObject"
    if method == "DELETE":
        if "uploadId" in query:
            return "AbortMultipartUpload"
        return "DeleteObjectVersion" if "versionId" in query else "DeleteObject"
    # Creating, filling and completing a multipart upload need the same permission.
    return "PutObject"
