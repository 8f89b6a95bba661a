"""Checks of S3: conditional requests, and uploads in parts without checksums."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from pipectl.operate.live_check.model import Seen
from pipectl.operate.live_check.workspace import Workspace
from shared.errors import error_code

_DONE = "done"
_CHANGED = "PreconditionFailed"


def conditional_complete(bench: Workspace) -> Seen:
    """CompleteMultipartUpload takes conditions, and ETags and numbers without checksums."""
    key = f"{bench.scratch}conditional"
    first = _complete(bench, key, IfNoneMatch="*")
    again = _complete(bench, key, IfNoneMatch="*")
    etag = _etag(bench, key)
    matching = _complete(bench, key, IfMatch=etag)
    other = _complete(bench, key, IfMatch="0" * 32)
    missing = _complete(bench, f"{key}-missing", IfMatch=etag)
    answers = {
        "If-None-Match, no object": first,
        "If-None-Match, an object": again,
        "If-Match": matching,
        "If-Match, another ETag": other,
        "If-Match, no object": missing,
    }
    return _compared(answers, (_DONE, _CHANGED, _DONE, _CHANGED, "NoSuchKey"))


def unquoted_etags(bench: Workspace) -> Seen:
    """S3 takes ETags without their quotes as conditions of reads, writes and copies."""
    s3, place = bench.stack.client("s3"), _place(bench, "unquoted")
    s3.put_object(**place, Body=b"1")
    etag, other = _etag(bench, place["Key"]), "0" * 32
    target = _place(bench, "unquoted-copy")
    copy: dict[str, Any] = {**target, "CopySource": place}
    upload = {**target, "UploadId": s3.create_multipart_upload(**target)["UploadId"]}
    part: dict[str, Any] = {**upload, "PartNumber": 1, "CopySource": place}
    calls: dict[str, Callable[[str], Any]] = {
        "GetObject": lambda tag: s3.get_object(**place, IfMatch=tag),
        "CopyObject": lambda tag: s3.copy_object(**copy, CopySourceIfMatch=tag),
        "UploadPartCopy": lambda tag: s3.upload_part_copy(**part, CopySourceIfMatch=tag),
        "PutObject": lambda tag: s3.put_object(**place, Body=b"1", IfMatch=tag),
    }
    answers = {}
    try:
        for name, call in calls.items():
            answers[f"{name}, another ETag"] = _answer(partial(call, other))
            answers[name] = _answer(partial(call, etag))
    finally:
        s3.abort_multipart_upload(**upload)
    return _compared(answers, (_CHANGED, _DONE) * len(calls))


def conditional_delete(bench: Workspace) -> Seen:
    """DeleteObject takes If-Match, so an object that has changed is not deleted."""
    s3, place = bench.stack.client("s3"), _place(bench, "deleted")
    s3.put_object(**place, Body=b"1")
    etag = _etag(bench, place["Key"])
    answers = {
        "another ETag": _answer(lambda: s3.delete_object(**place, IfMatch="0" * 32)),
        "its ETag": _answer(lambda: s3.delete_object(**place, IfMatch=etag)),
    }
    return _compared(answers, (_CHANGED, _DONE))


def _place(bench: Workspace, name: str) -> dict[str, str]:
    return {"Bucket": bench.output_bucket, "Key": f"{bench.scratch}{name}"}


def _etag(bench: Workspace, key: str) -> str:
    """An object's ETag without quotes, which is how the pipeline keeps them."""
    head = bench.stack.client("s3").head_object(Bucket=bench.output_bucket, Key=key)
    return str(head["ETag"]).strip('"')


def _complete(bench: Workspace, key: str, **condition: str) -> str:
    """Upload an object in one part, and complete it with number and ETag alone."""
    s3 = bench.stack.client("s3")
    place = {"Bucket": bench.output_bucket, "Key": key}
    upload = {**place, "UploadId": s3.create_multipart_upload(**place)["UploadId"]}
    try:
        etag = s3.upload_part(**upload, PartNumber=1, Body=b"1")["ETag"]
        parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
        answer = _answer(
            lambda: s3.complete_multipart_upload(**upload, MultipartUpload=parts, **condition)
        )
    except BaseException:
        s3.abort_multipart_upload(**upload)
        raise
    if answer != _DONE:
        s3.abort_multipart_upload(**upload)
    return answer


def _answer(call: Callable[[], Any]) -> str:
    """`done`, or the code of the error; a refusal for lack of rights is raised."""
    try:
        call()
    except ClientError as error:
        code = error_code(error)
        if code in ("AccessDenied", "403"):
            raise
        # An answer without a body has only its status.
        return {"412": _CHANGED, "404": "NoSuchKey"}.get(code, code)
    return _DONE


def _compared(answers: dict[str, str], expected: tuple[str, ...]) -> Seen:
    odd = [
        f"{case}: {answer} instead of {wanted}"
        for (case, answer), wanted in zip(answers.items(), expected, strict=True)
        if answer != wanted
    ]
    return Seen("; ".join(odd) or f"{len(answers)} answers as documented", not odd, answers)
