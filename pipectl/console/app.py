"""The console's application: its addresses, and how errors are answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from pipectl.client.aws_errors import explained
from pipectl.console import (
    correct_page,
    datasets_page,
    failures_page,
    file_page,
    files_page,
    notifications_page,
    style,
    upload_page,
)
from pipectl.console.access_control import AccessControl
from pipectl.console.pages import page
from pipectl.console.state import Console
from pipectl.errors import PipectlError

STATIC = Path(__file__).parent / "static"
_STATIC_TYPES = {".js": "text/javascript", ".txt": "text/plain"}
_MOST_FORM_FIELDS = 300
_MOST_FIELD_BYTES = 2 * 1024 * 1024

Handler = Callable[[Request], Response]
FormHandler = Callable[[Request, FormData], Response]


def create_app(console: Console, token: str) -> AccessControl:
    """The application with its access control; `token` opens it."""
    handlers = {HTTPException: _http_error, Exception: _unexpected}
    application = Starlette(routes=ROUTES, exception_handlers=handlers)
    application.state.console = console
    guard = AccessControl(application, token, allow_writes=console.allow_writes)
    application.state.guard = guard
    return guard


def _page(path: str, handler: Handler) -> Route:
    """A page that changes nothing."""

    async def answer(request: Request) -> Response:
        return await run_in_threadpool(_explained, request, lambda: handler(request))

    return Route(path, answer, methods=["GET"])


def _form(path: str, handler: FormHandler) -> Route:
    """The address that a form of our own pages is sent to: it may change something."""

    async def answer(request: Request) -> Response:
        async with request.form(
            max_fields=_MOST_FORM_FIELDS, max_part_size=_MOST_FIELD_BYTES
        ) as form:
            if not request.app.state.guard.is_own_form(form.get("form_token")):
                return PlainTextResponse("The form is not from this console. Load it again.\n", 403)
            return await run_in_threadpool(_explained, request, lambda: handler(request, form))

    return Route(path, answer, methods=["POST"])


def _explained(request: Request, call: Callable[[], Response]) -> Response:
    """The response, or a page that says what is wrong and what to do."""
    try:
        with explained():
            return call()
    except PipectlError as error:
        return page(
            request,
            "message.html",
            404 if request.method == "GET" else 400,
            screen="",
            title="This did not work",
            text=error.message,
            document=None,
        )


async def _live(request: Request) -> Response:
    return StreamingResponse(
        request.app.state.console.live.events(), media_type="text/event-stream"
    )


async def _css(_request: Request) -> Response:
    return Response(style.text(), media_type="text/css", headers=_CACHED)


async def _static(request: Request) -> Response:
    path = STATIC / str(request.path_params["name"])
    if path.parent != STATIC or path.suffix not in _STATIC_TYPES or not path.is_file():
        raise HTTPException(404)
    return FileResponse(path, media_type=_STATIC_TYPES[path.suffix], headers=_CACHED)


_CACHED: Mapping[str, str] = {"Cache-Control": "no-cache"}


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    title = "There is no such page." if status == 404 else "This request can't be answered."
    return page(request, "message.html", status, screen="", title=title, text="", document=None)


async def _unexpected(request: Request, error: Exception) -> Response:
    text = f"{type(error).__name__}: see the terminal in which the console runs."
    title = "This page can't be shown."
    return page(request, "message.html", 500, screen="", title=title, text=text, document=None)


ROUTES = (
    _page("/", files_page.show),
    _form("/check", upload_page.check),
    _form("/upload", upload_page.send),
    _page("/files/{target}", file_page.show),
    _form("/files/{target}/rerun", file_page.rerun),
    _page("/files/{target}/outputs/{output}", file_page.download),
    _page("/files/{target}/report", file_page.failure_report),
    _page("/files/{target}/rejects.csv", correct_page.download),
    _form("/files/{target}/corrections", correct_page.check),
    _form("/files/{target}/corrections/send", correct_page.send),
    _page("/failures", failures_page.show),
    _page("/failures/plan", failures_page.plan),
    _form("/failures/rerun", failures_page.rerun),
    _form("/failures/replay", failures_page.replay_letter),
    _form("/failures/discard", failures_page.discard_letter),
    _page("/jobs/{job}", failures_page.job),
    _page("/datasets", datasets_page.show_all),
    _page("/datasets/{dataset}", datasets_page.show),
    _form("/datasets/{dataset}/check", datasets_page.propose),
    _form("/datasets/{dataset}/infer", datasets_page.infer),
    _form("/datasets/{dataset}/push", datasets_page.push),
    _page("/notifications", notifications_page.show),
    Route("/live", _live),
    Route("/static/console.css", _css),
    Route("/static/{name}", _static),
)
"""All addresses. Each is a `_page` or a `_form`; only forms change a stack."""
