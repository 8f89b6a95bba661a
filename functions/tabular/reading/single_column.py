"""Refuses files without a usual delimiter that are not tables of one column.

Without a contract, such a file would be published with each line as a cell. So its first row must
be able to name a column, and no other delimiter may cut its rows into equally many cells.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from tabular.errors import UnreadableFile
from tabular.model import Dialect
from tabular.reading.advice import CANDIDATES, dialect_text, in_words
from tabular.reading.sample import RIGHT, Reading, Sample, is_record, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_RARE = (*map(chr, (*range(1, 9), 11, 12, *range(14, 32), 127)), *"~^:!#§¦¬·•þ¶")
"""Delimiters that exist, but are too rare to be accepted silently: Hive writes Ctrl-A."""
_LEAST_WORDS = 3
"""Names and texts of two words each are common."""
_LEAST_ROWS = 3
_HALF = 0.5
_LONGEST_WORD = 60
_ALIGNED = re.compile(r"(?:^|\S) {2,}\S")
_KEY_AND_VALUE = re.compile(r"\s*(?:- )?[^\s:=][^:=]{0,60}(?::(?:\s|$)|=)|\[[^\]]*\]$")
_NO_NAME = re.compile(r"[-=/\\{};:!>]|#!|%[%!]|<[</!?]|[A-Za-z][A-Za-z0-9+.-]*://|[\W_]+$")
"""Beginnings of code, markup, lists and addresses, which no name of a column has, and rules."""
_PLAIN_NAME = re.compile(r"(?!(?i:null|none|undefined)$)[\w-]+")
_ONLY_COLUMN = (
    "The file has one column with each of the usual delimiters (comma, semicolon, tab, bar)"
)
_CONFIRMATION = f"a contract with {dialect_text(Dialect())} says so"


def check_rare_delimiters(sample: Sample) -> None:
    """Raise UnreadableFile if a rare delimiter cuts the rows into equally many cells.

    The colons of names with values, as in a mail, are no delimiters: see `check_name`.
    """
    if _are_pairs(_texts(sample)):
        return
    right = [reading for reading in _readings(sample, _RARE) if reading.width > 1]
    if right:
        raise _delimiter(max(right, key=lambda reading: reading.width))


def check_white_space(sample: Sample) -> None:
    """Raise UnreadableFile if spaces separate the cells, or align them."""
    rows = _texts(sample)
    aligned = [bool(_ALIGNED.search(row)) for row in rows]
    if len(rows) >= _LEAST_ROWS and aligned[0] and sum(aligned) > _HALF * len(rows):
        raise UnreadableFile(
            "The file's columns are aligned with spaces, and a CSV file has a delimiter between "
            f"them. Export the file as CSV. If the file has one column, {_CONFIRMATION}."
        )
    for reading in _readings(sample, " "):
        if reading.width >= _LEAST_WORDS and len(reading.sound) >= _LEAST_ROWS - 1:
            raise _delimiter(reading)


def check_name(sample: Sample) -> None:
    """Raise UnreadableFile if the first row can't be the name of a column.

    Examples are code, a mail, a list of names and values, a key, text in base64, and an error
    message without a row after it.
    """
    rows = _texts(sample)
    if rows and not _is_name(rows[0].strip(), rows[1:]):
        raise UnreadableFile(
            f"{_ONLY_COLUMN}, and its first row does not read like the name of a column. If it is "
            f"one, {_CONFIRMATION}. Otherwise export the data as CSV, with a header."
        )


def check_rows(sample: Sample) -> None:
    """Raise UnreadableFile if a usual delimiter cuts all rows but the first into several cells."""
    for delimiter in CANDIDATES:
        rows = [row for _, row in rows_of(sample, Dialect(delimiter=delimiter))]
        widths = [len(row or ()) for row in rows]
        below = widths[1:]
        if widths[:1] == [1] and len(below) > 1 and below[0] > 1 and len(set(below)) == 1:
            raise UnreadableFile(
                f"The first row has one column and the rows after it have {below[0]}, with "
                f"{in_words(delimiter)} as delimiter. Correct the header, or remove the rows above "
                f"the table. If the file has one column, {_CONFIRMATION}."
            )


def _is_name(first: str, others: Sequence[str]) -> bool:
    """Whether the first row of a file of one column may be its name."""
    if _NO_NAME.match(first) or max(map(len, first.split()), default=0) > _LONGEST_WORD:
        return False
    if not others:
        return bool(_PLAIN_NAME.fullmatch(first))
    return not _are_pairs([first, *others])


def _are_pairs(rows: Sequence[str]) -> bool:
    """Whether the first row and most others are a name with its value."""
    pairs = [bool(_KEY_AND_VALUE.match(row)) for row in rows]
    return len(pairs) > 1 and pairs[0] and sum(pairs) > _HALF * len(pairs)


def _readings(sample: Sample, delimiters: Sequence[str]) -> list[Reading]:
    """The readings of the file that are right with one of these delimiters."""
    first_line = sample.text.lstrip(b"\r\n").split(b"\n", 1)[0].decode(errors="replace")
    readings = [
        Reading.of(sample, Dialect(delimiter=character), skip_blank=True)
        for character in delimiters
        if character in first_line
    ]
    return [reading for reading in readings if reading.fitting >= RIGHT and reading.names_columns]


def _delimiter(reading: Reading) -> UnreadableFile:
    """The error about a file that has an unusual delimiter."""
    is_headerless = is_record(reading.labels or [], reading.sound)
    dialect = replace(reading.dialect, header=not is_headerless)
    return UnreadableFile(
        f"{_ONLY_COLUMN}, but {in_words(reading.dialect.delimiter)} cuts its lines into "
        f"{reading.width} cells each. If that is the delimiter, put it into the dataset's "
        f"contract: {dialect_text(dialect)}. If the file has one column, {_CONFIRMATION}.",
        advice=dialect,
    )


def _texts(sample: Sample) -> list[str]:
    """The first rows that have content; those that are malformed or cut into cells are empty."""
    rows = [row for _, row in rows_of(sample, Dialect())]
    return [row[0] if row is not None and len(row) == 1 else "" for row in rows]
