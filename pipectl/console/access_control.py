"""Access control of the console: only the browser of the person who has started it gets pages.

A request is answered only if

- its `Host` is this machine, so a page whose name was made to resolve to 127.0.0.1 gets nothing,
- it doesn't come from another origin (`Origin`, `Sec-Fetch-Site`),
- it has the token: in the printed address once, then in a cookie that no other site's page sends,
- for a change: writes are allowed, and it has the form token that only our pages contain.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import re
import secrets
from collections.abc import Iterable
from urllib.parse import quote, urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Any port, since it may be forwarded.
_HERE = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?", re.IGNORECASE)
# `none`: a person typed or pasted the address.
_FETCHED_FROM_HERE = ("", "none", "same-origin")
_PUBLIC_PREFIX = "/static/"
_SAFE_METHODS = frozenset({"GET", "HEAD"})

# Not a redirect: a browser that came from another site's page would leave out a strict cookie.
_WELCOME = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Console</title>'
    '<link rel="icon" href="data:,">'
    '<meta http-equiv="refresh" content="0;url={0}"><p><a href="{0}">Open the console</a></p>'
    "</html>"
)
_REFUSED = (
    "This address needs the token that `pipectl up` or `pipectl console` has printed. Open the"
    " address from the terminal.\n"
)


class AccessControl:
    """The ASGI application in front of the pages."""

    def __init__(self, application: ASGIApp, token: str, *, allow_writes: bool) -> None:
        self._application = application
        self._token = token
        self._allow_writes = allow_writes
        self.cookie = f"pipectl-console-{self._derived('name')[:8]}"
        self._session = self._derived("session")
        self.form_token = self._derived("form")

    def _derived(self, purpose: str) -> str:
        return hmac.new(self._token.encode(), purpose.encode(), hashlib.sha256).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI), or refuse it before anything else reads it."""
        if scope["type"] != "http":
            # As ASGI demands. Websockets, for example, would get past the checks below.
            raise NotImplementedError(f"The console does not serve {scope['type']}.")
        request = Request(scope)
        nonce = secrets.token_urlsafe(16)
        scope["state"] = {**scope.get("state", {}), "nonce": nonce, "form_token": self.form_token}

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _safe_headers(nonce):
                    headers.setdefault(name, value)
            await send(message)

        answer = self._refusal(request) or self._welcome(request)
        await (answer or self._application)(scope, receive, send_safely)

    def _refusal(self, request: Request) -> Response | None:
        """The answer to a request that must not be served."""
        host = request.headers.get("host", "")
        if not _HERE.fullmatch(host):
            return _refused("The Host header must name this machine: 127.0.0.1.\n")
        foreign = request.headers.get("sec-fetch-site", "") not in _FETCHED_FROM_HERE
        came_by_link = (
            request.headers.get("sec-fetch-mode") == "navigate" and request.method == "GET"
        )
        if request.headers.get("origin", f"http://{host}") != f"http://{host}" or (
            # A link with the token may be in a terminal that is a web page.
            foreign and not (came_by_link and self._has_token(request))
        ):
            return _refused("Requests of other origins are refused.\n")
        if request.method in _SAFE_METHODS:
            return None
        if request.method != "POST":
            return PlainTextResponse("Only GET and POST.\n", 405, {"Allow": "GET, POST"})
        if not self._allow_writes:
            return _refused(
                "This console is read-only. Start it with --allow-writes to change the stack.\n"
            )
        return None

    def _welcome(self, request: Request) -> Response | None:
        """The answer to the printed address, or to a request without the cookie."""
        # The path that chooses the route.
        if request.scope["path"].startswith(_PUBLIC_PREFIX):
            return None
        if self._has_token(request):
            answer = HTMLResponse(_WELCOME.format(html.escape(_without_token(request))))
            answer.set_cookie(
                self.cookie, self._session, path="/", httponly=True, samesite="strict"
            )
            return answer
        given = request.cookies.get(self.cookie, "")
        if hmac.compare_digest(given.encode(), self._session.encode()):
            return None
        return _refused(_REFUSED)

    def _has_token(self, request: Request) -> bool:
        given = request.query_params.get("token", "")
        return hmac.compare_digest(given.encode(), self._token.encode())

    def is_own_form(self, given: object) -> bool:
        """Whether a form's hidden field is the one of our own pages."""
        return hmac.compare_digest(str(given or "").encode(), self.form_token.encode())


def _without_token(request: Request) -> str:
    """The address on this console that a printed one leads to."""
    others = [pair for pair in request.query_params.multi_items() if pair[0] != "token"]
    path = quote("/" + request.url.path.lstrip("/"))
    return path + (f"?{urlencode(others)}" if others else "")


def _refused(reason: str) -> Response:
    return PlainTextResponse(reason, 403)


def _safe_headers(nonce: str) -> Iterable[tuple[str, str]]:
    policy = (
        "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:;"
        f" style-src 'self' 'nonce-{nonce}'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    )
    return (
        ("Content-Security-Policy", policy),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        # With `no-referrer`, browsers send `Origin: null` with our own forms.
        ("Referrer-Policy", "same-origin"),
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "no-store"),
    )
