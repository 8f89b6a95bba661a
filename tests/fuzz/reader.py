"""An independent reader of CSV, which gives the expected outcome of every record.

It shares no code with `tabular.reading` and no idea but the documented rules: it decodes physical
lines, then goes through their characters one by one. It is slow, and plain enough to be believed.
What a single cell means is not its business: for typed fields it asks `tabular.values.cells`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

_UNITS = {"utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}
_ENDS = ("\r\n", "\n", "\r")
LOST = "\ufffd"
BOM = "\ufeff"
_FILE_STARTS = BOM + "\x1a"  # what concatenated files may have between them

ReadCell = Callable[[str], tuple[bool, frozenset[str]]]
"""A cell's text -> whether it has no value, and the codes of its faults."""


@dataclass(frozen=True)
class Rules:
    """How a file is read: Table Dialect's properties, and what a missing contract changes."""

    encoding: str
    delimiter: str = ","
    quote: str | None = '"'
    double_quote: bool = True
    escape: str | None = None
    skip_initial_space: bool = False
    header: bool = True
    header_rows: tuple[int, ...] = (1,)
    header_join: str = " "
    comment_rows: tuple[int, ...] = ()
    comment: str | None = None
    skip_blank_rows: bool = False
    has_contract: bool = True

    @classmethod
    def of(cls, dialect: Mapping[str, Any], encoding: str) -> Rules:
        """The rules of a dialect's descriptor."""
        quote, escape = dialect.get("quoteChar", '"') or None, dialect.get("escapeChar") or None
        # A quote that is its own escape character means doubled quotes.
        doubled = escape is not None and escape == quote
        return cls(
            encoding,
            delimiter=dialect.get("delimiter", ","),
            quote=quote,
            double_quote=doubled or dialect.get("doubleQuote", True),
            escape=None if doubled else escape,
            skip_initial_space=dialect.get("skipInitialSpace", False),
            header=dialect.get("header", True),
            header_rows=tuple(dialect.get("headerRows", [1])),
            header_join=dialect.get("headerJoin", " "),
            comment_rows=tuple(dialect.get("commentRows", [])),
            comment=dialect.get("commentChar") or None,
            skip_blank_rows=dialect.get("skipBlankRows", False),
        )


@dataclass(frozen=True)
class PhysicalLine:
    """A physical line: where its bytes begin, its text and line end, whether bytes were lost."""

    offset: int
    text: str
    end: str
    size: int
    damaged: bool


@dataclass(frozen=True)
class Record:
    """A record: its first line (from 1), bytes, text without line end, and cells if well-formed."""

    line: int
    lines: int
    offset: int
    size: int
    text: str
    cells: tuple[str, ...] | None
    damaged: bool
    comment: bool
    ended: bool


@dataclass(frozen=True)
class ReaderOutcome:
    """The outcome of a data record, numbered from 1: its cells, or the codes of its faults."""

    row: int
    record: Record
    codes: frozenset[str]


@dataclass(frozen=True)
class Table:
    """A file that has been read. `labels` None: the header is not well-formed, or not there."""

    labels: tuple[str, ...] | None
    data_offset: int
    data_line: int
    outcomes: tuple[ReaderOutcome, ...]
    lines: int
    line_end: str


def read(content: bytes, rules: Rules, readers: Mapping[str, ReadCell] | None = None) -> Table:
    """Read a whole file, whose byte order mark, if any, has the encoding of `rules`.

    `readers` are the contract's fields in order; without a header they are the columns.
    """
    mark = BOM.encode(rules.encoding) if rules.encoding.startswith("utf") else b""
    start = len(mark) if mark and content.startswith(mark) else 0
    lines = _physical_lines(without_end_marks(content[start:], rules.encoding), start, rules)
    records = list(_records(lines, rules))
    labels, first = _header(records, rules)
    if not rules.header and readers is not None:
        labels = tuple(readers)
    data = records[first:]
    if rules.header and labels and _ends_with_delimiter(labels):
        labels = labels[:-1]
        data = [_without_last_delimiter(record, len(labels)) for record in data]
    end = lines[-1].offset + lines[-1].size if lines else start
    fields = dict(readers) if readers is not None else dict.fromkeys(labels or (), _any_text)
    known = labels is not None and all(label in fields for label in labels)
    outcomes = _outcomes(data, rules, labels or (), fields) if known else ()
    return Table(
        labels,
        data[0].offset if data else end,
        data[0].line if data else len(lines) + 1,
        tuple(outcomes),
        sum(record.lines for record in data),
        (lines[0].end if lines else "") or "\n",
    )


def _any_text(text: str) -> tuple[bool, frozenset[str]]:
    return text == "", frozenset()


def without_end_marks(content: bytes, encoding: str) -> bytes:
    """The content without DOS's end marks, which are no part of the last record.

    DOS appended single bytes, to encodings of wider characters too.
    """
    mark = "\x1a".encode(encoding)
    beyond = len(content) % _UNITS.get(encoding, 1)
    if beyond and content.endswith(b"\x1a" * beyond):
        content = content[:-beyond]
    while len(content) % len(mark) == 0 and content.endswith(mark):
        content = content[: -len(mark)]
    return content


def _physical_lines(content: bytes, start: int, rules: Rules) -> list[PhysicalLine]:
    unit = _UNITS.get(rules.encoding, 1)
    carriage_return, line_feed = ("\r".encode(rules.encoding), "\n".encode(rules.encoding))
    lines = []
    position = 0
    while position < len(content):
        at = position
        while at < len(content) and content[at : at + unit] not in (carriage_return, line_feed):
            at += unit
        at = min(at, len(content))
        end = ""
        if content[at : at + 2 * unit] == carriage_return + line_feed:
            end = "\r\n"
        elif at < len(content):
            end = "\r" if content[at : at + unit] == carriage_return else "\n"
        after = at + unit * len(end)
        raw = content[position:at]
        try:
            text, damaged = raw.decode(rules.encoding), False
        except UnicodeDecodeError:
            text, damaged = raw.decode(rules.encoding, "replace"), True
        lines.append(PhysicalLine(start + position, text, end, after - position, damaged))
        position = after
    return lines


def _records(lines: list[PhysicalLine], rules: Rules) -> Iterator[Record]:
    number = 0
    while number < len(lines):
        first = lines[number]
        comment = rules.comment is not None and first.text.startswith(rules.comment)
        parsed = None if comment else _Parser(lines, number, rules).record()
        cells, last = parsed or (None, number)
        covered = lines[number : last + 1]
        text = "".join(line.text + line.end for line in covered)
        yield Record(
            number + 1,
            len(covered),
            first.offset,
            sum(line.size for line in covered),
            text[: len(text) - len(covered[-1].end)],
            cells,
            any(line.damaged for line in covered),
            comment,
            bool(covered[-1].end),
        )
        number = last + 1


class _Parser:
    """Reads one record from the beginning of a line, character by character.

    A line end counts as one character, so that an escape takes all of CR LF.
    """

    def __init__(self, lines: list[PhysicalLine], number: int, rules: Rules) -> None:
        self.lines, self.number, self.rules = lines, number, rules
        self.column = 0

    def record(self) -> tuple[tuple[str, ...], int] | None:
        """The cells, and the index of the record's last line; None if it is malformed."""
        cells = []
        while True:
            cell = self._cell()
            if cell is None:
                return None
            cells.append(cell)
            character = self._peek()
            if character is None or character in _ENDS:
                return tuple(cells), min(self.number, len(self.lines) - 1)
            self._step()  # over the delimiter

    def _peek(self) -> str | None:
        """The next character, or line end; None at the end of the file."""
        if self.number >= len(self.lines):
            return None
        line = self.lines[self.number]
        return line.text[self.column] if self.column < len(line.text) else (line.end or None)

    def _step(self) -> None:
        line = self.lines[self.number]
        if self.column < len(line.text):
            self.column += 1
        elif line.end and self.number + 1 < len(self.lines):
            self.number, self.column = self.number + 1, 0
        else:
            # Past the line end that is the file's last: nothing follows.
            self.number, self.column = len(self.lines), 0

    def _escaped(self) -> str | None:
        """Take the character after an escape; None where only the file's end follows."""
        character = self._peek()
        if character is not None:
            self._step()
        is_last_line_end = character in _ENDS and self._peek() is None
        return None if is_last_line_end else character

    def _cell(self) -> str | None:
        rules = self.rules
        if rules.skip_initial_space:
            while self._peek() == " ":
                self._step()
        if rules.quote is not None and self._peek() == rules.quote:
            return self._quoted()
        return self._bare()

    def _quoted(self) -> str | None:
        rules = self.rules
        self._step()
        text = ""
        while (character := self._peek()) is not None:
            self._step()
            if character == rules.escape:
                escaped = self._escaped()
                if escaped is None:
                    return None
                text += escaped
            elif character != rules.quote:
                text += character
            elif rules.double_quote and self._peek() == rules.quote:
                text += character
                self._step()
            else:
                after = self._peek()
                is_closed = after is None or after in _ENDS or after == rules.delimiter
                return text if is_closed else None
        return None

    def _bare(self) -> str | None:
        rules = self.rules
        text = ""
        while (character := self._peek()) is not None:
            if character in _ENDS or character == rules.delimiter:
                break
            if character == rules.quote:
                return None
            self._step()
            if character == rules.escape:
                escaped = self._escaped()
                if escaped is None:
                    return None
                text += escaped
            else:
                text += character
        return text


def _header(records: list[Record], rules: Rules) -> tuple[tuple[str, ...] | None, int]:
    """The labels, and how many records come before the data."""
    if not rules.header:
        return (), 0
    rows: list[tuple[str, ...]] = []
    number = 0
    for index, record in enumerate(records):
        if not rules.has_contract and _is_skipped(record, rules):
            continue
        number += 1
        is_comment = record.comment or record.line in rules.comment_rows
        if number < rules.header_rows[len(rows)] or is_comment:
            continue
        if record.cells is None or any(LOST in cell for cell in record.cells):
            return None, 0
        rows.append(record.cells)
        if len(rows) == len(rules.header_rows):
            width = max(map(len, rows))
            parts = [
                [row[place] for row in rows if place < len(row) and row[place]]
                for place in range(width)
            ]
            return tuple(rules.header_join.join(part) for part in parts), index + 1
    return None, 0


def _ends_with_delimiter(labels: tuple[str, ...]) -> bool:
    blank = [place for place, label in enumerate(labels) if not label.strip()]
    return len(labels) > 1 and blank == [len(labels) - 1]


def _without_last_delimiter(record: Record, width: int) -> Record:
    if record.cells is None or len(record.cells) != width + 1 or record.cells[-1]:
        return record
    return replace(record, cells=record.cells[:-1])


def _outcomes(
    records: list[Record], rules: Rules, labels: tuple[str, ...], fields: Mapping[str, ReadCell]
) -> Iterator[ReaderOutcome]:
    row = 0
    for record in records:
        if record.comment or record.line in rules.comment_rows or _is_skipped(record, rules):
            continue
        row += 1
        yield ReaderOutcome(row, record, _codes(record, rules, labels, fields))


def _is_skipped(record: Record, rules: Rules) -> bool:
    if record.cells is None:
        return False
    if not rules.has_contract:
        return not any(cell.strip() for cell in record.cells)
    return rules.skip_blank_rows and not any(record.cells)


def _codes(
    record: Record, rules: Rules, labels: tuple[str, ...], fields: Mapping[str, ReadCell]
) -> frozenset[str]:
    """The codes of a record's faults; none where it is processed."""
    codes = {"encoding-error"} if record.damaged else set()
    if "\0" in record.text:
        codes.add("source-error")
    if record.cells is None:
        return frozenset(codes | {"source-error"})
    cells, width = record.cells, len(labels)
    repeated = rules.header and width > 1 and not codes and len(cells) == width
    if repeated and (cells[0].lstrip(_FILE_STARTS), *cells[1:]) == labels:
        return frozenset({"repeated-header"})
    read = {label: fields[label](cell) for label, cell in zip(labels, cells, strict=False)}
    is_blank = all(null for null, _ in read.values()) and not any(cells[width:])
    if rules.has_contract and is_blank and not any("type-error" in c for _, c in read.values()):
        return frozenset(codes | {"blank-row"})
    for label, cell in zip(labels, cells, strict=False):
        if not ((record.damaged and LOST in cell) or "\0" in cell):
            codes |= read[label][1]
    if len(cells) != width:
        codes.add("extra-cell" if len(cells) > width else "missing-cell")
    return frozenset(codes)


MAGIC = re.compile(
    rb"PK\x03\x04|\xd0\xcf\x11\xe0|%PDF-[0-9]|PAR1\x15|SQLite format 3\x00|\x28\xb5\x2f\xfd"
    rb"|BZh[1-9]1AY&SY|\xfd7zXZ\x00|\x1f\x8b"
)
"""The first bytes of files that are refused because they are not CSV."""
