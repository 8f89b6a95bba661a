"""Corrections: download the rejected rows as CSV, preview corrected rows, and upload them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.concurrency import iterate_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from pipectl.console.file_page import target_of
from pipectl.console.pages import page
from pipectl.console.upload_page import files_in
from pipectl.errors import PipectlError
from pipectl.operate.correct_rows import check_corrections, upload_corrections
from pipectl.operate.find_rejects import find_rejects, read_bytes

if TYPE_CHECKING:
    from pipectl.console.state import Console

_LISTED = 200


def _file_id(request: Request) -> str:
    """The file in the address; raises `PipectlError` if it is not the id of one."""
    target = target_of(request)
    if target.file_id is None:
        raise PipectlError(f"{target.text} does not belong to a file.")
    return target.file_id


def download(request: Request) -> Response:
    """The rejected rows, to be corrected in a spreadsheet."""
    console: Console = request.app.state.console
    file_id = _file_id(request)
    rejects = find_rejects(console.stack, file_id, "csv")
    if not rejects.keys:
        raise PipectlError(rejects.about)
    return StreamingResponse(
        iterate_in_threadpool(read_bytes(console.stack, rejects)),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="rejects-{file_id}.csv"'},
    )


def check(request: Request, form: FormData) -> Response:
    """Show what the corrected rows of the form change."""
    console: Console = request.app.state.console
    file_id = _file_id(request)
    file = files_in(form)[0]
    kept = console.staging.keep(str(file.filename), file.file)
    correction = check_corrections(console.stack, file_id, kept.path)
    return page(
        request,
        "correct.html",
        screen="files",
        file_id=file_id,
        staged=kept.id,
        rows=correction.rows[:_LISTED],
        count=len(correction.rows),
        wrong=correction.wrong,
        command=console.commands.line("correct", file_id, kept.path.name),
    )


def send(request: Request, form: FormData) -> Response:
    """Upload corrected rows that were checked, which starts the file's next attempt."""
    console: Console = request.app.state.console
    file_id = _file_id(request)
    staged = console.staging.take([str(form.get("file", ""))])
    correction = check_corrections(console.stack, file_id, staged[0].path)
    if not correction.rows:
        raise PipectlError("No row is changed, so there is nothing to correct.")
    upload_corrections(console.stack, correction)
    console.staging.remove(staged)
    console.changed()
    return RedirectResponse(f"/files/{quote(file_id, safe='')}", 303)
