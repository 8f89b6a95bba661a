"""A request to the embedded AWS, as its URL, headers and body describe it."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, unquote

from pipectl.embedded.template import REGION

# Names of services in the targets of AWS's JSON protocol.
_SERVICES = {
    "AWSEvents": "events",
    "AWSGlue": "glue",
    "AWSStepFunctions": "stepfunctions",
    "AmazonSQS": "sqs",
    "DynamoDB": "dynamodb",
    "GraniteServiceVersion20100801": "cloudwatch",
    "Logs": "logs",
    "TrentService": "kms",
}
# Names in signatures that differ from those of boto3.
_SIGNED = {"monitoring": "cloudwatch", "states": "stepfunctions"}
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Request:
    """One request (WSGI)."""

    environ: dict[str, Any]

    @cached_property
    def target(self) -> str:
        """The operation's target in AWS's JSON protocol, or an empty text."""
        return str(self.environ.get("HTTP_X_AMZ_TARGET", ""))

    @cached_property
    def service(self) -> str:
        """The service in boto3's words."""
        prefix, _, _ = self.target.partition(".")
        if prefix:
            return _SERVICES.get(prefix.partition("_")[0], prefix)
        return _SIGNED.get(self._scope[1], self._scope[1])

    @cached_property
    def operation(self) -> str:
        """The operation's name; for REST it is the HTTP method."""
        if self.target:
            return self.target.partition(".")[2]
        if self.is_form:
            return self.form.get("Action", "")
        return self.method

    @cached_property
    def method(self) -> str:
        """The HTTP method."""
        return str(self.environ["REQUEST_METHOD"])

    @cached_property
    def access_key(self) -> str:
        """The access key that signed the request; an empty text if none is given."""
        return self._scope[0]

    @cached_property
    def region(self) -> str:
        """The region that the request is signed for."""
        return self._scope[2] or REGION

    @cached_property
    def query(self) -> dict[str, str]:
        """The parameters of the URL; the first value of each."""
        text = str(self.environ.get("QUERY_STRING", ""))
        return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}

    @cached_property
    def is_form(self) -> bool:
        """Whether it is of AWS's query protocol, whose parameters are a form."""
        return str(self.environ.get("CONTENT_TYPE", "")).startswith(_FORM)

    @cached_property
    def form(self) -> dict[str, str]:
        """The parameters of AWS's query protocol."""
        text = self.body.decode(errors="replace")
        return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}

    @cached_property
    def document(self) -> dict[str, Any]:
        """The JSON object in the body; empty if there is none."""
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return document if isinstance(document, dict) else {}

    @cached_property
    def body(self) -> bytes:
        """The body, which can be read again by others."""
        length = int(self.environ.get("CONTENT_LENGTH") or 0)
        body: bytes = self.environ["wsgi.input"].read(length)
        self.environ["wsgi.input"] = io.BytesIO(body)
        return body

    @cached_property
    def path(self) -> str:
        """The path, decoded."""
        return str(self.environ.get("PATH_INFO", "")).encode("latin-1").decode(errors="replace")

    @cached_property
    def raw_path(self) -> str:
        """The path as it was sent: it may contain an ARN with encoded colons."""
        return str(self.environ.get("RAW_URI", self.path)).partition("?")[0]

    def header(self, name: str) -> str:
        """A header's value, or an empty text."""
        return str(self.environ.get(f"HTTP_{name.upper().replace('-', '_')}", ""))

    @cached_property
    def bucket_and_key(self) -> tuple[str, str]:
        """Bucket and key of a request to S3; either may be empty."""
        host = self.header("host").rpartition(":")[0] or self.header("host")
        # Below localhost, and on AWS, the bucket is part of the name.
        for ending in (".localhost", ".s3.amazonaws.com", f".s3.{self.region}.amazonaws.com"):
            if host.endswith(ending):
                return host.removesuffix(ending), self.path[1:]
        bucket, _, key = self.path[1:].partition("/")
        return bucket, key

    @cached_property
    def _scope(self) -> tuple[str, str, str]:
        """Access key, service and region of the signature: key/date/region/service/aws4_request."""
        header = self.header("authorization")
        scope = header.partition("Credential=")[2].partition(",")[0]
        if not scope:
            scope = unquote(self.query.get("X-Amz-Credential", ""))
        if scope.count("/") > 3:
            key, _date, region, service, _end = scope.rsplit("/", 4)
            return key, service, region
        # Version 2, which only S3 still accepts: "AWS key:signature".
        if header.startswith("AWS "):
            return header[4:].partition(":")[0], "s3", ""
        return self.query.get("AWSAccessKeyId", scope), "s3", ""


def header_values(text: str) -> Mapping[str, str]:
    """A header that is written like a query, such as x-amz-tagging."""
    return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}
