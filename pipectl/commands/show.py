"""`pipectl show`: show everything about one execution and its file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipectl.client.stack_choice import StackChoice, stack_options
from pipectl.errors import PipectlError
from pipectl.options import json_option
from pipectl.output import echo, echo_json
from pipectl.times import format_duration, format_time

if TYPE_CHECKING:
    from pipectl.client.history import Run
    from pipectl.client.stack_choice import Stack
    from pipectl.operate.details import ExecutionDetails


@click.command(
    epilog="Example: pipectl show 5f0c2b7e9d1a4c3e8b6f7a9d0c1e2f3a --html run.html --open"
)
@click.argument("target", metavar="EXECUTION|FILE_ID")
@json_option
@click.option(
    "--html",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the execution's page: graph, timeline, events and the details of each step.",
)
@click.option(
    "--report",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the file's data report. That of a failed file says what is wrong, with the rejected"
    " records that were kept.",
)
@click.option("--follow", is_flag=True, help="Print the states of a running execution as they end.")
@click.option("--open", "open_page", is_flag=True, help="Open the pages in a browser.")
@stack_options
def command(
    *,
    choice: StackChoice,
    target: str,
    as_json: bool,
    html: Path | None,
    report: Path | None,
    follow: bool,
    open_page: bool,
) -> None:
    """Show an execution: its states with times, tries and errors, its logs and its outputs.

    Name the execution by its name or ARN. A file's id means the last execution of the file, and
    <file_id>-r1 the first.

    Exit status: 0 on success, 1 if there is no such execution or it can't be read, 2 on usage
    errors.
    """
    from pipectl.client.targets import read_target
    from pipectl.operate.details import read_details
    from pipectl.operate.failure_report import write_report

    pages = [path for path in (html, report) if path is not None]
    _check_options(pages, open_page=open_page, follow=follow, as_json=as_json)
    wanted = read_target(target)
    stack = choice.open()
    found = read_details(stack, wanted)
    if follow and found.execution.running:
        _follow(stack, found)
        found = read_details(stack, wanted)
    if html is not None:
        _write_page(stack, found, html)
    if report is not None:
        write_report(stack, found, report)
    if as_json:
        echo_json(found.to_document())
    elif not pages:
        _show(found)
    for path in pages:
        if not as_json:
            echo(f"Wrote {path}")
        if open_page:
            click.launch(path.resolve().as_uri())


def _check_options(pages: Sequence[Path], *, open_page: bool, follow: bool, as_json: bool) -> None:
    """Raise a usage error for options that can't be combined."""
    if open_page and not pages:
        raise click.UsageError("--open needs --html FILE or --report FILE, the page to open.")
    if follow and as_json:
        raise click.UsageError("--follow can't be used together with --json.")


def _follow(stack: Stack, found: ExecutionDetails) -> None:
    """Print the execution's states as they end, until it ends or Ctrl-C."""
    from pipectl.client.step_functions import Executions
    from pipectl.commands.following import follow_states, until_interrupted

    executions = Executions(stack)

    def read() -> Run:
        return executions.run(executions.describe(found.execution.arn) or found.execution)

    with until_interrupted() as ended:
        follow_states(read, ended)
    echo("")


def _write_page(stack: Stack, found: ExecutionDetails, path: Path) -> None:
    """Write the execution's page; raises `PipectlError` if the file can't be written."""
    from pipectl.operate.execution_view import read_execution_view
    from pipectl.operate.next_step import next_step
    from pipectl.views.execution_page import render

    page = render(read_execution_view(stack, found), next_step(found))
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise PipectlError(f"The page can't be written to {path}: {error.strerror}.") from error


def _show(found: ExecutionDetails) -> None:
    from pipectl import tables
    from pipectl.operate.details import replay_of
    from pipectl.operate.next_step import next_step

    execution = found.execution
    after = f"after {format_duration(execution.duration_ms)}"
    tables.line("Execution", execution.name, status=execution.status, after=after)
    _line("File", f"{found.source.file_id}  {found.source.uri}")
    _line("Version", found.source.version_id)
    _line("Started", f"{format_time(execution.started_at)} UTC")
    if execution.redrive_count:
        _line("Redriven", f"{execution.redrive_count}x")
    if replay_of(execution):
        _line("Repeats", replay_of(execution))
    if found.error:
        where = f" in {found.error.state}" if found.error.state else ""
        _line("Error", f"{found.error.code}{where}: {found.error.message}")
        step = next_step(found)
        if step:
            _line(step.label, str(step))
        _line("Report", f"pipectl show {found.source.file_id} --report report.html")
    _line("Console", found.console())
    echo("")
    _show_states(found)
    _show_others(found)
    _show_result(found)


def _show_states(found: ExecutionDetails) -> None:
    from pipectl import tables

    tables.show(
        ("STATE", "STATUS", "ENTERED (UTC)", "TOOK", "TRIES", "RUN", "ERROR"),
        (
            (
                state["name"],
                state["status"],
                format_time(state["entered_at"]),
                format_duration(state["duration_ms"]),
                str(state["tries"] or "-"),
                "first" if state["redrive"] == 0 else f"redrive {state['redrive']}",
                _error(state["error"]),
            )
            for state in found.states()
        ),
        status=1,
    )


def _show_others(found: ExecutionDetails) -> None:
    """The file's other attempts and versions, if there are any."""
    from pipectl import tables

    if len(found.attempts) > 1:
        echo("")
        tables.show(
            ("ATTEMPTS", "STATUS", "STARTED (UTC)", "REDRIVES"),
            (
                (one.name, one.status, format_time(one.started_at), str(one.redrive_count))
                for one in found.attempts
            ),
            status=1,
        )
    document = found.to_document()
    others = [one for one in document["versions"] if one["file_id"] != found.source.file_id]
    if others:
        echo("")
        tables.show(
            ("OTHER VERSIONS", "STATUS", "UPLOADED (UTC)", ""),
            (
                (
                    one["file_id"],
                    one["status"],
                    format_time(one["uploaded_at"]),
                    "later" if one["later"] else "earlier",
                )
                for one in others
            ),
            status=1,
        )


def _show_result(found: ExecutionDetails) -> None:
    from pipectl.operate.details import catalogue_problems

    item: Any = found.item or {}
    echo("")
    if "record_count" in item:
        counts = (
            f"{item['record_count']:,} read, {item['processed_count']:,} processed,"
            f" {item['error_count']:,} rejected"
        )
        _line("Records", counts)
    for name, address in found.outputs().items():
        _line(_OUTPUT_NAMES[name], address)
    for problem in catalogue_problems(found.run):
        _line("Catalogue", problem)
    for state, log in dict(_logs(found)).items():
        _line("Log", f"{log}  ({state})")


_OUTPUT_NAMES = {
    "processed": "Processed",
    "rejected": "Rejected",
    "corrections": "To correct",
    "summary": "Summary",
    "report": "Report",
}


def _logs(found: ExecutionDetails) -> list[tuple[str, str]]:
    """The logs of the states that failed, or if none did, of the last state."""
    states = [state for state in found.states() if state["log"]]
    failed = [state for state in states if state["error"]]
    return [(state["name"], state["log"]) for state in (failed or states[-1:])]


def _error(error: dict[str, Any] | None) -> str:
    return f"{error['code']}: {error['message']}" if error else "-"


def _line(name: str, text: str | None) -> None:
    from pipectl import tables

    if text:
        tables.line(name, text)
