"""Counts and times the requests that reach the embedded AWS, while it runs in this process."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs

from pipectl.embedded.gateway import Gateway
from pipectl.embedded.lambda_service import INVOKE_PATH, LambdaService

_SERVICES = {
    "AWSEvents": "events",
    "AWSStepFunctions": "states",
    "AmazonSQS": "sqs",
    "DynamoDB": "dynamodb",
}


class CallRecorder:
    """Requests by `service:Operation`, and invocations by `lambda:<function>`.

    `seconds` are those that the server spent on the requests of a kind, added up.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record the requests and invocations until the end of the block."""
        call, invoke = Gateway.__call__, LambdaService.invoke

        def recorded_call(
            gateway: Gateway, environ: dict[str, Any], start_response: Any
        ) -> Iterable[bytes]:
            started = time.perf_counter()
            try:
                return list(call(gateway, environ, start_response))
            finally:
                self._add(operation(environ), time.perf_counter() - started)

        def recorded_invoke(service: LambdaService, name: str, payload: bytes) -> Any:
            started = time.perf_counter()
            try:
                return invoke(service, name, payload)
            finally:
                name = name.rpartition(":")[2]
                self._add(f"lambda:{name}", time.perf_counter() - started)

        with (
            patch.object(Gateway, "__call__", recorded_call),
            patch.object(LambdaService, "invoke", recorded_invoke),
        ):
            yield

    def clear(self) -> None:
        """Clear the records."""
        self.counts.clear()
        self.seconds.clear()

    def _add(self, name: str | None, seconds: float) -> None:
        if name is not None:
            self.counts[name] += 1
            self.seconds[name] += seconds


def operation(environ: Mapping[str, Any]) -> str | None:
    """The operation that a request (WSGI) asks for, such as `s3:UploadPart`.

    None for invocations, which are recorded where they run, and for the stack's own controls.
    """
    if environ.get("PATH_INFO", "").startswith((INVOKE_PATH, "/_embedded/")):
        return None
    target, _, action = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
    if target:
        service = target.partition("_")[0]
        return f"{_SERVICES.get(service, service)}:{action}"
    # key/date/region/service/aws4_request
    scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].split(",")[0]
    service = (scope.split("/") + [""] * 4)[3]
    return f"s3:{_s3_operation(environ)}" if service == "s3" else f"{service}:Request"


def _s3_operation(environ: Mapping[str, Any]) -> str:
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    copied = "HTTP_X_AMZ_COPY_SOURCE" in environ
    match environ["REQUEST_METHOD"]:
        case "GET":
            lists = {"versions": "ListObjectVersions", "list-type": "ListObjectsV2"}
            return next((name for word, name in lists.items() if word in query), "GetObject")
        case "HEAD":
            return "HeadObject"
        case "PUT" if "partNumber" in query:
            return "UploadPartCopy" if copied else "UploadPart"
        case "PUT":
            return "CopyObject" if copied else "PutObject"
        case "POST":
            return "CreateMultipartUpload" if "uploads" in query else "CompleteMultipartUpload"
        case _:
            return "AbortMultipartUpload" if "uploadId" in query else "DeleteObject"
