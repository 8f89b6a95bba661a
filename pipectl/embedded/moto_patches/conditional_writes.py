"""Patches that make S3's conditional writes hold when several clients write at once.

moto checks `If-Match` and `If-None-Match` of PutObject and DeleteObject, but another request can
come between the check and the write. It does not check `If-Match` of CompleteMultipartUpload.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

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
