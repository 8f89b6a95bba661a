"""Patches that make S3's conditional writes hold when several clients write at once.

moto checks `If-Match` and `If-None-Match` of PutObject and DeleteObject, but another request can
come between the check and the write. It does not check `If-Match` of CompleteMultipartUpload, nor
`x-amz-copy-source-if-match` of CopyObject and UploadPartCopy.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlparse

from moto.s3.exceptions import MissingKey, PreconditionFailed
from moto.s3.responses import S3Response

from pipectl.embedded.moto_patches.table import PatchSettings, replaces

_Handler = Callable[..., Any]

# Only requests with conditions take it: their order is all that matters. It is reentrant because
# moto's handlers call each other.
_one_at_a_time = threading.RLock()


def _is_conditional(response: Any) -> bool:
    return "If-Match" in response.headers or "If-None-Match" in response.headers


def _in_turn(original: _Handler) -> _Handler:
    """Answer the conditional requests of a handler one after the other."""

    def handle(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not _is_conditional(self):
            return original(self, *args, **kwargs)
        with _one_at_a_time:
            return original(self, *args, **kwargs)

    return handle


@replaces(S3Response, "put_object", "f76585099ca5")
def _put_in_turn(original: _Handler, _settings: PatchSettings) -> _Handler:
    return _in_turn(original)


@replaces(S3Response, "delete_object", "2413a2612b73")
def _delete_in_turn(original: _Handler, _settings: PatchSettings) -> _Handler:
    return _in_turn(original)


@replaces(S3Response, "_key_response_post", "3565bb2d8801")
def _complete_if_match(original: _Handler, _settings: PatchSettings) -> _Handler:
    """Check `If-Match` of CompleteMultipartUpload."""

    def handle(self: Any, *args: Any) -> Any:
        _request, _body, bucket, query, key = args
        expected = self.headers.get("If-Match")
        if expected and query.get("uploadId"):
            there = self.backend.get_object(bucket, key)
            if there is None:
                raise MissingKey
            if there.etag.strip('"') != expected.strip('"'):
                raise PreconditionFailed("If-Match")
        return original(self, *args)

    return _in_turn(handle)


def _copy_if_match(original: _Handler) -> _Handler:
    """Check the condition on the object that a handler copies."""

    def handle(self: Any) -> Any:
        expected = self.headers.get("x-amz-copy-source-if-match")
        if expected:
            source = urlparse(self.headers["x-amz-copy-source"])
            bucket, _, key = unquote(source.path).lstrip("/").partition("/")
            version = parse_qs(source.query).get("versionId", [None])[0]
            there = self.backend.get_object(bucket, key, version_id=version)
            if there is not None and there.etag.strip('"') != expected.strip('"'):
                raise PreconditionFailed("x-amz-copy-source-If-Match")
        return original(self)

    return handle


@replaces(S3Response, "copy_object", "f2ee99342587")
def _copy_object_if_match(original: _Handler, _settings: PatchSettings) -> _Handler:
    return _copy_if_match(original)


@replaces(S3Response, "upload_part_copy", "1d1dbe182eca")
def _copy_part_if_match(original: _Handler, _settings: PatchSettings) -> _Handler:
    return _copy_if_match(original)
