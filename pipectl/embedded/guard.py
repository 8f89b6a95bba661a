"""Access control: only AWS clients on this machine may use the embedded AWS, no web page.

Any page in a browser can send requests to 127.0.0.1, and a page whose own name is made to resolve
to 127.0.0.1 (DNS rebinding) can read the answers. AWS clients don't send the headers that browsers
always add, and no page can send an `Authorization` header without a preflight. So a request is
answered only if

- its `Host` is loopback,
- it doesn't come from another origin (`Origin`, `Sec-Fetch-Site`) and is not a preflight,
- it is signed, as every request to AWS is. The signature is not verified: any keys work.
- it is for AWS's API. Requests under `/_embedded/` need the token of the state file; moto's own API
  is not served.
"""

from __future__ import annotations

import hmac
import io
import json
import re
import secrets
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from pipectl.client.controls import TOKEN_HEADER
from pipectl.embedded.gateway import CONTROL_PATH, Application, StartResponse
from pipectl.embedded.lambda_service import Answer, respond

_TOKEN_KEY = "HTTP_X_PIPECTL_TOKEN"  # noqa: S105  # the header's name in WSGI

# Any port, since it may be forwarded. Names below localhost are bucket names. They are loopback too
# (RFC 6761): no DNS server resolves them.
_LOOPBACK = re.compile(
    r"(?:127(?:\.\d{1,3}){3}|\[::1\]|(?:[a-z0-9.-]+\.)?localhost)(?::\d{1,5})?", re.IGNORECASE
)

# Paths that moto's dispatcher does not treat as calls of an AWS API.
_MOTOS_OWN = ("/moto-api", "/favicon.ico", "/latest/meta-data/", "/latest/api/")

# `none`: a person typed or pasted the address.
_FETCHED_FROM_HERE = ("", "none", "same-origin")

# An object in a bucket may be an HTML page. Opened in a browser, it must not run scripts.
_SAFE_HEADERS = (
    ("Content-Security-Policy", "sandbox; default-src 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
)


def new_token() -> str:
    """A new random secret for the stack's controls."""
    return secrets.token_urlsafe(32)


class Guard:
    """The WSGI application in front of the gateway."""

    def __init__(self, application: Application, token: str) -> None:
        self._application = application
        self._token = token

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (WSGI), or refuse it before anything else reads it."""
        start = _without_cors(start_response)
        refusal = self._refusal(environ)
        if refusal is not None:
            return respond(_answer(refusal, environ), start)
        return self._application(environ, start)

    def _refusal(self, environ: dict[str, Any]) -> tuple[HTTPStatus, str] | None:
        """Status and reason of a refusal; None if the request is allowed."""
        elsewhere = _came_from_elsewhere(environ)
        if elsewhere is not None:
            return HTTPStatus.FORBIDDEN, elsewhere
        path = environ.get("PATH_INFO", "")
        if path.startswith(CONTROL_PATH):
            token = environ.get(_TOKEN_KEY, "")
            if not hmac.compare_digest(token.encode(), self._token.encode()):
                return HTTPStatus.FORBIDDEN, f"{TOKEN_HEADER} must be the state file's token."
            return None
        if path.startswith(_MOTOS_OWN):
            return HTTPStatus.NOT_FOUND, "This is not part of AWS's API."
        if not _is_signed(environ):
            return HTTPStatus.FORBIDDEN, "The request is not signed. Any credentials work."
        return None


def _came_from_elsewhere(environ: dict[str, Any]) -> str | None:
    """Why a request can come from a web page or another machine; None if it can't."""
    host = environ.get("HTTP_HOST", "")
    if not _LOOPBACK.fullmatch(host):
        return "The Host header must name this machine: 127.0.0.1."
    foreign = environ.get("HTTP_SEC_FETCH_SITE", "") not in _FETCHED_FROM_HERE
    if foreign or environ.get("HTTP_ORIGIN", f"http://{host}") != f"http://{host}":
        return "Requests of other origins are refused."
    if environ["REQUEST_METHOD"] == "OPTIONS":
        return "Preflights are refused: no other origin may send requests."
    return None


def _is_signed(environ: dict[str, Any]) -> bool:
    """Whether a request has a signature: as a header, in a presigned URL, or in a posted form."""
    if environ.get("HTTP_AUTHORIZATION", "").startswith("AWS"):
        return True
    query = parse_qs(environ.get("QUERY_STRING", ""))
    if "X-Amz-Signature" in query or {"AWSAccessKeyId", "Signature"} <= query.keys():
        return True
    if not environ.get("CONTENT_TYPE", "").startswith("multipart/form-data"):
        return False
    # https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html
    body = environ["wsgi.input"].read()
    environ["wsgi.input"] = io.BytesIO(body)
    return re.search(rb'name="(?:x-amz-)?signature"', body, re.IGNORECASE) is not None


def _answer(refusal: tuple[HTTPStatus, str], environ: dict[str, Any]) -> Answer:
    """The refusal in the format of AWS's errors."""
    status, reason = refusal
    code = "AccessDenied" if status == HTTPStatus.FORBIDDEN else "NotFound"
    if "HTTP_X_AMZ_TARGET" in environ or environ.get("PATH_INFO", "").startswith(CONTROL_PATH):
        return Answer(status, json.dumps({"__type": code, "message": reason}).encode())
    body = f"<Error><Code>{code}</Code><Message>{reason}</Message></Error>"
    return Answer(status, body.encode(), {"Content-Type": "application/xml"})


def _without_cors(start_response: StartResponse) -> StartResponse:
    """Remove moto's CORS headers, which allow every origin to read the answers."""

    def start(status: str, headers: list[tuple[str, str]], *info: Any) -> Any:
        own = [
            (name, value)
            for name, value in headers
            if not name.lower().startswith("access-control-")
        ]
        return start_response(status, [*own, *_SAFE_HEADERS], *info)

    return start
