"""Describes an inference in the terminal: a line about every column, and every exception."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipectl.output import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipectl.local.infer.inference import ColumnReport, Inference, SampleFault

_SHOWN = 20
"""Maximum number of exceptions listed for a column."""
_SHOWN_CHARACTERS = 40


def lines_of(inference: Inference, files: Sequence[str]) -> Iterator[str]:
    """Say what was decided: about the files, about each column, and what a person should check."""
    document = inference.document
    where = files[0] if len(files) == 1 else f"{len(files)} files"
    part = "" if inference.whole else " (the beginning of the file; --whole reads all of it)"
    encoding = document.get("encoding", "utf-8")
    records = _count(inference.records, "record")
    yield f"{where}: {records}, encoding {encoding}, {_dialect(document)}{part}"
    for text in inference.statements:
        yield f"  {text}"
    for text in inference.doubts:
        yield f"  check: {text}"
    for column in inference.columns:
        yield from _column(column, several=len(files) > 1)
    yield from _failures(inference.failures, several=len(files) > 1)
    for name, reason in inference.unread:
        yield f"  {name} can't be read: {reason}"


def report(inference: Inference) -> dict[str, Any]:
    """The same as a document, with every exception."""
    return {
        "contract": inference.document,
        "record_count": inference.records,
        "whole": inference.whole,
        "statements": list(inference.statements),
        "doubts": list(inference.doubts),
        "columns": [
            {
                "name": column.name,
                "type": column.type,
                "value_count": column.values,
                "facts": list(column.facts),
                "doubts": list(column.doubts),
                "exceptions": [asdict(failure) for failure in column.exceptions],
            }
            for column in inference.columns
        ],
        "faults": [asdict(failure) for failure in inference.failures],
        "unread": [{"file": name, "message": reason} for name, reason in inference.unread],
    }


def _dialect(document: dict[str, Any]) -> str:
    dialect = document.get("dialect")
    if not dialect:
        return "dialect detected for each file"
    settings = [f"{name} {json.dumps(value)}" for name, value in dialect.items()]
    return f"dialect {', '.join(settings)}"


def _column(column: ColumnReport, *, several: bool) -> Iterator[str]:
    exceptions = column.exceptions
    line = f"  {column.name}: {column.type}"
    if exceptions:
        are = "is" if len(exceptions) == 1 else "are"
        listed = ", ".join(_place(failure, several) for failure in exceptions[:_SHOWN])
        more = f" and {len(exceptions) - _SHOWN} more" if len(exceptions) > _SHOWN else ""
        line += f"; {len(exceptions)} of {column.values} values {are} not: {listed}{more}"
    for fact in column.facts:
        line += f"; {fact}"
    yield line
    for doubt in column.doubts:
        yield f"    check: {doubt}"


def _place(failure: SampleFault, several: bool) -> str:
    value = shortened(failure.value or "", _SHOWN_CHARACTERS)
    file = f"{failure.file} " if several else ""
    return f"{value!r} ({file}line {failure.line})"


def _failures(failures: Sequence[SampleFault], *, several: bool) -> Iterator[str]:
    """Say which values of known fields are rejected, and which records as a whole."""
    whole = {(one.file, one.row) for one in failures if one.field is None or one.value is None}
    values = [one for one in failures if (one.file, one.row) not in whole]
    by_field: dict[str | None, list[SampleFault]] = {}
    for one in values:
        by_field.setdefault(one.field, []).append(one)
    for field, rejected in by_field.items():
        listed = ", ".join(_place(one, several) for one in rejected[:_SHOWN])
        more = f" and {len(rejected) - _SHOWN} more" if len(rejected) > _SHOWN else ""
        yield f"  {field}: {_count(len(rejected), 'value')} rejected: {listed}{more}"
    lines: dict[str, Counter[int]] = {}
    for failure in failures:
        if failure.field is None or failure.value is None:
            lines.setdefault(failure.code, Counter())[failure.line] += 1
    for code, places in lines.items():
        listed = ", ".join(map(str, list(places)[:_SHOWN]))
        more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
        yield (
            f"  {_count(len(places), 'record')} rejected as a whole, {code}: line {listed}{more}"
        )


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" + ("" if number == 1 else "s")
