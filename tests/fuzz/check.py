"""Reads a case with the engine in several ways, and compares them with the independent reader."""

from __future__ import annotations

import json
import tempfile
import traceback
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from pipectl.local import processes
from tabular.contract.descriptor import parse_contract
from tabular.errors import (
    EmptyFile,
    InvalidContract,
    MisalignedSplits,
    TabularError,
    UnsupportedEncoding,
    UnsupportedFormat,
)
from tabular.reading.layout import Layout, read_layout
from tabular.reading.measure import measure
from tabular.reading.splits import number_splits, plan_splits
from tabular.statistics.accumulator import merge
from tabular.values.cells import reader as cell_reader
from tests.fuzz.reader import MAGIC, ReadCell, Rules, Table, read, without_end_marks
from tests.unit.tabular.correcting import patches_of, table_of
from tests.unit.tabular.engine import TransformResult, run

if TYPE_CHECKING:
    from tabular.model import Contract, Field
    from tests.fuzz.case import Case

GZIP = b"\x1f\x8b"
BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)


class Difference(AssertionError):
    """The engine and the independent reader disagree."""


def problem(case: Case) -> str | None:
    """How the engine misreads a case, in a line or a traceback; None if it reads it correctly."""
    try:
        check(case)
    except Difference as difference:
        return f"Difference: {difference}"
    except Exception:  # noqa: BLE001 whatever the engine raises is what is looked for
        return traceback.format_exc()
    return None


def check(case: Case) -> None:
    """Raise Difference if the engine misreads a case."""
    contract = parsed(case)
    if isinstance(contract, InvalidContract):
        return
    stored = case.stored
    try:
        layout = read_layout(stored, size=len(stored), name=case.name, contract=contract)
    except TabularError as error:
        _check_refusal(case, contract, error)
        return
    table = read(case.content, _rules(case, layout), _readers(contract))
    if table.labels is None or (contract and tuple(table.labels) != _names(contract)):
        raise Difference(f"the header is accepted, and is {table.labels}")
    whole = run(stored, layout=layout, block_bytes=8_000_000)
    _check_layout(layout, table)
    _check_records(whole, table)
    blocks = run(stored, layout=layout, block_bytes=case.block, chunk=case.chunk)
    _check_same("blocks", [blocks], whole)
    if case.split:
        _check_splits(case, layout, whole)
    if case.processes > 1 and not case.members:
        _check_processes(case, layout, whole)


def parsed(case: Case) -> Contract | InvalidContract | None:
    """The case's contract, or an InvalidContract."""
    if case.contract is None:
        return None
    try:
        return parse_contract(dict(case.contract))
    except InvalidContract as error:
        return error


def _check_refusal(case: Case, contract: Contract | None, error: TabularError) -> None:
    """A file with a contract that names the dialect is refused for stated reasons alone."""
    content = case.content
    if contract is None or content.startswith(GZIP):
        return  # advice and guesses: they may refuse what they cannot be sure of
    if isinstance(error, EmptyFile):
        encoding = _encoding(content, str(contract.encoding))
        text = without_end_marks(content, encoding).decode(encoding, "replace")
        fine = not text.strip("\ufeff\r\n\x1a")
    else:
        is_other = MAGIC.match(content) is not None or b"\0" in b"".join(content.splitlines()[:1])
        # JSON or markup, even if a contract says that the header is below.
        is_other |= content.strip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[", b"<"))
        table = read(content, _rules(case, None), _readers(contract))
        fine = table.labels is None or tuple(table.labels) != _names(contract)
        fine |= isinstance(error, UnsupportedFormat | UnsupportedEncoding) and is_other
        fine |= isinstance(error, UnsupportedEncoding) and _is_utf8_text(content)
    if not fine:
        raise Difference(f"the file is refused: {type(error).__name__}: {error}")


def _is_utf8_text(content: bytes) -> bool:
    """Whether a text has characters beyond ASCII, and all are valid UTF-8."""
    try:
        return not content.decode().isascii()
    except UnicodeDecodeError:
        return False


def _names(contract: Contract) -> tuple[str, ...]:
    return tuple(field.name for field in contract.fields)


def _rules(case: Case, layout: Layout | None) -> Rules:
    if case.contract is None:
        assert layout is not None
        dialect = layout.dialect
        return Rules(layout.encoding, dialect.delimiter, dialect.quote_char, has_contract=False)
    return Rules.of(case.contract["dialect"], _encoding(case.content, case.contract["encoding"]))


def _encoding(content: bytes, named: str) -> str:
    """A byte order mark wins over what the contract names."""
    return next((name for mark, name in BOMS if content.startswith(mark)), named)


def _readers(contract: Contract | None) -> dict[str, ReadCell] | None:
    if contract is None:
        return None
    return {field.name: partial(_read_cell, cell_reader(field)) for field in contract.fields}


def _read_cell(read_text: Any, text: str) -> tuple[bool, frozenset[str]]:
    cell = read_text(text)
    return cell.json == "null", frozenset(fault.code for fault in cell.faults)


def _check_layout(layout: Layout, table: Table) -> None:
    places = (layout.labels, layout.data_start, layout.data_line)
    expected = (table.labels, table.data_offset, table.data_line)
    if table.outcomes and places != expected:
        raise Difference(f"the data begins {places}, should be {expected}")


def _check_records(result: TransformResult, table: Table) -> None:
    outcomes = table.outcomes
    rejects = [
        (r["row"], r["line"], r["byte_offset"], r["raw"], {e["code"] for e in r["errors"]})
        for r in result.rejects
    ]
    expected = [
        (o.row, o.record.line, o.record.offset, o.record.text, set(o.codes))
        for o in outcomes
        if o.codes
    ]
    _compare("rejects", rejects, expected)
    processed = list(zip(result.rows, result.data, strict=True))
    fields = result.layout.fields
    good = [(o.row, _values(fields, o.record.cells or ())) for o in outcomes if not o.codes]
    _compare("processed", processed, good)
    rows = [int(row[0]) for row in table_of(result.corrections)[1:]]
    _compare("rows to correct", rows, [row for row, *_ in expected])
    _compare("corrections of nothing", patches_of(result, result.corrections), [])
    counts = (result.part.record_count, result.part.error_count, result.part.line_count)
    _compare("counts", counts, (len(outcomes), len(expected), table.lines))


def _values(fields: tuple[Field, ...], cells: tuple[str, ...]) -> dict[str, Any]:
    return {
        field.output_name: json.loads(cell_reader(field)(cell).json)
        for field, cell in zip(fields, cells, strict=True)
    }


def _check_same(how: str, results: list[TransformResult], whole: TransformResult) -> None:
    for kind, name in enumerate(("processed", "rejected", "corrections")):
        together = b"".join(result.outputs[kind] for result in results)
        _compare(f"{name} in {how}", together, whole.outputs[kind])
    statistics = merge(result.part.statistics for result in results)
    _compare(f"statistics in {how}", statistics, merge([whole.part.statistics]))
    counts = [
        sum(getattr(result.part, name) for result in results)
        for name in ("record_count", "processed_count", "error_count", "line_count")
    ]
    part = whole.part
    expected = [part.record_count, part.processed_count, part.error_count, part.line_count]
    _compare(f"counts in {how}", counts, expected)


def _check_splits(case: Case, layout: Layout, whole: TransformResult) -> None:
    stored = case.stored
    splits = plan_splits(
        layout, lambda start, size: stored[start : start + size], split_bytes=case.split
    )
    try:
        measures = [
            measure([stored[split.start :]], layout, split, block_bytes=case.block)
            for split in splits
        ]
    except MisalignedSplits:
        return  # noticed, and the file then runs as one split
    results = [
        run(stored, layout=layout, split=split, block_bytes=case.block, chunk=case.chunk)
        for split in number_splits(splits, measures)
    ]
    _check_same(f"{len(splits)} splits", results, whole)


def _check_processes(case: Case, layout: Layout, whole: TransformResult) -> None:
    with tempfile.TemporaryDirectory() as name, patch.object(processes, "WORTHWHILE_BYTES", 1):
        folder = Path(name)
        path = folder / case.name
        path.write_bytes(case.stored)
        outputs: Any = {kind: folder / kind for kind in ("processed", "rejected", "corrections")}
        with processes.helpers_for(path, processes=case.processes) as helpers:
            part = processes.transform_file(
                path,
                layout,
                helpers,
                file_id="f",
                processed_at="2024-01-01T00:00:00Z",
                block_bytes=case.block,
                **outputs,
            )
        written: Any = {kind: output.read_bytes() for kind, output in outputs.items()}
        result = replace(whole, part=part, **written)
    _check_same(f"{case.processes} processes", [result], whole)


def _compare(what: str, actual: Any, expected: Any) -> None:
    if actual == expected:
        return
    if isinstance(actual, list) and isinstance(expected, list):
        for mine, right in zip(actual, expected, strict=False):
            if mine != right:
                raise Difference(f"{what}: found {mine!r}, expected {right!r}")
        raise Difference(f"{what}: found {len(actual)}, expected {len(expected)}")
    raise Difference(f"{what}: found {actual!r}, expected {expected!r}")
