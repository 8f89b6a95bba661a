"""`pipectl check`: validate files with the engine alone, before they are uploaded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipectl.options import file_contract_option
from pipectl.output import echo, echo_json_text

if TYPE_CHECKING:
    from pipectl.local.check_inputs import Inputs
    from pipectl.local.verdicts import Verdict
    from tabular.file_names import IgnoredNames

_DEFAULT_LIMIT = 1000
_FORMATS = ("text", "json", "github", "sarif", "junit", "csv")


class _Limit(click.ParamType):
    """A number of records, such as 10, or a percentage, such as 1%: (number, is percentage)."""

    name = "N|N%"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, bool]:
        if isinstance(value, tuple):
            return value
        text = str(value)
        number = text.removesuffix("%")
        is_percentage = number != text
        try:
            limit = float(number) if is_percentage else int(number)
        except ValueError:
            limit = -1
        if not 0 <= limit <= (100 if is_percentage else float("inf")):
            self.fail(f"'{text}' is neither a number of records nor a percentage.", param, ctx)
        return limit, is_percentage


@click.command(epilog="Example: pipectl check orders.csv --contract orders.json")
@click.argument("files", nargs=-1, required=True)
@file_contract_option
@click.option(
    "--format",
    "output",
    type=click.Choice(_FORMATS),
    default="text",
    show_default=True,
    help="Format of the report: a table, a JSON document, annotations for GitHub Actions, SARIF,"
    " JUnit, or one CSV row per error.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option(
    "--max-rejects",
    type=_Limit(),
    default="0",
    show_default=True,
    help="Accept a file with up to this number or percentage of rejected records.",
)
@click.option(
    "--ignored-names",
    metavar="PATTERNS",
    default="",
    help="The stack's parameter IgnoredNames: further names that the pipeline ignores.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=_DEFAULT_LIMIT,
    show_default=True,
    help="Maximum number of errors listed per file.",
)
def command(
    *,
    files: tuple[str, ...],
    contract_path: Path | None,
    output: str,
    as_json: bool,
    max_rejects: tuple[float, bool],
    ignored_names: str,
    limit: int,
) -> None:
    """Validate FILES against a contract, without AWS and without writing anything.

    FILES are files, folders, patterns such as 'day/*.csv', or - for standard input. Reads every
    record exactly as the pipeline does, and lists what it would reject with row, line, byte offset
    and reason. A file whose name the pipeline ignores or refuses is not valid; in a folder, such
    files are left out.

    Exit status: 0 if all files are accepted, 1 if a file is not, 2 on usage errors.
    """
    # Several processes share a large file; more threads would only compete with them.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    from pipectl.local.check_inputs import opened_inputs
    from tabular.file_names import IgnoredNames, InvalidPatterns

    try:
        ignored = IgnoredNames.parse(ignored_names)
    except InvalidPatterns as error:
        raise click.BadParameter(str(error), param_hint="--ignored-names") from None
    with opened_inputs(files, ignored) as inputs:
        verdicts = _verdicts(inputs, contract_path, ignored, limit)
    accepted = [_is_accepted(verdict, max_rejects) for verdict in verdicts]
    _print("json" if as_json else output, verdicts, accepted)
    for name, reason in inputs.left_out:
        echo(f"Left out {name}: {reason}", err=True)
    if not all(accepted):
        raise SystemExit(1)


def _verdicts(
    inputs: Inputs, contract_path: Path | None, ignored: IgnoredNames, limit: int
) -> list[Verdict]:
    from pipectl.local.file_progress import FileProgress
    from pipectl.local.local_layouts import read_contract_file
    from pipectl.local.verdicts import Verdict, check_file
    from tabular.errors import InvalidContract

    try:
        contract = read_contract_file(contract_path) if contract_path else None
    except InvalidContract as error:
        message = f"{contract_path}: {error}"
        file_error = {"code": "InvalidContract", "message": message}
        return [Verdict(file.source, file_error=file_error) for file in inputs.files]
    verdicts = []
    progress = FileProgress("Checking", len(inputs.files))
    for file in inputs.files:
        progress.begin(file.source, file.path.stat().st_size)
        verdicts.append(
            check_file(
                file.path,
                contract,
                ignored,
                limit=limit,
                source=file.source,
                progress=progress.read,
            )
        )
    return verdicts


def _is_accepted(verdict: Verdict, limit: tuple[float, bool]) -> bool:
    most, is_percentage = limit
    if verdict.file_error is not None:
        return False
    if is_percentage:
        return verdict.error_count * 100 <= most * verdict.record_count
    return verdict.error_count <= most


def _print(output: str, verdicts: Sequence[Verdict], accepted: Sequence[bool]) -> None:
    if output == "text":
        from pipectl.local.check_table import show

        show(verdicts, accepted)
        return
    from pipectl.local.check_reports import REPORTS

    report = REPORTS[output](verdicts, accepted)
    if output in ("json", "sarif"):
        echo_json_text(report)
        return
    for line in report.split("\n") if report else ():
        echo(line)
