"""Checks small files without Polars, whose import takes longer than reading them.

Only files that are written in the plainest way are checked here; with anything unusual, the engine
decides. The cells are read by `tabular.values.cells`, which is the reference for the engine, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tabular.reading.end_mark import strip_end_marks
from tabular.reading.line_ends import count_lines, strip_line_end
from tabular.values.cells import reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from tabular.faults import Fault
    from tabular.reading.layout import Layout
    from tabular.values.cells import Cell

SMALL_BYTES = 64 * 1024
"""Above this size, the engine is faster although Polars must be imported first."""


@dataclass(frozen=True)
class SmallCheck:
    """The number of records, and the rejected ones as the quarantine has them (without text)."""

    record_count: int
    rejects: list[dict[str, Any]]


def check_small(content: bytes, layout: Layout) -> SmallCheck | None:
    """Check all of a file's content; None if the engine must decide.

    It must if the file is large or compressed, has comments, an encoding other than UTF-8, rules
    over several records, or a record that is damaged, blank, of another width or like the header.
    """
    if len(content) > SMALL_BYTES or not _is_plain(layout):
        return None
    text = strip_end_marks(content[layout.data_start :], layout.codec)
    if b"\0" in text or layout.codec.to_utf8(text)[1]:
        return None
    return _read(text, layout)


def _is_plain(layout: Layout) -> bool:
    contract, dialect = layout.contract, layout.dialect
    return (
        layout.compression is None
        and layout.codec.name == "utf-8"
        and not layout.has_uniqueness
        and contract.output_format in (None, "jsonl")
        and contract.record == "envelope"
        and not dialect.comment_char
        and not dialect.comment_rows
        and not dialect.footer_rows
    )


def _read(text: bytes, layout: Layout) -> SmallCheck | None:
    grammar = layout.grammar_utf8
    columns = [
        (
            column.position,
            reader(column.field, neutralise_formulas=layout.contract.neutralise_formulas),
        )
        for column in layout.columns
    ]
    line, start, count = layout.data_line, 0, 0
    rejects: list[dict[str, Any]] = []
    while start < len(text):
        end = grammar.record_end(text, start, complete=True)
        cells = grammar.cells(strip_line_end(text[start:end])) if end > 0 else None
        if cells is None:
            return None
        if not layout.skips(cells):
            faults = _faults(cells, layout, columns)
            if faults is None:
                return None
            count += 1
            if faults:
                rejects.append(
                    {
                        "row": count,
                        "line": line,
                        "byte_offset": layout.data_start + start,
                        "errors": [fault.to_document() for fault in faults],
                    }
                )
        line += count_lines(text[start:end])
        start = end
    return SmallCheck(count, rejects)


def _faults(
    cells: list[str], layout: Layout, columns: list[tuple[int | None, Callable[[str], Cell]]]
) -> list[Fault] | None:
    """The faults of a record's cells; None if something is wrong with the record as a whole."""
    if not layout.fits(cells) or cells[-1] == layout.labels[-1]:
        return None
    faults: list[Fault] = []
    has_value = False
    for position, read in columns:
        if position is None:
            continue
        cell = read(cells[position])
        has_value = has_value or cell.value is not None
        faults += cell.faults
    # A record without any value may be a blank one.
    return faults if has_value else None
