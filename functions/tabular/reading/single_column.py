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
from tabular.reading.advice import dialect_text, in_words
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
_ALIGNED = re.compile(r"\S {2,}\S")
_KEY_AND_VALUE = re.compile(r"\s*(?:- )?[^\s:][^:]{0,60}:(?:\s|$)")
_NO_NAME = re.compile(r"[-=/\\{};:!>]|#!|%[%!]|<[</!?]|[A-Za-z][A-Za-z0-9+.-]*://")
"""Beginnings of code, markup, lists and addresses, which no name of a column has."""
_ONLY_COLUMN = (
    "The file has one column with each of the usual delimiters (comma, semicolon, tab, bar)"
)
_CONFIRMATION = f"a contract with {dialect_text(Dialect())} says so"


def check_rare_delimiters(sample: Sample) -> None:
    """Raise UnreadableFile if a rare delimiter cuts the rows into equally many cells."""
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

    Examples are code, a mail, a list of names and values, a key, and text in base64.
    """
    rows = _texts(sample)
    if not rows:
        return
    pairs = [bool(_KEY_AND_VALUE.match(row)) for row in rows]
    are_pairs = len(rows) > 1 and pairs[0] and sum(pairs) > _HALF * len(rows)
    longest = max(map(len, rows[0].split()), default=0)
    if are_pairs or longest > _LONGEST_WORD or _NO_NAME.match(rows[0]):
        raise UnreadableFile(
            f"{_ONLY_COLUMN}, and its first row does not read like the name of a column. If it is "
            f"one, {_CONFIRMATION}. Otherwise export the data as CSV, with a header."
        )


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
    return [row[0].strip() if row is not None and len(row) == 1 else "" for row in rows]
