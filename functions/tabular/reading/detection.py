"""Detects the delimiter of a file if no contract gives it.

Nothing is guessed that could corrupt data silently: if two readings are equally likely, if the
first row is not a header, or if the file is written in an unusual way, the file is refused, and the
message has the text to put into the contract.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from tabular.errors import UnreadableFile
from tabular.model import Dialect
from tabular.reading.advice import CANDIDATES, dialect_text, find_remedy, in_words
from tabular.reading.line_ends import count_lines
from tabular.reading.sample import RIGHT, Reading, Sample, is_record
from tabular.reading.single_column import (
    check_name,
    check_rare_delimiters,
    check_rows,
    check_white_space,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_EXCEL_HINT = re.compile(rb"sep=([,;\t|])[\r\n]", re.IGNORECASE)
_CLEARLY = 0.25
"""The minimum difference in the share of fitting records for one delimiter to win over another."""
_HALF = 0.5
_SEQUENCES = ("||", "::", "~|~", "|~|", "^|^", "#|#", "@@", "^^", "~~")
"""Delimiters of several characters, which a dialect can't express."""
_LEAST_QUOTED = 2
_RULE = re.compile(r"\s*[-=]+\s*")
_SHORTEST_RULE = 3


def detect_dialect(
    text: bytes,
    *,
    complete: bool,
    known: Collection[str] = (),
    preferred: str | None = None,
) -> Dialect:
    """Find the delimiter among comma, semicolon, tab and bar.

    `text` is the head of the file in UTF-8; `complete` says that it is the whole file; `known` are
    the names of the contract's fields, if there is one. A file without any of the four has one
    column. `preferred` is the delimiter that the file's suffix implies: it resolves doubts. Raises
    UnreadableFile if the delimiter is doubtful or none of the four, if the content contradicts the
    name, if the header is not the first row, and (without `known` names) if the first row is a
    record.
    """
    sample = Sample.of(text, complete=complete)
    _check_excel_hint(text)
    readings = [
        Reading.of(sample, Dialect(delimiter=delimiter), skip_blank=True)
        for delimiter in CANDIDATES
    ]
    named = [sum(label in known for label in reading.labels or ()) for reading in readings]
    if max(named) > 0 and named.count(max(named)) == 1:
        return readings[named.index(max(named))].dialect
    usable = [reading for reading in readings if reading.width > 1]
    usable.sort(key=lambda reading: reading.fitting, reverse=True)
    usable = [one for one in usable if one.dialect.delimiter == preferred and _fits(one)] or usable
    fits = bool(usable) and _fits(usable[0])
    if not fits or not usable[0].names_columns:
        _check_remedy(sample, usable, fits=fits)
    if not usable:
        check_rare_delimiters(sample)
    _check_sequences(sample)
    if not usable:
        check_white_space(sample)
    if len(usable) > 1 and usable[0].fitting - usable[1].fitting < _CLEARLY:
        raise UnreadableFile(
            f"The delimiter is ambiguous: the file can be read with {_word(usable[0])} "
            f"({usable[0].width} columns) as well as with {_word(usable[1])} "
            f"({usable[1].width} columns). Put the right one into the dataset's contract: "
            f"{dialect_text(Dialect(delimiter=usable[0].dialect.delimiter))}."
        )
    if usable:
        _check_name_fits(usable[0], preferred)
    chosen = usable[0] if usable else _of_one_column(readings, preferred)
    _check_quotes(sample, chosen)
    if not known:
        _check_header(chosen)
        if chosen.width == 1:
            check_rows(sample)
            check_name(sample)
        _check_underline(chosen)
    return chosen.dialect


def _fits(reading: Reading) -> bool:
    """Whether at least half of the records are as wide as the header."""
    return not reading.records or reading.fitting >= _HALF


def _of_one_column(readings: Sequence[Reading], preferred: str | None) -> Reading:
    """The reading of a file that has none of the delimiters."""
    named = [one for one in readings if one.dialect.delimiter == preferred]
    return named[0] if named else readings[0]


def _check_name_fits(reading: Reading, preferred: str | None) -> None:
    """Refuse a file whose delimiter is not the one that its suffix implies."""
    delimiter = reading.dialect.delimiter
    if preferred is None or delimiter == preferred:
        return
    raise UnreadableFile(
        f"By its name, the file's delimiter is {in_words(preferred)}, but its content has "
        f"{reading.width} columns with {_word(reading)} as delimiter. Rename the file so that it "
        "ends with .csv, or put the right delimiter into the dataset's contract: "
        f"{dialect_text(Dialect(delimiter=delimiter))}.",
        advice=Dialect(delimiter=delimiter),
    )


def _check_excel_hint(text: bytes) -> None:
    content = text.lstrip(b"\r\n")
    hint = _EXCEL_HINT.match(content)
    if hint is not None:
        above = count_lines(text[: len(text) - len(content)])
        dialect = Dialect(delimiter=hint[1].decode(), header_rows=(above + 2,))
        raise UnreadableFile(
            "The first line only names the delimiter for Excel. Name it in the dataset's contract: "
            f"{dialect_text(dialect)}.",
            advice=dialect,
        )


def _check_remedy(sample: Sample, usable: Sequence[Reading], *, fits: bool) -> None:
    """Refuse a file whose first row is not its header if another reading makes it right.

    If the first row `fits` but lacks names, as in a preamble that a spreadsheet has padded, only a
    certain header counts; otherwise the header's own fault is reported.
    """
    remedy = find_remedy(sample)
    if remedy is None or (fits and not remedy.certain):
        return
    reading = remedy.reading
    text = dialect_text(reading.dialect)
    row, width = reading.dialect.header_rows[0], reading.width
    if remedy.is_first_row:
        if reading.dialect.quote_char == '"' and not reading.dialect.skip_initial_space:
            return  # only blank lines above it, which do not count
        raise UnreadableFile(
            f"{_oddity(reading.dialect)} Put this into the dataset's contract, with which the "
            f"file has {width} columns: {text}.",
            advice=reading.dialect,
        )
    if remedy.certain:
        raise UnreadableFile(
            f"The header seems to be row {row}, which has {width} columns like the rows after it, "
            f"with {_word(reading)} as delimiter; the rows above it look like a title. Say in the "
            f"dataset's contract which row is the header: {text}.",
            advice=reading.dialect,
        )
    first = usable[0].width if usable else 1
    raise UnreadableFile(
        f"The first row has {first} columns and the rows after it have {width}, with "
        f"{_word(reading)} as delimiter. If the first row is the header, correct it. If row {row} "
        f"is the header, say so in the dataset's contract: {text}.",
        advice=reading.dialect,
    )


def _oddity(dialect: Dialect) -> str:
    """What is unusual about how a dialect quotes."""
    if dialect.skip_initial_space:
        return "There are spaces between delimiters and quotes."
    if dialect.quote_char is None:
        return "Quotes occur within cells, and no cell is quoted."
    return f"Cells are quoted with {dialect.quote_char}."


def _check_sequences(sample: Sample) -> None:
    """Refuse a file whose cells are separated by several characters: its cells would be wrong."""
    lines = [line for line in sample.text.splitlines()[:20] if line.strip()]
    if not sample.complete and len(lines) > 1:
        lines.pop()
    for sequence in _SEQUENCES:
        counts = {line.count(sequence.encode()) for line in lines}
        if len(lines) > 1 and len(counts) == 1 and counts != {0}:
            raise UnreadableFile(
                f"The cells are separated by {sequence}, and a delimiter is one character. Export "
                "the file again with another delimiter."
            )


def _check_quotes(sample: Sample, reading: Reading) -> None:
    """Refuse a file whose cells are quoted with apostrophes: they would be part of the values."""
    if b'"' in sample.text or b"'" not in sample.text:
        return
    rows = [reading.labels or [], *reading.sound]
    columns = list(zip(*reading.sound, strict=True))
    quoted = sum(_is_quoted(cell) for row in rows for cell in row)
    whole_columns = any(
        any(column) and all(_is_quoted(cell) for cell in column if cell) for column in columns
    )
    whole_header = bool(reading.labels) and all(map(_is_quoted, reading.labels or ()))
    other = Reading.of(sample, replace(reading.dialect, quote_char="'"), skip_blank=True)
    fits_better = other.fitting - reading.fitting >= _CLEARLY
    if not (whole_columns or whole_header or fits_better) or quoted < _LEAST_QUOTED:
        return
    if other.names_columns and (other.fitting >= RIGHT or not other.records):
        raise UnreadableFile(
            "Cells are quoted with apostrophes, which would be published as part of the values. "
            f"Name the quote character in the dataset's contract: {dialect_text(other.dialect)}. "
            'If they are part of the values, name the usual one there: "quoteChar": "\\"".',
            advice=other.dialect,
        )


def _is_quoted(cell: str) -> bool:
    return len(cell) > 1 and cell[0] == cell[-1] == "'"


def _check_header(reading: Reading) -> None:
    """Refuse a file whose first row is a record: its cells would become the columns' names."""
    if reading.labels and is_record(reading.labels, reading.sound):
        dialect = replace(reading.dialect, header=False)
        raise UnreadableFile(
            "There seems to be no header: the first row reads like a record. If it is one, say so "
            f"in a contract for the dataset, with a field for each of the {reading.width} columns: "
            f"{dialect_text(dialect)}. If it is the header, a contract with its names accepts it.",
            advice=dialect,
        )


def _check_underline(reading: Reading) -> None:
    """Refuse a file whose first record consists of rules below the names, as database tools print.

    Shorter rules may be signs for missing values.
    """
    cells = reading.sound[0] if reading.records and reading.records[0] in reading.sound else []
    if not (cells and all(map(_RULE.fullmatch, cells)) and max(map(len, cells)) >= _SHORTEST_RULE):
        return
    dialect = replace(reading.dialect, comment_rows=(reading.dialect.header_rows[0] + 1,))
    raise UnreadableFile(
        "The row below the header only underlines it. Leave it out, or name it in the dataset's "
        f"contract: {dialect_text(dialect)}.",
        advice=dialect,
    )


def _word(reading: Reading) -> str:
    return in_words(reading.dialect.delimiter)
