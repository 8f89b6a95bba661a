"""Checks one file with the engine, as the pipeline would."""

from __future__ import annotations

import json
import os
import tempfile
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipectl.output import counted

if TYPE_CHECKING:
    from pipectl.local.process_channels import Progress
    from pipectl.local.processes import Helpers
    from tabular.file_names import IgnoredNames
    from tabular.model import Contract
    from tabular.reading.layout import Layout


@dataclass
class Verdict:
    """The result of checking one file. `notes` say what happens to its columns."""

    source: str
    record_count: int = 0
    processed_count: int = 0
    error_count: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)
    errors_truncated: bool = False
    file_error: dict[str, str] | None = None
    encoding: str | None = None
    dialect: dict[str, Any] | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def valid(self) -> bool:
        """Whether the file can be read and none of its records is rejected."""
        return self.file_error is None and self.error_count == 0

    def to_document(self) -> dict[str, Any]:
        """The verdict as `--format json` prints it."""
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


def check_file(
    path: Path,
    contract: Contract | None,
    ignored: IgnoredNames,
    *,
    limit: int,
    source: str | None = None,
    progress: Progress | None = None,
) -> Verdict:
    """Check a file whatever is wrong with it; at most `limit` errors are kept.

    `source` is what the file is called in the verdict, by default its path. `progress` is called
    with the number of bytes read.
    """
    from pipectl.local.processes import helpers_for
    from tabular.errors import TabularError
    from tabular.file_names import why_ignored

    verdict = Verdict(source or str(path))
    try:
        reason = why_ignored(path.name, path.stat().st_size, ignored)
        if reason is not None:
            message = f"The pipeline ignores this file: {reason}. Rename it."
            verdict.file_error = {"code": "Ignored", "message": message}
            return verdict
        with helpers_for(path, processes=os.cpu_count() or 1) as helpers:
            _check_into(verdict, path, contract, ignored, helpers, limit=limit, progress=progress)
    except TabularError as error:
        verdict.file_error = {"code": type(error).__name__, "message": str(error)}
    except OSError as error:
        message = f"{path} can't be read: {error.strerror}."
        verdict.file_error = {"code": "SourceNotFound", "message": message}
    except (KeyboardInterrupt, SystemExit):
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
        "pipeline, not of the file: report it with the file, or a part of it that shows the same "
        "problem."
    )


def _check_into(
    verdict: Verdict,
    path: Path,
    contract: Contract | None,
    ignored: IgnoredNames,
    helpers: Helpers,
    *,
    limit: int,
    progress: Progress | None,
) -> None:
    """Fill the verdict. On a file-level error, it keeps what is known by then."""
    from pipectl.local.local_layouts import HEAD_BYTES
    from pipectl.local.ranges import ranges_of
    from pipectl.local.small_files import check_small
    from tabular.reading.layout import read_layout
    from tabular.statistics.threshold import check_rejects, may_reject_all

    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    size = path.stat().st_size
    layout = read_layout(
        head,
        size=size,
        name=path.name,
        contract=contract,
        read=ranges_of(path),
        ignored=ignored,
    )
    verdict.encoding = layout.encoding
    verdict.dialect = layout.facts()["dialect"]
    verdict.notes = _notes(layout, contract)
    small = check_small(head, layout) if len(head) == size else None
    if small is not None:
        verdict.record_count = small.record_count
        verdict.error_count = len(small.rejects)
        verdict.errors, verdict.errors_truncated = _errors(small.rejects, limit)
    else:
        _transform_into(verdict, path, layout, helpers, limit=limit, progress=progress)
    verdict.processed_count = verdict.record_count - verdict.error_count
    check_rejects(
        verdict.record_count,
        verdict.error_count,
        max_percent=contract.max_reject_percent if contract else None,
        max_count=contract.max_reject_count if contract else None,
        may_reject_all=may_reject_all(contract),
    )


def _transform_into(
    verdict: Verdict,
    path: Path,
    layout: Layout,
    helpers: Helpers,
    *,
    limit: int,
    progress: Progress | None,
) -> None:
    from pipectl.local.processes import transform_file

    with tempfile.TemporaryDirectory(prefix="pipectl-check-") as folder:
        rejected = Path(folder) / "rejected.jsonl"
        part = transform_file(
            path,
            layout,
            helpers,
            file_id=path.name,
            processed_at="",
            rejected=rejected,
            progress=progress,
        )
        verdict.record_count = part.record_count
        verdict.error_count = part.error_count
        with rejected.open("rb") as lines:
            verdict.errors, verdict.errors_truncated = _errors(map(json.loads, lines), limit)


def _errors(rejects: Any, limit: int) -> tuple[list[dict[str, Any]], bool]:
    """The first `limit` errors of a file, and whether there are more."""
    errors: list[dict[str, Any]] = []
    for reject in rejects:
        place = {key: reject[key] for key in ("row", "line", "byte_offset")}
        for fault in reject["errors"]:
            if len(errors) == limit:
                return errors, True
            errors.append(place | fault)
    return errors, False


def _notes(layout: Layout, contract: Contract | None) -> list[str]:
    """What happens to columns that the contract doesn't know, or that the file lacks."""
    from tabular.reading.header import compare_columns

    notes = []
    if footer := layout.dialect.footer_rows:
        notes.append(f"footer: {counted(footer, 'row is', 'rows are')} left out (footerRows)")
    if layout.trailing_delimiter:
        notes.append("every line ends with a delimiter: the nameless last column is ignored")
    if contract is None or not contract.fields:
        return notes
    columns = compare_columns(layout.labels, contract)
    if columns["dropped"]:
        notes.append(f"dropped, because the contract has no field: {_listed(columns['dropped'])}")
    if columns["kept"]:
        notes.append(f"kept as text, because the contract has no field: {_listed(columns['kept'])}")
    if columns["missing"]:
        policy = "left out" if contract.missing_columns == "drop" else "null"
        notes.append(f"missing, so {policy} in the output: {_listed(columns['missing'])}")
    return notes


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(map(repr, names[:8])) + more
