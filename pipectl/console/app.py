"""The console's application: its addresses, and how errors are answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
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
from pipectl.console.guard import Guard
from pipectl.console.pages import page
from pipectl.console.state import Console
from pipectl.errors import PipectlError

STATIC = Path(__file__).parent / "static"
_STATIC_TYPES = {".js": "text/javascript", ".txt": "text/plain"}
_MOST_FORM_FIELDS = 300
_MOST_FIELD_BYTES = 2 * 1024 * 1024

Handler = Callable[[Request], Response]
FormHandler = Callable[[Request, FormData], Response]


def create_app(console: Console, token: str) -> Guard:
    """The application with its access control; `token` opens it."""
    application = Starlette(
        routes=[
            Route("/", _page(files_page.show)),
            Route("/check", _form(upload_page.check), methods=["POST"]),
            Route("/upload", _form(upload_page.send), methods=["POST"]),
            Route("/files/{target}", _page(file_page.show)),
            Route("/files/{target}/rerun", _form(file_page.rerun), methods=["POST"]),
            Route("/files/{target}/outputs/{output}", _page(file_page.download)),
            Route("/files/{target}/rejects.csv", _page(correct_page.download)),
            Route("/files/{target}/corrections", _form(correct_page.check), methods=["POST"]),
            Route("/files/{target}/corrections/send", _form(correct_page.send), methods=["POST"]),
            Route("/failures", _page(failures_page.show)),
            Route("/failures/plan", _page(failures_page.plan)),
            Route("/failures/rerun", _form(failures_page.rerun), methods=["POST"]),
            Route("/failures/replay", _form(failures_page.replay_letter), methods=["POST"]),
            Route("/failures/discard", _form(failures_page.discard_letter), methods=["POST"]),
            Route("/jobs/{job}", _page(failures_page.job)),
            Route("/datasets", _page(datasets_page.show_all)),
            Route("/datasets/{dataset}", _page(datasets_page.show)),
            Route("/datasets/{dataset}/check", _form(datasets_page.propose), methods=["POST"]),
            Route("/datasets/{dataset}/infer", _form(datasets_page.infer), methods=["POST"]),
            Route("/datasets/{dataset}/push", _form(datasets_page.push), methods=["POST"]),
            Route("/notifications", _page(notifications_page.show)),
            Route("/live", _live),
            Route("/static/console.css", _css),
            Route("/static/{name}", _static),
        ],
        exception_handlers={HTTPException: _http_error},
    )
    application.state.console = console
    guard = Guard(application, token, allow_writes=console.allow_writes)
    application.state.guard = guard
    return guard


def _page(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return await run_in_threadpool(_explained, request, lambda: handler(request))

    return answer


def _form(handler: FormHandler) -> Callable[[Request], Awaitable[Response]]:
    """A page that changes something: only for forms of our own pages."""

    async def answer(request: Request) -> Response:
        async with request.form(
            max_fields=_MOST_FORM_FIELDS, max_part_size=_MOST_FIELD_BYTES
        ) as form:
            if not request.app.state.guard.is_own_form(form.get("form_token")):
                return PlainTextResponse("The form is not from this console. Load it again.\n", 403)
            return await run_in_threadpool(_explained, request, lambda: handler(request, form))

    return answer


def _explained(request: Request, call: Callable[[], Response]) -> Response:
    """The answer, or the page that says what is wrong and what to do."""
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
    text = "There is no such page." if status == 404 else "This request can't be answered."
    return page(request, "message.html", status, screen="", title=text, text="", document=None)
