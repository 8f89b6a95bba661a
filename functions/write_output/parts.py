"""The parts of a file, added up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import InternalError


@dataclass(frozen=True)
class WholeFile:
    """What all parts of a file come to; `processed_bytes` is the size of the output."""

    record_count: int
    processed_count: int
    error_count: int
    processed_bytes: int
    output_format: str


def add_up(
    reports: Iterable[Mapping[str, Any]],
    *,
    processed_at: str,
    expected_records: int | None = None,
) -> WholeFile:
    """Add up the reports of all parts, in the order of the splits.

    Raises `InternalError` where counts do not agree, with each other or with `expected_records`,
    or where parts are of different formats, or not of the execution that started at
    `processed_at`: publishing them would lose records or mix attempts.
    """
    records = processed = errors = size = 0
    formats = set()
    starts = set()
    for report in reports:
        records += report["record_count"]
        processed += report["processed_count"]
        errors += report["error_count"]
        size += report["processed_bytes"]
        formats.add(str(report["format"]))
        starts.add(str(report["processed_at"]))
    if len(formats) != 1:
        raise InternalError("The parts are of different formats. Start a new execution.")
    if starts != {processed_at}:
        raise InternalError("The parts are not all of this execution. Start a new one.")
    if processed + errors != records or expected_records not in {None, records}:
        raise InternalError(
            f"{records} records were read ({expected_records} expected), but {processed} processed "
            f"and {errors} rejected. Nothing is published. Start a new execution."
        )
    return WholeFile(records, processed, errors, size, formats.pop())
