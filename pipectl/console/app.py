"""The console's application: what it knows, its addresses, and how errors are answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from pipectl.client.aws_errors import explained
from pipectl.console import (
    datasets_page,
    failures_page,
    file_page,
    files_page,
    notifications_page,
    style,
    upload_page,
)
from pipectl.console.commands import Commands
from pipectl.console.guard import Guard
from pipectl.console.index import ExecutionIndex
from pipectl.console.jobs import Jobs
from pipectl.console.live import Changes, Live, Polled
from pipectl.console.pages import page
from pipectl.console.staging import Staging
from pipectl.errors import PipectlError
from pipectl.operate.failed_files import FailureFilter
from pipectl.operate.find_failures import FoundFailures, find_failures
from pipectl.operate.rerun_files import RerunReport, rerun_files
from pipectl.operate.rerun_options import RerunOptions
from pipectl.operate.rerun_plan import FileRerun

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack

STATIC = Path(__file__).parent / "static"
_STATIC_TYPES = {".js": "text/javascript", ".txt": "text/plain"}
# Reading the failures looks into the dead-letter queue, whose messages nobody else sees meanwhile.
_FAILURES_SECONDS = 5.0
_MOST_FORM_FIELDS = 300
_MOST_FIELD_BYTES = 2 * 1024 * 1024

Handler = Callable[[Request], Response]
FormHandler = Callable[[Request, FormData], Response]


class Messages(Protocol):
    """Returns all messages that the stack has published."""

    def __call__(self) -> list[dict[str, Any]]:
        """The messages: subject, message, attributes."""


class Console:
    """What all pages share. Safe to use from many threads."""

    def __init__(
        self,
        stack: Stack,
        *,
        allow_writes: bool,
        commands: Commands,
        changes: Changes | None = None,
        messages: Messages | None = None,
        patience: float = 0.2,
    ) -> None:
        """`changes` and `messages` are what only an embedded stack reports.

        A page waits for at most `patience` seconds until the newest executions are read.
        """
        self.stack = stack
        self.allow_writes = allow_writes
        self.commands = commands
        self.closed = threading.Event()
        self.index = ExecutionIndex(stack, patience=patience)
        self.live = Live(self.index, changes or Polled(self.closed), self.closed)
        self.steps = files_page.Steps(stack.client("stepfunctions"))
        self.staging = Staging()
        self.jobs = Jobs(stack, self.changed)
        self._messages = messages
        self._failures: tuple[float, int, FoundFailures] | None = None
        self._reading_failures = threading.Lock()

    @property
    def has_messages(self) -> bool:
        """Whether the stack keeps the messages that it has published."""
        return self._messages is not None

    @property
    def place(self) -> str:
        """Where the stack is, in a few words."""
        if self.stack.emulated:
            return str(self.stack.deployment.endpoint).removeprefix("http://")
        return f"AWS {self.stack.region}"

    @property
    def failed_count(self) -> int:
        """The number of files whose last execution failed."""
        return sum(files_page.group_of(row) == "failed" for row in self.index.known_files())

    def notifications(self) -> list[dict[str, Any]]:
        """All messages that the stack has published, if it keeps them."""
        return self._messages() if self._messages else []

    def failures(self) -> FoundFailures:
        """The failed files, read again if something has changed or some seconds have passed."""
        with self._reading_failures:
            self.index.files()
            now, version = time.monotonic(), self.index.version
            if self._failures is not None:
                at, seen, found = self._failures
                if seen == version and now - at < _FAILURES_SECONDS:
                    return found
            found = find_failures(self.stack, FailureFilter())
            self._failures = (time.monotonic(), version, found)
            return found

    def changed(self) -> None:
        """Let the next page see what has just been changed."""
        self._failures = None
        self.index.outdate()
        self.live.note("files", "")

    def rerun(self, options: RerunOptions) -> RerunReport:
        """Rerun files without waiting for their end."""
        report = rerun_files(self.stack, options, Quiet())
        self.changed()
        return report

    def quiet(self) -> Quiet:
        """Progress that nobody sees, as of a dry run."""
        return Quiet()

    def close(self) -> None:
        """End all streams, and delete the files that wait."""
        self.closed.set()
        self.live.close()
        self.staging.close()


class Quiet:
    """Shows no progress."""

    def starting(self, rerun: FileRerun) -> None:
        """Show nothing."""

    def following(self, _total: int) -> AbstractContextManager[Callable[[FileRerun], None]]:
        """Show nothing."""
        return _nothing()


@contextmanager
def _nothing() -> Iterator[Callable[[FileRerun], None]]:
    yield lambda _rerun: None


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
