"""Reads the head of a file under a dialect, for detection and for advice.

A `Reading` is made by the code that reads the file itself, so it shows how the file would really be
read.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from tabular.errors import TabularError
from tabular.reading.grammar import Grammar
from tabular.reading.head import HeadReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tabular.model import Dialect

_RECORDS = 200
_BYTES = 256 * 1024
_SAMPLE_BYTES = 1024 * 1024
_LEAST_RECORDS = 4
"""Number of records that are read however long they are."""
RIGHT = 0.9
"""A reading is right if at least this share of its records is well-formed and as wide as the
header: a few may be faulty, and are quarantined."""
_MOST = 0.9
_SEQUENCE = 3


class Sample(NamedTuple):
    """The head of a file, in UTF-8 and without byte order mark; `complete`: all of the file."""

    text: bytes
    complete: bool

    @classmethod
    def of(cls, text: bytes, *, complete: bool) -> Sample:
        """The first whole lines of a head; of a megabyte, which holds the widest header."""
        if len(text) <= _SAMPLE_BYTES:
            return cls(text, complete)
        end = max(text.rfind(b"\n", 0, _SAMPLE_BYTES), text.rfind(b"\r", 0, _SAMPLE_BYTES - 1))
        return cls(text, complete) if end < 0 else cls(text[: end + 1], complete=False)


Row = list[str] | None
"""The cells of a row; None where it is malformed."""


@dataclass(frozen=True)
class Reading:
    """The head of a file under one dialect. `labels` None: the header cannot be read."""

    dialect: Dialect
    labels: list[str] | None
    records: list[Row]

    @classmethod
    def of(cls, sample: Sample, dialect: Dialect, *, skip_blank: bool = False) -> Reading:
        """Read the sample; `skip_blank` as for `HeadReader.labels`."""
        grammar = Grammar(dialect)
        head = HeadReader(sample.text, grammar, complete=sample.complete)
        labels: list[str] | None = None
        if dialect.header:
            try:
                labels = head.labels(skip_blank=skip_blank)
            except TabularError:
                return cls(dialect, None, [])
        return cls(dialect, labels, [row for _, row in _rows(sample, grammar, head.position)])

    @property
    def width(self) -> int:
        """How many columns the header has."""
        return len(self.labels or ())

    @cached_property
    def fitting(self) -> float:
        """The share of records that are well-formed and as wide as the header; 0 if none are."""
        if not self.records:
            return 0.0
        return len(self.sound) / len(self.records)

    @cached_property
    def sound(self) -> list[list[str]]:
        """The records that are well-formed and as wide as the header."""
        return [row for row in self.records if row is not None and len(row) == self.width]

    @property
    def malformed(self) -> int:
        """How many records are malformed."""
        return self.records.count(None)

    @cached_property
    def names_columns(self) -> bool:
        """Whether the header has a different name for every column."""
        names = [label.strip().lower().replace(" ", "_") for label in self.labels or ()]
        return bool(names) and all(names) and len(set(names)) == len(names)

    @cached_property
    def is_right(self) -> bool:
        """Whether this reading is right: columns are named, and nearly all records fit them."""
        return (
            self.names_columns
            and self.fitting >= RIGHT
            and not self.stray_quotes
            and not is_record(self.labels or [], self.sound)
        )

    @cached_property
    def stray_quotes(self) -> bool:
        """Whether cells that are not quoted here look quoted."""
        if self.dialect.quote_char is not None:
            return False
        rows = [self.labels or [], *self.sound]
        return any(cell.lstrip()[:1] in ("'", '"') for row in rows for cell in row)


def rows_of(sample: Sample, dialect: Dialect) -> list[tuple[int, Row]]:
    """The first rows that have content, with their numbers from 1 over all rows."""
    return list(_rows(sample, Grammar(dialect), 0))


def _rows(sample: Sample, grammar: Grammar, start: int) -> Iterator[tuple[int, Row]]:
    text = sample.text[start:]
    seen = size = 0
    records = grammar.records(text, complete=sample.complete, most=len(text))
    for number, record in enumerate(records, 1):
        cells = grammar.cells(record)
        if cells is not None and not any(map(str.strip, cells)):
            continue
        yield number, cells
        seen += 1
        size += len(record)
        if seen > _RECORDS or (size > _BYTES and seen >= _LEAST_RECORDS):
            return


_KINDS = (
    ("integer", re.compile(r"[-+]?[0-9]{1,18}")),
    ("date", re.compile(r"[0-9]{4}([-/.])[0-9]{1,2}\1[0-9]{1,2}(?:[T ][0-9:.+Z-]+)?")),
    ("date", re.compile(r"[0-9]{1,2}([-/.])[0-9]{1,2}\1(?:[0-9]{4}|[0-9]{2})(?: [0-9:]+)?")),
    ("number", re.compile(r"[-+]?[0-9][0-9.,' ]*(?:[eE][-+]?[0-9]+)?")),
    ("time", re.compile(r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?")),
    ("email", re.compile(r"[^\s@,;]+@[^\s@,;]+\.[A-Za-z]{2,}")),
    ("uuid", re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")),
    ("address", re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")),
    ("network", re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?:/[0-9]{1,2})?")),
)
_LABELLED = re.compile(r"([\w.-]+) ?[=:](?!//)")
_NUMBERS = ("integer", "number")
_TELLING = ("date", "email", "time", "uuid", "address", "network")
"""A label of one of these kinds above cells of the same kind is a cell. A number may be a year."""


def is_record(labels: Sequence[str], records: Sequence[Sequence[str]]) -> bool:
    """Whether the labels are certainly a record, and not the names of the columns below.

    `records` are as wide as the labels. Labels that may be names are never a record: for example,
    years next to a name, and text above text.
    """
    kinds = [_kind(label) for label in labels]
    if kinds and not any(kind in ("text", "") for kind in kinds):
        return True  # no name among them
    others = [record for record in records if list(record) != list(labels)]
    columns = _columns(labels, kinds, others)
    if any(column.is_telling or column.continues or column.is_labelled for column in columns):
        return True
    alike = {column.form for column in columns if column.has_form_of_label}
    repeats = any(column.kind == "text" and column.repeats for column in columns)
    return len(alike) > 1 or bool(alike and repeats)


def is_header(labels: Sequence[str], records: Sequence[Sequence[str]]) -> bool:
    """Whether the labels are certainly names: a column has cells of another kind than its label."""
    if is_record(labels, records):
        return False
    kinds = [_kind(label) for label in labels]
    columns = _columns(labels, kinds, records)
    return any(column.kind == "text" and column.below not in ("text", "") for column in columns)


class _Column(NamedTuple):
    """A label, its kind, and the cells below it."""

    label: str
    kind: str
    cells: list[str]

    @property
    def below(self) -> str:
        """The kind of nearly all cells that have content; text if there are several kinds."""
        kinds = Counter(_kind(cell) for cell in self.cells if cell)
        if not kinds:
            return ""
        numbers = sum(kinds[kind] for kind in _NUMBERS)
        kind, count = kinds.most_common(1)[0]
        if kind in _NUMBERS and count < _MOST * kinds.total():
            kind, count = "number", numbers
        return kind if count >= _MOST * kinds.total() else "text"

    @property
    def is_telling(self) -> bool:
        return self.kind in _TELLING and self.below == self.kind

    @property
    def continues(self) -> bool:
        """Whether the label and the integers below are consecutive, such as 1001, 1002, 1003."""
        run = [self.label, *self.cells[:_SEQUENCE]]
        if len(run) <= _SEQUENCE or any(_kind(cell) != "integer" for cell in run):
            return False
        steps = {int(after) - int(before) for before, after in itertools.pairwise(run)}
        return len(steps) == 1 and steps != {0}

    @property
    def is_labelled(self) -> bool:
        """Whether the label and all cells below have the same name before a value: `level=info`."""
        found = [_LABELLED.match(text) for text in (self.label, *self.cells)]
        names = {match[1] if match else None for match in found}
        return len(found) > 1 and len(names) == 1 and None not in names

    @property
    def form(self) -> tuple[str, int]:
        """How the label is written: its kind, and how many decimals it has."""
        return _form(self.label)

    @property
    def has_form_of_label(self) -> bool:
        """Whether the label is a number, and nearly all cells below are written like it."""
        if self.kind not in _NUMBERS or len(self.cells) < _SEQUENCE:
            return False
        alike = sum(_form(cell) == self.form for cell in self.cells)
        return alike >= _MOST * len(self.cells)

    @property
    def repeats(self) -> bool:
        return self.label in self.cells


def _columns(
    labels: Sequence[str], kinds: Sequence[str], records: Sequence[Sequence[str]]
) -> list[_Column]:
    return [
        _Column(label.strip(), kind, [record[position].strip() for record in records])
        for position, (label, kind) in enumerate(zip(labels, kinds, strict=True))
    ]


def _kind(text: str) -> str:
    text = text.strip()
    if not text:
        return ""
    return next((kind for kind, pattern in _KINDS if pattern.fullmatch(text)), "text")


def _form(text: str) -> tuple[str, int]:
    whole = re.split("[.,]", text)
    return _kind(text), len(whole[-1]) if len(whole) > 1 else 0
