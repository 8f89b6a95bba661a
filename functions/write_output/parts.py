"""The parts of a file, added up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def add_up(reports: Sequence[Mapping[str, Any]]) -> WholeFile:
    """Add up the reports of all parts, in the order of the splits.

    Raises `InternalError` where a part's own counts do not agree, or where parts are of different
    formats: publishing them would lose records.
    """
    formats = {str(report["format"]) for report in reports}
    if len(formats) != 1:
        raise InternalError("The parts are of different formats. Start a new execution.")
    whole = WholeFile(
        record_count=sum(report["record_count"] for report in reports),
        processed_count=sum(report["processed_count"] for report in reports),
        error_count=sum(report["error_count"] for report in reports),
        processed_bytes=sum(report["processed_bytes"] for report in reports),
        output_format=formats.pop(),
    )
    if whole.processed_count + whole.error_count != whole.record_count:
        raise InternalError(
            f"{whole.record_count} records were read, but {whole.processed_count} processed and "
            f"{whole.error_count} rejected. Nothing is published."
        )
    return whole
