"""`pipectl check`: validate files with the engine alone, before they are uploaded."""

from __future__ import annotations

import json
import os
import tempfile
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipectl.output import echo_json, rich_text

if TYPE_CHECKING:
    from rich.console import Console

    from tabular.file_names import IgnoredNames
    from tabular.model import Contract

_HEAD_BYTES = 1024 * 1024
_DEFAULT_LIMIT = 1000
_SHOWN_CHARACTERS = 60


@dataclass
class Verdict:
    """The result of checking one file."""

    source: str
    record_count: int = 0
    processed_count: int = 0
    error_count: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)
    errors_truncated: bool = False
    file_error: dict[str, str] | None = None
    encoding: str | None = None
    dialect: dict[str, Any] | None = None

    @property
    def valid(self) -> bool:
        """Whether the file can be read and none of its records is rejected."""
        return self.file_error is None and self.error_count == 0

    def to_document(self) -> dict[str, Any]:
        """The verdict as `--json` prints it."""
        return {
            "source": self.source,
            "valid": self.valid,
            "record_count": self.record_count,
            "processed_count": self.processed_count,
            "error_count": self.error_count,
            "errors": self.errors,
            "errors_truncated": self.errors_truncated,
            "file_error": self.file_error,
            "encoding": self.encoding,
            "dialect": self.dialect,
        }


@click.command(epilog="Example: pipectl check orders.csv --contract orders.json")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
@click.option(
    "--contract",
    "contract_path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Contract for the files: a Data Resource descriptor with a Table Schema. Without it, the"
    " rules for datasets without a contract apply.",
)
@click.option(
    "--ignored-names",
    metavar="PATTERNS",
    default="",
    help="The stack's parameter IgnoredNames: further names that the pipeline ignores.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=_DEFAULT_LIMIT,
    show_default=True,
    help="Maximum number of errors listed per file.",
)
def command(
    *,
    files: tuple[Path, ...],
    contract_path: Path | None,
    ignored_names: str,
    as_json: bool,
    limit: int,
) -> None:
    """Validate FILES against a contract, without AWS and without writing anything.

    Reads every record exactly as the pipeline does, and lists what it would reject with row, line,
    byte offset and reason. A file whose name the pipeline ignores or refuses is not valid.

    Exit status: 0 if all files are valid, 1 if a file is not, 2 on usage errors.
    """
    # Several processes share a large file; more threads would only compete with them.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    from tabular.errors import InvalidContract
    from tabular.file_names import IgnoredNames, InvalidPatterns

    try:
        ignored = IgnoredNames.parse(ignored_names)
    except InvalidPatterns as error:
        raise click.BadParameter(str(error), param_hint="--ignored-names") from None
    try:
        contract = _read_contract(contract_path)
    except InvalidContract as error:
        file_error = {"code": "InvalidContract", "message": str(error)}
        verdicts = [Verdict(str(path), file_error=file_error) for path in files]
    else:
        verdicts = [_check(path, contract, ignored, limit) for path in files]
    if as_json:
        documents = [verdict.to_document() for verdict in verdicts]
        echo_json({"files": documents})
    else:
        _show(verdicts)
    if not all(verdict.valid for verdict in verdicts):
        raise SystemExit(1)


def _read_contract(path: Path | None) -> Contract | None:
    from tabular.contract.descriptor import read_contract
    from tabular.errors import InvalidContract
    from tabular.writing.formats import FORMATS

    if path is None:
        return None
    try:
        return read_contract(path.read_bytes(), output_formats=FORMATS)
    except InvalidContract as error:
        raise InvalidContract(f"{path}: {error}") from None


def _check(path: Path, contract: Contract | None, ignored: IgnoredNames, limit: int) -> Verdict:
    from tabular.errors import TabularError
    from tabular.file_names import why_ignored

    verdict = Verdict(str(path))
    try:
        reason = why_ignored(path.name, path.stat().st_size, ignored)
        if reason is not None:
            message = f"The pipeline ignores this file: {reason}. Rename it."
            verdict.file_error = {"code": "Ignored", "message": message}
            return verdict
        _check_into(verdict, path, contract, ignored, limit)
    except TabularError as error:
        verdict.file_error = {"code": type(error).__name__, "message": str(error)}
    except OSError as error:
        message = f"{path} can't be read: {error.strerror}."
        verdict.file_error = {"code": "SourceNotFound", "message": message}
    except (KeyboardInterrupt, SystemExit, click.Abort):
        raise
    # One file never prevents the verdicts of the others. A panic in Polars is no Exception.
    except BaseException as error:  # noqa: BLE001
        verdict.file_error = {"code": "InternalError", "message": _unexpected(error)}
    return verdict


def _unexpected(error: BaseException) -> str:
    """An internal error of the engine, without its message, which may contain a cell."""
    frames = [
        f"{Path(frame.filename).name}:{frame.lineno}:{frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    return (
        f"Unexpected {type(error).__name__} at {' > '.join(frames)}. This is a defect of the "
        "pipeline, not of the file: report it with the file, or a part of it that shows the same."
    )


def _check_into(
    verdict: Verdict, path: Path, contract: Contract | None, ignored: IgnoredNames, limit: int
) -> None:
    """Fill the verdict. On a file-level error, it keeps what is known by then."""
    from pipectl.local.processes import transform_file
    from pipectl.local.ranges import ranges_of
    from tabular.reading.layout import read_layout
    from tabular.statistics.threshold import check_rejects, may_reject_all

    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    layout = read_layout(
        head,
        size=path.stat().st_size,
        name=path.name,
        contract=contract,
        read=ranges_of(path),
        ignored=ignored,
    )
    verdict.encoding = layout.encoding
    verdict.dialect = layout.facts()["dialect"]
    with tempfile.TemporaryDirectory(prefix="pipectl-check-") as folder:
        rejected = Path(folder) / "rejected.jsonl"
        part = transform_file(
            path,
            layout,
            file_id=path.name,
            processed_at="",
            rejected=rejected,
            processes=os.cpu_count() or 1,
        )
        verdict.record_count = part.record_count
        verdict.processed_count = part.processed_count
        verdict.error_count = part.error_count
        verdict.errors, verdict.errors_truncated = _errors(rejected, limit)
    check_rejects(
        part.record_count,
        part.error_count,
        max_percent=contract.max_reject_percent if contract else None,
        max_count=contract.max_reject_count if contract else None,
        may_reject_all=may_reject_all(contract),
    )


def _errors(rejected: Path, limit: int) -> tuple[list[dict[str, Any]], bool]:
    """The first `limit` errors of a file, and whether there are more."""
    errors: list[dict[str, Any]] = []
    with rejected.open("rb") as lines:
        for line in lines:
            reject = json.loads(line)
            place = {key: reject[key] for key in ("row", "line", "byte_offset")}
            for fault in reject["errors"]:
                if len(errors) == limit:
                    return errors, True
                errors.append(place | fault)
    return errors, False


def _show(verdicts: list[Verdict]) -> None:
    from rich.console import Console

    console = Console()
    for verdict in verdicts:
        if verdict.errors:
            _show_errors(console, verdict)
    _show_summary(console, verdicts)


def _show_errors(console: Console, verdict: Verdict) -> None:
    from rich.table import Table

    table = Table(title=rich_text(verdict.source), title_justify="left", title_style="bold")
    for name in ("row", "line", "byte"):
        table.add_column(name, justify="right")
    for name in ("field", "code", "message", "value"):
        table.add_column(name, overflow="fold")
    for error in verdict.errors:
        value = error["value"]
        shown = "" if value is None else repr(value)
        if len(shown) > _SHOWN_CHARACTERS:
            shown = shown[: _SHOWN_CHARACTERS - 1] + "…"
        table.add_row(
            str(error["row"]),
            str(error["line"]),
            str(error["byte_offset"]),
            rich_text(error["field"] or ""),
            rich_text(error["code"]),
            rich_text(error["message"]),
            rich_text(shown),
        )
    console.print(table)
    if verdict.errors_truncated:
        console.print(f"Only the first {len(verdict.errors)} errors are shown: see --limit.")
    console.print()


def _show_summary(console: Console, verdicts: list[Verdict]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    table.add_column("file", overflow="fold")
    table.add_column("verdict")
    for name in ("records", "processed", "rejected"):
        table.add_column(name, justify="right")
    for verdict in verdicts:
        table.add_row(
            rich_text(verdict.source),
            "[green]valid[/]" if verdict.valid else "[red]invalid[/]",
            str(verdict.record_count),
            str(verdict.processed_count),
            str(verdict.error_count),
        )
    console.print(table)
    for verdict in verdicts:
        if verdict.file_error:
            code, message = verdict.file_error["code"], verdict.file_error["message"]
            console.print()
            console.print(
                Text.assemble(
                    *(rich_text(verdict.source, "bold"), ": "),
                    *(rich_text(code, "red"), ". ", rich_text(message)),
                )
            )
