"""The dialect that makes a file readable: advice that has been tried on the file's own head.

A dialect is only named if the head, read again with it, is a table with a header: a contract
written as advised never leads to the next failure.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from tabular.contract.dialect_descriptor import short_document
from tabular.errors import HeaderMismatch
from tabular.model import Dialect
from tabular.reading.header import match_columns
from tabular.reading.sample import RIGHT, Reading, Row, Sample, is_header, rows_of
from tabular.values.cells import reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tabular.model import Contract

CANDIDATES = (",", ";", "\t", "|")
"""Delimiters that are looked for without a contract."""
_TOP_ROWS = 40
"""A header is looked for in these first rows only."""
_LEAST_BELOW = 2
_QUOTINGS: tuple[tuple[str | None, bool], ...] = (
    ('"', False),
    ('"', True),
    ("'", False),
    ("'", True),
    (None, False),
)
"""Pairs of quote character and skipInitialSpace, the usual one first."""
_CHECKED_RECORDS = 20
_WORDS = {
    ",": "a comma",
    ";": "a semicolon",
    "\t": "a tab",
    "|": "a bar",
    "~": "a tilde",
    "^": "a caret",
    ":": "a colon",
    " ": "a space",
}


class Remedy(NamedTuple):
    """A reading that makes the file right. `certain`: its header can't be part of a record."""

    reading: Reading
    certain: bool
    is_first_row: bool


def find_remedy(sample: Sample, delimiters: Sequence[str] = CANDIDATES) -> Remedy | None:
    """The reading that makes the file right: the earliest header first, then most columns.

    A later header is better if it is certain, the earlier one is not, and it has more columns:
    decimal commas cut every line in two, those above the header included.
    """
    found: list[tuple[tuple[int, int, int], Remedy]] = []
    for rank, dialect in enumerate(_dialects(sample, delimiters)):
        rows = rows_of(sample, dialect)
        index = _first_fitting(rows)
        if index is None:
            continue
        reading = Reading.of(sample, replace(dialect, header_rows=(rows[index][0],)))
        if not reading.is_right:
            continue
        certain = index == 0 or is_header(reading.labels or [], reading.sound)
        quoting = rank // len(delimiters)
        found.append(((-index, -quoting, reading.width), Remedy(reading, certain, index == 0)))
    if not found:
        return None
    found.sort(key=lambda candidate: candidate[0], reverse=True)
    _, first = found[0]
    better = (
        remedy
        for _, remedy in found
        if remedy.certain and not first.certain and remedy.reading.width > first.reading.width
    )
    return next(better, first)


def contract_advice(sample: Sample, contract: Contract, current: Dialect) -> str:
    """A sentence about the dialect with which the file matches the contract; empty if none does."""
    delimiters = dict.fromkeys((current.delimiter, *CANDIDATES))
    for dialect in (current, *_dialects(sample, list(delimiters), current)):
        found = _matching(sample, contract, dialect)
        if found is not None:
            return f" The file matches the contract with {dialect_text(found)}."
    found = replace(current, header=False, header_rows=(1,))
    if _fits_without_header(sample, contract, found):
        return f" Without a header it matches the contract, with {dialect_text(found)}."
    return ""


def dialect_text(dialect: Dialect) -> str:
    """The dialect as it is written into a contract."""
    return f'"dialect": {json.dumps(short_document(dialect))}'


def in_words(delimiter: str) -> str:
    """A delimiter in words, such as "a comma"."""
    if delimiter in _WORDS:
        return _WORDS[delimiter]
    if delimiter < " " or delimiter == "\x7f":
        return f"the control character U+{ord(delimiter):04X}"
    return f"the character {delimiter}"


def _dialects(
    sample: Sample, delimiters: Sequence[str], base: Dialect | None = None
) -> Iterator[Dialect]:
    """The dialects to try. Quote characters that the sample does not have change nothing."""
    for quote, space in _QUOTINGS:
        is_usual = (quote, space) == _QUOTINGS[0]
        if not is_usual and (quote or '"').encode() not in sample.text:
            continue
        for delimiter in delimiters:
            yield replace(
                base or Dialect(),
                delimiter=delimiter,
                quote_char=quote,
                skip_initial_space=space,
            )


def _first_fitting(rows: Sequence[tuple[int, Row]]) -> int | None:
    """The index of the first row without blank cells whose width nearly all later rows share.

    These rows must be most of all rows, because a few rows after a whole table are not a table
    under a title.
    """
    widths = [1 if row is None else len(row) for _, row in rows]
    for index, width in enumerate(widths[:_TOP_ROWS]):
        below = widths[index + 1 :]
        row = rows[index][1]
        if row is None or not all(map(str.strip, row)):
            continue
        if width == 1 or not below or (index and len(below) < max(_LEAST_BELOW, index)):
            continue
        if below.count(width) >= RIGHT * len(below):
            return index
    return None


def _matching(sample: Sample, contract: Contract, dialect: Dialect) -> Dialect | None:
    """The dialect with the header row that matches the contract; None if no row does."""
    names = contract.labels
    for number, row in rows_of(sample, dialect)[:_TOP_ROWS]:
        if row is None or names.isdisjoint(row) or not _matches(row, contract):
            continue
        found = replace(dialect, header=True, header_rows=(number,))
        reading = Reading.of(sample, found)
        if reading.labels is None or not _matches(reading.labels, contract):
            return None
        is_right = not reading.records or reading.fitting >= RIGHT
        return found if is_right and not reading.stray_quotes else None
    return None


def _matches(labels: Sequence[str], contract: Contract) -> bool:
    try:
        match_columns(labels, contract)
    except HeaderMismatch:
        return False
    return True


def _fits_without_header(sample: Sample, contract: Contract, dialect: Dialect) -> bool:
    """Whether the rows, the first included, are records of the contract.

    Text fields accept every cell, so at least one field must have another type.
    """
    fields = contract.fields
    rows = [row for _, row in rows_of(sample, dialect)]
    sound = [row for row in rows if row is not None and len(row) == len(fields)]
    if not rows or sound[:1] != rows[:1] or len(sound) < RIGHT * len(rows):
        return False
    typed = [
        (position, reader(field))
        for position, field in enumerate(fields)
        if field.type not in ("string", "any")
    ]
    checked = [
        not any(read(row[position]).faults for position, read in typed)
        for row in sound[:_CHECKED_RECORDS]
    ]
    return bool(typed) and checked[0] and sum(checked) >= RIGHT * len(checked)
