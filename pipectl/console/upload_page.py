"""Upload: files are checked first, and sent after a confirmation."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from pipectl.client.uploads import PlannedUpload, dataset_for, put_file
from pipectl.console.commands import Commands
from pipectl.console.pages import page
from pipectl.errors import PipectlError, UsageError
from pipectl.operate.backfill_objects import ignored_names
from shared.keys import RAW_PREFIX
from tabular.file_names import why_ignored

if TYPE_CHECKING:
    from pipectl.console.state import Console

_MOST_FILES = 50


def check(request: Request, form: FormData) -> Response:
    """Check the files of the form, and show which records the pipeline would reject."""
    console: Console = request.app.state.console
    dataset = named_dataset(form)
    files = files_in(form)
    staged = [
        console.staging.add(console.stack, str(file.filename), file.file, dataset)
        for file in files[:_MOST_FILES]
    ]
    words = [one.path.name for one in staged]
    return page(
        request,
        "check.html",
        screen="files",
        staged=staged,
        dataset=dataset,
        sendable=[one for one in staged if _obstacle(console, one.path) is None],
        left_out=len(files) - len(staged),
        command=Commands().line(
            "check", *words, "--contract", f"{dataset or 'default'}.contract.json"
        ),
    )


def send(request: Request, form: FormData) -> Response:
    """Upload files that were checked."""
    console: Console = request.app.state.console
    staged = console.staging.take([str(one) for one in form.getlist("file")])
    obstacle = next(filter(None, (_obstacle(console, one.path) for one in staged)), None)
    if obstacle is not None:
        raise PipectlError(obstacle)
    uploads = [PlannedUpload(one.path, f"{_prefix(one.dataset)}{one.path.name}") for one in staged]
    twice = [key for key, count in Counter(one.key for one in uploads).items() if count > 1]
    if twice:
        raise PipectlError(f"Several files would get the key {twice[0]}. Send them one by one.")
    for upload in uploads:
        put_file(console.stack.deployment, upload)
    console.staging.remove(staged)
    console.changed()
    query = {"dataset": staged[0].dataset} if staged[0].dataset else {}
    return RedirectResponse("/" + (f"?{urlencode(query)}" if query else ""), 303)


def named_dataset(form: FormData) -> str | None:
    """The dataset that a form names; raises `PipectlError` if its name is not valid."""
    given = str(form.get("new_dataset") or "").strip() or str(form.get("dataset") or "").strip()
    try:
        return dataset_for(given or None, None)
    except UsageError as error:
        raise PipectlError(error.message) from None


def files_in(form: FormData) -> list[UploadFile]:
    """The files that a form has; raises `PipectlError` if there are none."""
    files: list[UploadFile] = [
        one for one in form.getlist("files") if isinstance(one, UploadFile) and one.filename
    ]
    if not files:
        raise PipectlError("Choose a file: the form has none.")
    return files


def _prefix(dataset: str | None) -> str:
    return f"{RAW_PREFIX}{dataset}/" if dataset else RAW_PREFIX


def _obstacle(console: Console, path: Path) -> str | None:
    """Why the pipeline would ignore the file."""
    ignored = ignored_names(console.stack.deployment.parameters)
    reason = why_ignored(path.name, path.stat().st_size, ignored)
    return f"The pipeline would ignore {path.name}: {reason}. Rename it." if reason else None
