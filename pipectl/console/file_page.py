"""File: one version of an object, its attempts, and the actions on it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from botocore.exceptions import ClientError
from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from pipectl.client.file_results import message_text
from pipectl.client.metadata_items import MetadataItems
from pipectl.client.targets import Target, read_target
from pipectl.console.pages import page
from pipectl.errors import PipectlError, UsageError
from pipectl.operate.details import OUTPUTS, ExecutionDetails, read_details
from pipectl.operate.execution_view import read_execution_view
from pipectl.operate.failure_report import report_of
from pipectl.operate.rerun_options import RerunOptions
from pipectl.views.execution_page import parts_of
from shared.errors import error_code
from shared.executions import attempt_of

if TYPE_CHECKING:
    from pipectl.console.state import Console

# After this error, rejected rows can be corrected although nothing was published.
TOO_MANY_REJECTS = "TooManyRejects"
VIEWS = ("graph", "timeline", "events")
_CHUNK = 64 * 1024
# Reports are pages of ours. They contain text of files, so they run nothing and load nothing.
_REPORT_TYPE = "text/html; charset=utf-8"
_REPORT_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"

OUTPUT_NAMES = {
    "processed": "Processed records",
    "rejected": "Rejected records",
    "corrections": "Rejected rows, to correct",
    "summary": "Summary",
    "report": "Report",
}


@dataclass(frozen=True)
class Output:
    """One output of the file: its name, address, and size if it exists."""

    name: str
    title: str
    address: str
    size: int | None


@dataclass(frozen=True)
class Action:
    """A button: what it does, its command, and why it is disabled, if it is."""

    name: str
    title: str
    command: str
    obstacle: str | None = None
    strong: bool = False


def target_of(request: Request) -> Target:
    """The file or execution in the address; raises `PipectlError` if it is neither."""
    text = str(request.path_params["target"])
    try:
        return read_target(text)
    except UsageError as error:
        raise PipectlError(error.message) from None


def show(request: Request) -> Response:
    """The page of a file's last attempt, or of an execution."""
    console: Console = request.app.state.console
    target = target_of(request)
    try:
        found = read_details(console.stack, target)
    except PipectlError as error:
        return _without_execution(request, target, error)
    view = read_execution_view(console.stack, found)
    chosen = request.query_params.get("view", "graph")
    chosen = chosen if chosen in VIEWS else "graph"
    parts = parts_of(view)
    item: Mapping[str, Any] = found.item or {}
    return page(
        request,
        "file.html",
        screen="files",
        found=found,
        execution=found.execution,
        name=PurePosixPath(found.source.key).name,
        outcome=_status(found),
        parts=parts,
        shown={"graph": parts.graph, "timeline": parts.timeline, "events": parts.events}[chosen],
        chosen=chosen,
        views=VIEWS,
        attempts=list(_attempts(found)),
        outputs=_outputs(console, found.item),
        versions=[one for one in found.versions if one["file_id"] != found.source.file_id],
        item=json.dumps(item, indent=2, ensure_ascii=False, sort_keys=True) if item else None,
        counts={name: item.get(name) for name in ("record_count", "processed_count", "error_count")}
        if item.get("execution_arn") == found.execution.arn and "record_count" in item
        else None,
        notification=_notification(console, found),
        actions=list(_actions(console, found)),
        plan=found.rerun_plan,
        rejects=_rejects(console, found),
        report_command=console.commands.line(
            "show", found.execution.name, "--report", "report.html"
        ),
        show_command=console.commands.line("show", found.execution.name),
    )


def _status(found: ExecutionDetails) -> str:
    own = found.item is not None and found.item["execution_arn"] == found.execution.arn
    if found.item is not None and own and found.item["status"] == "superseded":
        return "superseded"
    return found.execution.status


def _attempts(found: ExecutionDetails) -> Iterator[Mapping[str, Any]]:
    for number, one in enumerate(found.attempts, 1):
        named = attempt_of(one.name)
        # A file's id means its last attempt.
        address = f"{one.name}-r1" if named and named[1] == 1 else one.name
        yield {
            "title": f"Attempt {named[1]}" if named else f"Execution {number}",
            "address": quote(address, safe=""),
            "status": one.status,
            "redrives": one.redrive_count,
            "current": one.arn == found.execution.arn,
        }


def _outputs(console: Console, item: Mapping[str, Any] | None) -> list[Output]:
    return [
        Output(
            name,
            OUTPUT_NAMES.get(name, name.capitalize()),
            f"s3://{item['output_bucket']}/{item[key]}",
            size,
        )
        for name, key in OUTPUTS.items()
        if item is not None and key in item
        for size in [_size(console, item["output_bucket"], item[key])]
    ]


def _size(console: Console, bucket: str, key: str) -> int | None:
    try:
        return int(console.stack.client("s3").head_object(Bucket=bucket, Key=key)["ContentLength"])
    except ClientError:
        return None


def _notification(console: Console, found: ExecutionDetails) -> Mapping[str, Any] | None:
    """The file's last notification as it was sent, or the channels' ids from its item."""
    own = [one for one in console.notifications() if _is_about(one, found.source.file_id)]
    if own:
        return {**own[-1], "text": message_text(own[-1]["message"])}
    marks = (found.item or {}).get("notified")
    return {"marks": marks} if marks else None


def _is_about(notification: Mapping[str, Any], file_id: str) -> bool:
    return bool(notification["attributes"].get("file_id") == file_id)


def _rejects(console: Console, found: ExecutionDetails) -> Mapping[str, str] | None:
    """The commands for rejected rows, if the file has any."""
    item = found.item or {}
    limit = found.error is not None and found.error.code == TOO_MANY_REJECTS
    if not (item.get("error_count") or limit) or found.execution.running:
        return None
    file_id = found.source.file_id
    return {
        "download": console.commands.line("rejects", file_id, "--csv", "rows.csv"),
        "correct": console.commands.line("correct", file_id, "rows.csv"),
    }


def _actions(console: Console, found: ExecutionDetails) -> Iterator[Action]:
    file_id, execution = found.source.file_id, found.execution
    running = next((one.name for one in found.attempts if one.running), None)
    busy = f"it is running: {running}" if running else None
    if not execution.running and execution.status != "succeeded":
        plan = found.rerun_plan
        obstacle = busy or (plan.reason if plan and plan.how != "redrive" else None)
        line = console.commands.line("rerun", execution.name)
        yield Action("redrive", "Redrive", line, obstacle, strong=obstacle is None)
    forced = "--force" if (found.item or {}).get("status") in ("succeeded", "superseded") else None
    line = console.commands.line("rerun", file_id, "--new", forced)
    yield Action("attempt", "New attempt", line, busy)


def _without_execution(request: Request, target: Target, error: PipectlError) -> Response:
    """The page of a file whose executions have expired, or that has none yet."""
    console: Console = request.app.state.console
    item = MetadataItems(console.stack).get([target.file_id] if target.file_id else [])
    known = item.get(target.file_id or "")
    text = json.dumps(known, indent=2, ensure_ascii=False, sort_keys=True) if known else None
    return page(
        request, "message.html", 404, screen="files", title="No execution", text=error.message,
        document=text,
    )  # fmt: skip


def rerun(request: Request, form: Mapping[str, Any]) -> Response:
    """Redrive the execution, or start a new attempt of the file, and show it."""
    console: Console = request.app.state.console
    target = target_of(request)
    new = form.get("how") != "redrive"
    options = RerunOptions(
        targets=(target,), new=new, force=new and form.get("force") == "yes", wait=False
    )
    report = console.rerun(options)
    refused = [one for one in report.reruns if one.status not in ("started", "running")]
    if refused:
        first = refused[0]
        reason = f"{first.error.code}: {first.error.message}" if first.error else first.reason
        raise PipectlError(f"The file was not rerun: {reason}.")
    return RedirectResponse(f"/files/{quote(target.file_id or target.text, safe='')}", 303)


def download(request: Request) -> Response:
    """One of the file's outputs. The report is shown, everything else is saved."""
    console: Console = request.app.state.console
    name = str(request.path_params["output"])
    target = target_of(request)
    item = MetadataItems(console.stack).get([str(target.file_id)]).get(str(target.file_id))
    key = None if item is None or name not in OUTPUTS else item.get(OUTPUTS[name])
    if item is None or key is None:
        raise PipectlError(f"The file {target.text} has no output of this name.")
    try:
        found = console.stack.client("s3").get_object(Bucket=item["output_bucket"], Key=key)
    except ClientError as error:
        if error_code(error) in ("NoSuchKey", "404"):
            raise PipectlError(f"s3://{item['output_bucket']}/{key} no longer exists.") from None
        raise
    headers = {"Content-Length": str(found["ContentLength"])}
    if name == "report":
        headers["Content-Security-Policy"] = _REPORT_POLICY
        media = _REPORT_TYPE
    else:
        file_name = quote(key.rpartition("/")[2], safe="")
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{file_name}"
        media = "application/octet-stream"
    chunks = iterate_in_threadpool(found["Body"].iter_chunks(_CHUNK))
    return StreamingResponse(chunks, headers=headers, media_type=media)


def failure_report(request: Request) -> Response:
    """The report of a file that failed, made now. That of a published one is an output."""
    console: Console = request.app.state.console
    page = report_of(console.stack, read_details(console.stack, target_of(request)))
    headers = {"Content-Security-Policy": _REPORT_POLICY}
    return Response(page, headers=headers, media_type=_REPORT_TYPE)
