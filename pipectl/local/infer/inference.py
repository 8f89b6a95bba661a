"""Infers a contract from one or several files, with the decisions and every exception."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from pipectl.local.infer.column_types import ColumnTexts, Typed, resolved, type_column
from pipectl.local.infer.file_reading import (
    FileReading,
    FileSample,
    ReadingOptions,
    faults_of,
    read_file,
    read_with,
)
from pipectl.local.infer.notations import words_of
from pipectl.local.infer.proposals import propose
from tabular.contract.descriptor import parse_contract
from tabular.contract.dialect_descriptor import short_document
from tabular.errors import TabularError
from tabular.model import ORIGIN_NAMES, output_name
from tabular.reading.header import as_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tabular.model import Contract

_OF_VALUES = ("type-error", "constraint-error", "unique-error")
_PROFILE = "https://datapackage.org/profiles/2.0/dataresource.json"


@dataclass(frozen=True)
class SampleFault:
    """A fault that the contract finds in a sample: an exception to what was inferred.

    `field` is None for faults of whole records.
    """

    file: str
    row: int
    line: int
    field: str | None
    code: str
    message: str
    value: str | None


@dataclass(frozen=True)
class ColumnReport:
    """What was decided about a column, in words, with its exceptions."""

    name: str
    type: str
    values: int
    facts: tuple[str, ...]
    doubts: tuple[str, ...]
    exceptions: tuple[SampleFault, ...]


@dataclass(frozen=True)
class Inference:
    """A contract (a Data Resource), and how it was inferred.

    `statements` and `doubts` are about files, and `columns` about each column. `failures` are the
    faults of records as a whole. `unread` are files that the contract can't read, each with the
    reason. `records` is the number of records of all samples.
    """

    document: dict[str, Any]
    records: int
    columns: tuple[ColumnReport, ...]
    statements: tuple[str, ...]
    doubts: tuple[str, ...]
    failures: tuple[SampleFault, ...]
    unread: tuple[tuple[str, str], ...] = ()
    whole: bool = True

    @property
    def exceptions(self) -> tuple[SampleFault, ...]:
        """All faults that `pipectl check` finds in the samples with this contract."""
        of_columns = (failure for column in self.columns for failure in column.exceptions)
        return (*of_columns, *self.failures)


@dataclass(frozen=True)
class Options:
    """How to infer: see the options of `pipectl contract infer`."""

    reading: ReadingOptions = field(default_factory=ReadingOptions)
    strict: bool = False
    proposals: bool = False
    dataset: str | None = None
    today: date | None = None


def infer_contract(samples: Sequence[FileSample], options: Options | None = None) -> Inference:
    """Infer one contract from samples of one or several files of a dataset.

    Raises the first file's TabularError or CannotDecide if no file can be read.
    """
    options = options or Options()
    readings, unread = _read_all(samples, options.reading)
    first = readings[0]
    labels, match, differences = _common_labels(readings)
    columns = _merged(labels, readings)
    typed = _type_columns(columns, options, first)
    fields = [_field(column, found) for column, found in zip(columns, typed, strict=True)]
    schema: dict[str, Any] = {"fields": fields}
    if match != "exact":
        schema["fieldsMatch"] = match
    document = {
        "$schema": _PROFILE,
        "name": options.dataset or _name_of(first.name),
        "path": first.name.rpartition("/")[2],
        "encoding": first.encoding,
        "dialect": short_document(
            replace(
                first.dialect,
                skip_blank_rows=any(r.blank_records for r in readings),
                footer_rows=_common_footer(readings),
            )
        ),
        "schema": schema,
    }
    cleaned = [output_name(label, "cleaned") for label in labels]
    if not all(cleaned) or len(set(cleaned)) < len(cleaned):
        document["pipeline"] = {"outputNames": "original"}
        differences = (
            *differences,
            "the output keeps the column names as they are: cleaned, some would be the same",
        )
    return _checked(
        document,
        readings,
        columns,
        typed,
        proposals=options.proposals,
        differences=differences,
        unread=unread,
    )


def update_contract(
    document: Mapping[str, Any], samples: Sequence[FileSample], options: Options | None = None
) -> Inference:
    """Add fields to a contract for columns of new files that it doesn't know.

    Its own fields are not changed; values that don't fit them are exceptions.
    """
    options = options or Options()
    contract = parse_contract(dict(document), output_formats=_formats())
    reading_options = replace(
        options.reading,
        encoding=options.reading.encoding or contract.encoding,
        dialect=contract.dialect if not _sets_dialect(options.reading) else None,
    )
    if reading_options.dialect is not None and not reading_options.dialect.header:
        raise TabularError(
            "Files of this contract have no header, so new columns have no names. Add them by hand."
        )
    readings, unread = _read_all(samples, reading_options)
    labels, _, differences = _common_labels(readings)
    fields = as_fields(labels, contract)
    known = {field.name for field in contract.fields}
    new = [label for label, field in zip(labels, fields, strict=True) if field not in known]
    columns = _merged(new, readings)
    typed = _type_columns(columns, options, readings[0])
    added = {
        column.name: _field(column, found) for column, found in zip(columns, typed, strict=True)
    }
    updated = _with_fields(document, fields, added)
    present = set(fields)
    lacking = [field.name for field in contract.fields if field.name not in present]
    notes = [f"{name!r}: a new column" for name in new]
    notes += [f"{name!r} is in the contract and in none of the files" for name in lacking]
    if added and contract.fields_match in ("exact", "equal") and contract.missing_columns == "fail":
        notes.append(
            'files without the new columns would now fail: add "fieldsMatch": "superset" to the '
            "schema if older files are still to be read"
        )
    if not added:
        notes.append("the contract has a field for every column: nothing is added")
    return _checked(
        updated,
        readings,
        columns,
        typed,
        proposals=options.proposals,
        differences=(*differences, *notes),
        unread=unread,
    )


def _read_all(
    samples: Sequence[FileSample], reading_options: ReadingOptions
) -> tuple[list[FileReading], list[tuple[str, str]]]:
    """The files that can be read, and the names of the others with the reasons."""
    readings: list[FileReading] = []
    problems: list[tuple[str, TabularError]] = []
    for sample in samples:
        try:
            readings.append(read_file(sample, reading_options))
        except TabularError as error:
            problems.append((sample.name, error))
    if not readings:
        raise problems[0][1]
    return readings, [(name, str(error)) for name, error in problems]


def _sets_dialect(reading_options: ReadingOptions) -> bool:
    return (
        reading_options.delimiter is not None
        or bool(reading_options.header_rows)
        or reading_options.footer_rows is not None
        or not reading_options.header
    )


def _formats() -> list[str]:
    from tabular.writing.output_formats import FORMATS

    return list(FORMATS)


def _name_of(name: str) -> str:
    stem = name.rpartition("/")[2].partition(".")[0].lower()
    return re.sub(r"[^a-z0-9._-]+", "-", stem).strip("-") or "dataset"


def _common_labels(
    readings: Sequence[FileReading],
) -> tuple[list[str], str, tuple[str, ...]]:
    """The columns of all files, the `fieldsMatch` that accepts them, and the differences."""
    labels = list(readings[0].labels)
    differences: list[str] = []
    for reading in readings[1:]:
        labels = _with_columns_of(labels, reading.labels)
    match = "exact"
    names = {reading.name: frozenset(reading.labels) for reading in readings}
    for label in labels:
        lacking = [name for name, own in names.items() if label not in own]
        if lacking:
            match = "superset"
            differences.append(
                f"column {label!r} is missing in {len(lacking)} of {len(readings)} files, such as "
                f"{lacking[0]}"
            )
    for reading in readings:
        own = names[reading.name]
        if [label for label in labels if label in own] != list(reading.labels):
            match = "equal" if match == "exact" else match
            differences.append(f"{reading.name} has its columns in another order")
    differences += _different_settings(readings)
    return labels, match, tuple(differences)


def _with_columns_of(labels: Sequence[str], others: Sequence[str]) -> list[str]:
    """The labels and those that only `others` has, each after the one that precedes it there.

    For example, `id, price` and `id, day, price, note` become `id, day, price, note`.
    """
    known: set[str | None] = set(labels)
    following: dict[str | None, str] = {}
    before = None
    for label in others:
        if label not in known:
            known.add(label)
            following[before] = label
        before = label
    found: list[str] = []
    for known_label in (None, *labels):
        if known_label is not None:
            found.append(known_label)
        added = following.get(known_label)
        while added is not None:
            found.append(added)
            added = following.get(added)
    return found


def _different_settings(readings: Sequence[FileReading]) -> list[str]:
    first = readings[0]
    found = []
    for reading in readings[1:]:
        if reading.encoding != first.encoding and not reading.layout.bom:
            found.append(
                f"{reading.name} is in {reading.encoding}, {first.name} in {first.encoding}"
            )
        one, other = (
            replace(r.dialect, skip_blank_rows=False, footer_rows=0) for r in (first, reading)
        )
        if one != other:
            found.append(
                f"{reading.name} is written differently from {first.name}: "
                f"{short_document(other)} instead of {short_document(one)}"
            )
    if not _common_footer(readings) and any(r.footer_rows for r in readings):
        footers = [
            f"{r.name} {r.footer_rows} row{'s' if r.footer_rows > 1 else ''}"
            if r.footer_rows
            else f"{r.name} none"
            for r in readings
        ]
        found.append(
            "the contract leaves out no footer, because not all files have the same: "
            + ", ".join(footers)
        )
    return found


def _common_footer(readings: Sequence[FileReading]) -> int:
    """The number of rows of the footer that all files have; 0 if they differ."""
    footers = {reading.footer_rows for reading in readings}
    return footers.pop() if len(footers) == 1 else 0


def _merged(labels: Sequence[str], readings: Iterable[FileReading]) -> list[ColumnTexts]:
    """The columns of these names, each with its texts in all files."""
    merged = {label: ColumnTexts(label, Counter()) for label in labels}
    for reading in readings:
        for column in reading.columns:
            if (found := merged.get(column.name)) is not None:
                merged[column.name] = ColumnTexts(
                    column.name,
                    found.texts + column.texts,
                    found.empty + column.empty,
                    found.others + column.others,
                )
    return list(merged.values())


def _type_columns(
    columns: Sequence[ColumnTexts], options: Options, first: FileReading
) -> list[Typed]:
    """Type all columns; an ambiguous column is read like the unambiguous ones of its file."""
    typed = [
        type_column(
            column,
            strict=options.strict,
            comma_separated=first.dialect.delimiter == ",",
            today=options.today,
        )
        for column in columns
    ]
    for kind, habit in (("number", _number_habit), ("date", _day_habit)):
        habits = {
            habit(found.field): column.name
            for column, found in zip(columns, typed, strict=True)
            if habit(found.field) and not found.readings
        }
        if len(habits) != 1:
            continue
        ((usual, where),) = habits.items()
        for place, found in enumerate(typed):
            fitting = [reading for reading in found.readings if habit(reading) == usual]
            if len(fitting) == 1 and _kind(fitting[0]) == kind:
                typed[place] = resolved(found, fitting[0], f"as in {where!r}")
    return typed


def _kind(field: Mapping[str, Any]) -> str:
    return "number" if field["type"] in ("number", "integer") else "date"


def _number_habit(field: Mapping[str, Any]) -> str:
    """The decimal mark that a number is clearly written with; empty if it has none."""
    if field["type"] == "number":
        return str(field.get("decimalChar", "."))
    if field["type"] == "integer" and field.get("groupChar") in (",", "."):
        return "." if field["groupChar"] == "," else ","
    return ""


def _day_habit(field: Mapping[str, Any]) -> str:
    """The order of day and month in a numeric date."""
    pattern = str(field.get("format", ""))
    if field["type"] not in ("date", "datetime") or "%d" not in pattern or "%m" not in pattern:
        return ""
    return "day first" if pattern.index("%d") < pattern.index("%m") else "month first"


def _field(column: ColumnTexts, typed: Typed) -> dict[str, Any]:
    field = {"name": column.name} | typed.field
    if output_name(column.name, "cleaned") in ORIGIN_NAMES:
        free = f"source{output_name(column.name, 'cleaned')}"
        field["pipeline"] = field.get("pipeline", {}) | {"outputName": free}
    return field


def _with_fields(
    document: Mapping[str, Any], labels: Sequence[str], added: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """The document with new fields, each after the field that is before it in the file."""
    schema = document.get("schema", document)
    known = {field["name"]: field for field in schema.get("fields", ())}
    by_name = {**added, **known}
    fields = [by_name[name] for name in _with_columns_of(list(known), labels)]
    if "schema" in document:
        return {**document, "schema": {**schema, "fields": fields}}
    return {**document, "fields": fields}


def _checked(
    document: dict[str, Any],
    readings: Sequence[FileReading],
    columns: Sequence[ColumnTexts],
    typed: Sequence[Typed],
    *,
    proposals: bool,
    differences: Sequence[str],
    unread: list[tuple[str, str]],
) -> Inference:
    """The inference, with every fault that the contract finds in the samples."""
    facts = {column.name: list(found.facts) for column, found in zip(columns, typed, strict=True)}
    doubts = {column.name: list(found.doubts) for column, found in zip(columns, typed, strict=True)}
    if proposals:
        proposed = propose(document, columns)
        document = proposed.document
        for name, evidence in proposed.evidence:
            facts[name].append(evidence)
    contract = parse_contract(document, output_formats=_formats())
    failures: list[SampleFault] = []
    records = 0
    for reading in readings:
        try:
            found, count = _failures(reading, contract)
        except TabularError as error:
            unread.append((reading.name, str(error)))
            continue
        failures += found
        records += count
    several = len(readings) > 1
    of_columns = {column.name for column in columns}
    # The cells of a record that is rejected as a whole are not evidence about their columns.
    whole = {(one.file, one.row) for one in failures if one.code not in _OF_VALUES}
    exceptions: dict[str, list[SampleFault]] = {}
    others: list[SampleFault] = []
    for one in failures:
        if one.field in of_columns and (one.file, one.row) not in whole:
            exceptions.setdefault(one.field, []).append(one)
        else:
            others.append(one)
    fields = {one["name"]: one for one in document.get("schema", document)["fields"]}
    return Inference(
        document,
        records,
        tuple(
            ColumnReport(
                column.name,
                words_of(fields[column.name]),
                column.texts.total(),
                tuple(facts[column.name]),
                tuple(doubts[column.name]),
                tuple(exceptions.get(column.name, ())),
            )
            for column in columns
        ),
        (*differences, *_of_files(readings, several, lambda reading: reading.statements)),
        _of_files(readings, several, lambda reading: reading.doubts),
        tuple(others),
        tuple(unread),
        all(reading.whole for reading in readings),
    )


def _of_files(readings: Sequence[FileReading], several: bool, get: Any) -> tuple[str, ...]:
    return tuple(
        f"{reading.name}: {text}" if several else text
        for reading in readings
        for text in get(reading)
    )


def _failures(reading: FileReading, contract: Contract) -> tuple[list[SampleFault], int]:
    rejects, count = faults_of(reading.content, read_with(reading, contract))
    return [
        SampleFault(
            reading.name,
            reject["row"],
            reject["line"],
            fault["field"],
            fault["code"],
            fault["message"],
            fault["value"],
        )
        for reject in rejects
        for fault in reject["errors"]
    ], count
