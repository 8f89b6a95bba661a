"""Adds up the reports of a file's parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.errors import InternalError, MixedParts


@dataclass(frozen=True)
class WholeFile:
    """The totals of all parts of a file."""

    record_count: int
    processed_count: int
    error_count: int
    output_format: str
    processed_bytes: int = 0
    contents: tuple[str, ...] | None = None
    """The objects of the only part, as its report lists them. None if every part has all."""


def add_up(
    reports: Iterable[Mapping[str, Any]],
    *,
    processed_at: str,
    expected_records: int | None = None,
) -> WholeFile:
    """Add up the reports of all parts, in the order of the splits.

    Raises `MixedParts` if they are not all of one format, one engine, and the execution that
    started at `processed_at`; making them again helps. Raises `InternalError` if the counts don't
    agree with each other or with `expected_records`: publishing would mix attempts or lose records.
    """
    records = processed = errors = size = count = 0
    contents = None
    formats = set()
    starts = set()
    engines: list[Mapping[str, str]] = []
    for report in reports:
        records += report["record_count"]
        processed += report["processed_count"]
        errors += report["error_count"]
        size += report.get("processed_bytes", 0)
        # Older versions of this pipeline wrote reports without them.
        contents = report.get("contents")
        count += 1
        formats.add(str(report["format"]))
        starts.add(str(report["processed_at"]))
        # Older versions of this pipeline wrote reports without it.
        engines.append(report.get("engine") or {})
    if len(formats) != 1:
        raise MixedParts(f"The parts have different formats. {_REMEDY}")
    if starts != {processed_at}:
        raise MixedParts(f"Not all parts were made by this execution. {_REMEDY}")
    _check_engines(engines)
    if processed + errors != records or expected_records not in {None, records}:
        raise InternalError(
            f"{records} records were read ({expected_records} expected), but {processed} processed "
            f"and {errors} rejected. Nothing was published. Start a new execution."
        )
    only = tuple(contents) if contents and count == 1 else None
    return WholeFile(records, processed, errors, formats.pop(), size, only)


_REMEDY = "Nothing was published. Redrive the execution: it makes the parts again."


def _check_engines(engines: Sequence[Mapping[str, str]]) -> None:
    """Raise `MixedParts` if not all parts were made by the same engine.

    Their bytes could differ, and their statistics can't be merged: Summarize would fail after
    publication, and again with every redrive.
    """
    if not all(engines):
        raise MixedParts(f"Some parts don't say which engine made them. {_REMEDY}")
    first = engines[0]
    names = {name for engine in engines for name in engine}
    different = [
        name
        for name in sorted(names)
        if any(engine.get(name) != first.get(name) for engine in engines)
    ]
    if different:
        raise MixedParts(
            f"The parts were made by engines that differ in {', '.join(different)}: the functions "
            f"were updated while the file was transformed. {_REMEDY}"
        )
