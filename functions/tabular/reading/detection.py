"""Which delimiter a file uses, where no contract says it.

Nothing is guessed that could corrupt data silently: where two readings are as good as each other,
the file is refused with the words to put into the contract.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from tabular.errors import UnreadableFile
from tabular.model import Dialect
from tabular.reading.grammar import Grammar
from tabular.reading.line_ends import count_lines

if TYPE_CHECKING:
    from collections.abc import Collection

CANDIDATES = (",", ";", "\t", "|")
_EXCEL_HINT = re.compile(rb"sep=([,;\t|])[\r\n]", re.IGNORECASE)
_SAMPLE_RECORDS = 200
_CLEARLY = 0.25
"""So much larger must the share of fitting records be for one delimiter to win over another."""
_MOSTLY = 0.8


class _Reading(NamedTuple):
    """How the file looks under one delimiter: its header, and what comes after it."""

    delimiter: str
    labels: list[str]
    rows: list[int]  # blank ones are left out, but counted
    widths: list[int]

    @property
    def fitting(self) -> float:
        """The share of records that are as wide as the header."""
        if not self.widths:
            return 0.0
        return self.widths.count(len(self.labels)) / len(self.widths)


def detect_dialect(text: bytes, *, complete: bool, known: Collection[str] = ()) -> Dialect:
    """Find the delimiter among comma, semicolon, tab and bar.

    `text` is the head of the file in UTF-8; `complete` says that it is the whole file; `known` are
    the names of the contract's fields, if there is one. A file without any of the four has one
    column. Raises UnreadableFile where the delimiter is in doubt, or the header's row.
    """
    content = text.lstrip(b"\r\n")
    above = count_lines(text[: len(text) - len(content)])
    hint = _EXCEL_HINT.match(content)
    if hint is not None:
        raise UnreadableFile(
            "The first line only tells Excel the delimiter. Say so in the dataset's contract: "
            f"{_dialect(hint[1].decode(), above + 2)}."
        )
    readings = [_read(content, delimiter, complete=complete) for delimiter in CANDIDATES]
    named = [sum(label in known for label in reading.labels) for reading in readings]
    if max(named) > 0 and named.count(max(named)) == 1:
        return Dialect(delimiter=readings[named.index(max(named))].delimiter)
    usable = [reading for reading in readings if len(reading.labels) > 1]
    _check_title(readings, usable, above)
    if not usable:
        return Dialect()
    usable.sort(key=lambda reading: reading.fitting, reverse=True)
    if len(usable) > 1 and usable[0].fitting - usable[1].fitting < _CLEARLY:
        raise UnreadableFile(
            f"The delimiter is in doubt: the file can be read with {_word(usable[0].delimiter)} "
            f"({len(usable[0].labels)} columns) as well as with {_word(usable[1].delimiter)} "
            f"({len(usable[1].labels)} columns). Put the right one into the dataset's contract: "
            f'"dialect": {{"delimiter": "{_escaped(usable[0].delimiter)}"}}.'
        )
    return Dialect(delimiter=usable[0].delimiter)


def _check_title(readings: list[_Reading], usable: list[_Reading], above: int) -> None:
    """Refuse a file whose records agree on a delimiter that its first line does not fit.

    `above` is how many blank lines stand above that one.
    """
    if any(reading.fitting > 0 for reading in usable):
        return
    for reading in readings:
        if len(reading.widths) < 3:
            continue
        (width, count), *_ = Counter(reading.widths).most_common(1)
        if width > max(1, len(reading.labels)) and count >= _MOSTLY * len(reading.widths):
            row = above + reading.rows[reading.widths.index(width)]
            raise UnreadableFile(
                f"The first line has {len(reading.labels)} columns and the lines after it have "
                f"{width}, with {_word(reading.delimiter)} as delimiter: it looks like a title "
                "above the header. Say in the dataset's contract which row is the header: "
                f"{_dialect(reading.delimiter, row)}."
            )


def _read(text: bytes, delimiter: str, *, complete: bool) -> _Reading:
    grammar = Grammar(Dialect(delimiter=delimiter))
    records = grammar.records(text, complete=complete, most=_SAMPLE_RECORDS + 1)
    cells = {
        row: grammar.cells(record) or [] for row, record in enumerate(records, 1) if record.strip()
    }
    rows = list(cells)
    return _Reading(
        delimiter,
        cells[rows[0]] if rows else [],
        rows[1:],
        [len(cells[row]) for row in rows[1:]],
    )


def _dialect(delimiter: str, row: int) -> str:
    return f'"dialect": {{"delimiter": "{_escaped(delimiter)}", "headerRows": [{row}]}}'


def _word(delimiter: str) -> str:
    return {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}[delimiter]


def _escaped(delimiter: str) -> str:
    return "\\t" if delimiter == "\t" else delimiter
