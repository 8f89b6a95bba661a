"""Finds out how to read a file from its content: encoding, delimiter, header, column names.

If the engine would refuse or misread the file, this module chooses a dialect, which the contract
then contains. Every decision is reported with its evidence.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from pipectl.local.infer.column_types import ColumnTexts
from tabular.encoding import BOMS, Encoding, find_encoding
from tabular.errors import EmptyFile, HeaderMismatch, UnreadableFile, UnsupportedFormat
from tabular.file_names import DELIMITERS, ZIP, last_suffix, table_suffix
from tabular.model import MAX_FOOTER_ROWS, Contract, Dialect, Field
from tabular.reading.content_head import read_content_head
from tabular.reading.detection import detect_dialect
from tabular.reading.encoding_advice import suggest_encoding, wide_encoding
from tabular.reading.end_mark import strip_end_marks
from tabular.reading.grammar import Grammar
from tabular.reading.header import ends_with_delimiter
from tabular.reading.layout import read_layout
from tabular.reading.line_ends import count_lines, line_end
from tabular.reading.other_formats import binary_format, refusal, text_format
from tabular.reading.sample import Reading, Sample, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import polars as pl

    from tabular.reading.layout import Layout
    from tabular.sink import ReadRange

_DELIMITERS = (",", ";", "\t", "|")
_WORDS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space"}
_ANY_NAME = "content.csv"
"""The name of a file's decompressed content, in place of its own name."""
_SHOWN_CHARACTERS = 40
_FEW_TEXTS = 1_000
"""Fewer texts are counted faster in Python than by Polars."""
_MOST_TEXTS = 100_000
"""Distinct texts of a column that are kept: more would only fill the memory."""
_LEAST_TYPED_COLUMNS = 2
_TOTAL_WORDS = (
    *("total", "totals", "grand total", "subtotal", "sum", "summe", "gesamt", "gesamtsumme"),
    *("somme", "totale", "totaal", "suma", "sluttotal"),
)


@dataclass(frozen=True)
class FileSample:
    """The first bytes of a file as it is stored (all of a small one), and its whole size."""

    name: str
    content: bytes
    size: int
    read: ReadRange | None = None
    """Reads other ranges of the file, as `read_content_head` takes it."""


@dataclass(frozen=True)
class ReadingOptions:
    """How to read a file, as far as the user says so; None is found from the file."""

    encoding: str | None = None
    delimiter: str | None = None
    header_rows: tuple[int, ...] = ()
    header: bool = True
    footer_rows: int | None = None
    dialect: Dialect | None = None
    """The whole dialect; the options before it are then ignored, but for the encoding."""


@dataclass(frozen=True)
class FileReading:
    """How a file is read, and its content.

    `content` is the (decompressed) sample up to the end of its last whole record. `layout` reads it
    with every column as text. `labels` are the names of the columns in the contract. `statements`
    are what was found, `doubts` what a person should check. `whole`: the sample is all of the file.
    """

    name: str
    content: bytes
    whole: bool
    layout: Layout
    encoding: str
    labels: tuple[str, ...]
    columns: tuple[ColumnTexts, ...]
    records: int
    footer_rows: int
    blank_records: int
    faulty_records: int
    statements: tuple[str, ...]
    doubts: tuple[str, ...]

    @property
    def dialect(self) -> Dialect:
        """The dialect for the contract: blank rows are skipped if there are any."""
        return replace(
            self.layout.dialect,
            skip_blank_rows=self.blank_records > 0,
            footer_rows=self.footer_rows,
        )


@dataclass
class _Findings:
    """What was found, and what a person should check, in words."""

    statements: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


class CannotDecide(UnreadableFile):
    """The file can be read in several ways, or in no known way; options have to say how."""


def read_file(sample: FileSample, options: ReadingOptions) -> FileReading:
    """Find how a file is read, and read the sample's records as text.

    Raises a TabularError if it is no CSV, or CannotDecide, whose message names the options that
    decide.
    """
    findings = _Findings()
    if not sample.content:
        raise EmptyFile(
            f"The file {sample.name} is empty. Upload it again with a header and records."
        )
    name = (
        sample.name if table_suffix(sample.name) or last_suffix(sample.name) == ZIP else _ANY_NAME
    )
    opened = read_content_head(sample.content, size=sample.size, name=name, read=sample.read)
    content, whole = opened.content, opened.complete
    what = binary_format(content)
    if what:
        raise UnsupportedFormat(refusal(what))
    encoding, mark = _choose_encoding(content, whole, options, findings)
    body = content[mark:]
    body = strip_end_marks(body, encoding) if whole else body[: encoding.lines_end(body)]
    text, _ = encoding.to_utf8(body)
    if options.header and (what := text_format(text, complete=whole)):
        raise UnsupportedFormat(refusal(what))
    rows = Sample.of(text, complete=whole)
    if not text.strip():
        raise EmptyFile("The file has no content but blank lines.")
    preferred = DELIMITERS.get(opened.suffix or "")
    dialect = options.dialect or _choose_dialect(rows, options, preferred, findings)
    dialect, labels = _choose_header(rows, dialect, options, findings)
    layout = _layout(content, encoding.name, dialect, labels, whole=whole)
    content = content if whole else content[: _end_of_records(content, layout)]
    layout = replace(layout, size=len(content))
    if layout.trailing_delimiter:
        findings.statements.append(
            "every line ends with a delimiter: the nameless last column is ignored"
        )
    found = _read_columns(content, layout)
    codes = Counter(fault["code"] for reject in found.rejects for fault in reject["errors"][:1])
    blank = codes["blank-row"]
    footer = dialect.footer_rows or options.footer_rows or 0
    if whole and found.records and options.dialect is None:
        footer = _footer_rows(found, options, findings)
        if footer:
            # Without the footer's cells, and without the blank rows around it.
            ended = replace(dialect, footer_rows=footer, skip_blank_rows=blank > 0)
            of_data = _layout(content, encoding.name, ended, labels, whole=whole)
            found = _read_columns(content, of_data)
            layout = replace(layout, dialect=replace(dialect, footer_rows=footer))
    return FileReading(
        name=sample.name,
        content=content,
        whole=whole,
        layout=layout,
        encoding=encoding.name,
        labels=layout.labels,
        columns=found.columns,
        records=found.records,
        footer_rows=footer,
        blank_records=blank,
        faulty_records=sum(one["errors"][0]["code"] != "blank-row" for one in found.rejects),
        statements=tuple(findings.statements),
        doubts=tuple(findings.doubts),
    )


def _word(delimiter: str) -> str:
    return _WORDS.get(delimiter, repr(delimiter))


def text_fields(labels: Iterable[str]) -> tuple[Field, ...]:
    """Fields that accept every text."""
    return tuple(Field(label, label) for label in labels)


def _choose_encoding(
    content: bytes, whole: bool, options: ReadingOptions, findings: _Findings
) -> tuple[Encoding, int]:
    """The encoding, and the length of the byte order mark."""
    for mark, name in BOMS:
        if content.startswith(mark):
            findings.statements.append(f"encoding {name}, as its byte order mark says")
            return Encoding(name), len(mark)
    if options.encoding is not None:
        return find_encoding(options.encoding), 0
    if b"\0" in content[: line_end(content, 0)]:
        wide = wide_encoding(content)
        if wide is not None:
            findings.statements.append(f"encoding {wide}: the first line is text in it")
            return Encoding(wide), 0
    utf8 = Encoding("utf-8")
    lines = content if whole else content[: utf8.lines_end(content)]
    text, bad = utf8.to_utf8(lines)
    likely = suggest_encoding(lines) if bad else None
    if likely is None:
        return utf8, 0
    first = lines.splitlines()[bad[0]].decode(likely, "replace")
    findings.doubts.append(
        f"encoding {likely} is a guess: {len(bad)} of {count_lines(text)} lines are not valid "
        f"UTF-8, and all are valid {likely}; line {bad[0] + 1} then has {_around(first)!r}. "
        "Set another one with --encoding."
    )
    return find_encoding(likely), 0


def _around(line: str) -> str:
    """The part of a line around its first character beyond ASCII."""
    at = next((n for n, character in enumerate(line) if not character.isascii()), 0)
    start = max(0, at - _SHOWN_CHARACTERS // 2)
    return line[start : start + _SHOWN_CHARACTERS].strip()


def _choose_dialect(
    rows: Sample, options: ReadingOptions, preferred: str | None, findings: _Findings
) -> Dialect:
    """The delimiter, quotes and header row; `preferred` is the delimiter of the file's suffix."""
    if options.delimiter is not None or options.header_rows or not options.header:
        return _best_of(rows, options)
    try:
        dialect = detect_dialect(rows.text, complete=rows.complete, preferred=preferred)
    except UnreadableFile as error:
        if error.advice is None:
            raise CannotDecide(
                f"{error} Choose one with --delimiter, such as --delimiter ';' or --delimiter ','."
            ) from None
        _say_advice(rows, error.advice, str(error), findings)
        return error.advice
    first = next((number for number, _ in rows_of(rows, dialect)), 1)
    return replace(dialect, header_rows=(first,)) if first > 1 else dialect


def _say_advice(rows: Sample, dialect: Dialect, message: str, findings: _Findings) -> None:
    """Report what was decided for a file that the engine would refuse without a contract."""
    reading = Reading.of(rows, dialect)
    if not dialect.header:
        findings.doubts.append(
            "the first row reads like a record, so the file has no header: the fields are called "
            "field1, field2 and so on. Rename them, or pass --header-row 1 if it is the header."
        )
    elif dialect.header_rows != (1,):
        findings.statements.append(
            f"header in row {dialect.header_rows[0]}: {len(reading.sound)} of "
            f"{len(reading.records)} records have its {reading.width} columns"
        )
    elif dialect.quote_char is None:
        findings.statements.append("cells are not quoted: quotes occur within them")
    elif dialect.quote_char != '"':
        findings.statements.append(f"cells are quoted with {dialect.quote_char}")
    elif dialect.skip_initial_space:
        findings.statements.append("spaces between delimiters and quotes are ignored")
    else:
        findings.doubts.append(f"{_word(dialect.delimiter)} as delimiter is a guess. {message}")


def _best_of(rows: Sample, options: ReadingOptions) -> Dialect:
    """The dialect with what the user has set, and the delimiter that most records agree on."""
    delimiters = (options.delimiter,) if options.delimiter is not None else _DELIMITERS
    header_rows = options.header_rows or Dialect.header_rows
    best = Dialect(header=options.header, header_rows=header_rows)
    most: tuple[float, int] = (-1.0, 0)
    for delimiter in delimiters:
        dialect = replace(best, delimiter=delimiter)
        if options.header:
            reading = Reading.of(rows, dialect)
            score = (reading.fitting if reading.labels else -1.0, reading.width)
            if reading.width == 1 and options.delimiter is None:
                score = (min(score[0], 0.0), 1)
        else:
            widths = Counter(len(row) for _, row in rows_of(rows, dialect) if row is not None)
            width, count = widths.most_common(1)[0] if widths else (0, 0)
            score = (count / max(1, widths.total()) if width > 1 else 0.0, width)
        if score > most:
            best, most = dialect, score
    return best


def _choose_header(
    rows: Sample, dialect: Dialect, options: ReadingOptions, findings: _Findings
) -> tuple[Dialect, tuple[str, ...]]:
    """The dialect with its header rows, and the names of the columns."""
    if not dialect.header:
        widths = Counter(len(row) for _, row in rows_of(rows, dialect) if row is not None)
        if not widths:
            raise EmptyFile("The file has neither a header nor records to infer a contract from.")
        width = widths.most_common(1)[0][0]
        return dialect, tuple(f"field{number}" for number in range(1, width + 1))
    reading = Reading.of(rows, dialect)
    if reading.labels is None:
        raise CannotDecide(
            "The header can't be read: it is empty, or has an unterminated or misplaced quote. "
            "Name its row with --header-row, or pass --no-header."
        )
    labels = _named(reading.labels)
    groups = None if options.header_rows else _groups_above(rows, dialect, reading)
    if groups is not None:
        grouped = replace(dialect, header_rows=(groups, *dialect.header_rows))
        names = _named(Reading.of(rows, grouped).labels or [])
        if _are_names(names):
            _say_two_rows(grouped, len(names), findings)
            return grouped, names
    if _are_names(labels):
        return _with_second_row(rows, dialect, reading, options, findings), labels
    if not options.header_rows and len(dialect.header_rows) == 1:
        joined = replace(dialect, header_rows=(*dialect.header_rows, _row_after(rows, dialect)))
        both = Reading.of(rows, joined)
        if _fills_gaps(reading, both) and _are_names(_named(both.labels or [])):
            _say_two_rows(joined, both.width, findings)
            return joined, _named(both.labels or [])
    return _by_position(rows, dialect, reading, findings)


def _say_two_rows(dialect: Dialect, width: int, findings: _Findings) -> None:
    first, second = dialect.header_rows
    findings.statements.append(
        f"header in rows {first} and {second}: together they name all {width} columns"
    )


def _groups_above(rows: Sample, dialect: Dialect, reading: Reading) -> int | None:
    """The row above the header if it names groups of columns, as merged cells in a spreadsheet do.

    It is as wide as the header and has gaps between its names. A row without gaps between names,
    such as `Customer,ACME,,`, belongs to a preamble.
    """
    header = dialect.header_rows[0]
    above = next((row for number, row in rows_of(rows, dialect) if number == header - 1), None)
    if above is None or len(above) != reading.width:
        return None
    named = [bool(cell.strip()) for cell in above]
    has_gap = any(not before and after for before, after in pairwise(named))
    return header - 1 if has_gap and all(map(_is_wordy, filter(str.strip, above))) else None


def _named(labels: Sequence[str]) -> tuple[str, ...]:
    return tuple(labels[:-1] if ends_with_delimiter(labels) else labels)


def _are_names(labels: Sequence[str]) -> bool:
    return bool(labels) and all(map(str.strip, labels)) and len(set(labels)) == len(labels)


def _row_after(rows: Sample, dialect: Dialect) -> int:
    last = dialect.header_rows[-1]
    return next((number for number, _ in rows_of(rows, dialect) if number > last), last + 1)


def _fills_gaps(first: Reading, both: Reading) -> bool:
    """Whether the second header row has names where the first has none, as under merged cells."""
    second = first.sound[0] if first.sound else []
    gaps = [
        cell for label, cell in zip(first.labels or (), second, strict=False) if not label.strip()
    ]
    return bool(gaps and both.labels) and all(map(_is_wordy, filter(str.strip, second)))


def _is_wordy(cell: str) -> bool:
    """Whether a cell has more letters than digits, as names have."""
    letters = sum(map(str.isalpha, cell))
    return letters > 0 and letters >= sum(map(str.isdigit, cell))


def _with_second_row(
    rows: Sample, dialect: Dialect, reading: Reading, options: ReadingOptions, findings: _Findings
) -> Dialect:
    """The dialect without the row after the header if it contains units or labels, not a record."""
    records = reading.sound
    if options.header_rows or len(dialect.header_rows) > 1 or len(records) < 4:
        return dialect
    second, others = records[0], records[1:]
    if reading.records[0] != second or any(
        cell.strip() and not _is_wordy(cell) and any(map(str.isdigit, cell)) for cell in second
    ):
        return dialect
    typed = [place for place in range(reading.width) if _is_typed([row[place] for row in others])]
    if len(typed) < _LEAST_TYPED_COLUMNS or not all(second[place].strip() for place in typed):
        return dialect
    if any(
        second[place].strip().lower() in ("na", "n/a", "null", "none", "nan") for place in typed
    ):
        return dialect
    line = _lines_of_rows(rows, dialect, _row_after(rows, dialect))[-1]
    findings.doubts.append(
        f"row {_row_after(rows, dialect)} looks like labels or units under the header, because "
        f"{len(typed)} columns have numbers or dates below it: it is skipped (commentRows). To "
        "make it a part of the names, pass --header-row for both rows."
    )
    return replace(dialect, comment_rows=(line,))


def _is_typed(cells: Sequence[str]) -> bool:
    """Whether nearly all cells begin with a digit, a sign or a currency: numbers or dates."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    digits = [cell for cell in filled if any(map(str.isdigit, cell)) and not _is_wordy(cell)]
    return bool(filled) and len(digits) >= 0.9 * len(filled)


def _by_position(
    rows: Sample, dialect: Dialect, reading: Reading, findings: _Findings
) -> tuple[Dialect, tuple[str, ...]]:
    """Columns without usable names: they get names, and are known by their position."""
    labels = list(reading.labels or ())
    last = dialect.header_rows[-1]
    second = reading.sound[0] if reading.sound else []
    blank = sum(not label.strip() for label in labels)
    if blank and second and reading.records[0] == second and _fills_gaps(reading, reading):
        last = _row_after(rows, dialect)
        labels = _under_merged_cells(labels, second)
    numbers = [number for number, _ in rows_of(rows, dialect) if number <= last]
    begins = _lines_of_rows(rows, dialect, last)
    lines = tuple(begins[number - 1] for number in numbers)
    names = _unique(labels)
    twice = len(labels) - len({label.strip() for label in labels if label.strip()}) - blank
    problems = [f"{blank} of {len(labels)} names are blank"] if blank else []
    problems += [f"{twice} names occur more than once"] if twice > 0 else []
    findings.doubts.append(
        f"the header does not name every column ({', '.join(problems) or 'names are missing'}): "
        "the fields are known by their position and have names of their own, and the first "
        f"{last} row{'s are' if last > 1 else ' is'} skipped. A file with columns in another order "
        "would not be noticed; ask for a file with a correct header."
    )
    return replace(dialect, header=False, header_rows=(1,), comment_rows=lines), names


def _under_merged_cells(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """Names from two rows, the first of which names a group in its first column only."""
    names, group = [], ""
    for upper, lower in zip(first, second, strict=True):
        group = upper.strip() or group
        names.append(" ".join(part for part in (group, lower.strip()) if part))
    return names


def _unique(labels: Sequence[str]) -> tuple[str, ...]:
    """Names that are not blank and differ: `total`, `total_2`, `field7`."""
    names: dict[str, None] = {}
    # How often a name was tried with a number: thousands of columns can have the same name.
    numbers: Counter[str] = Counter()
    for number, label in enumerate(labels, 1):
        name = wanted = label.strip() or f"field{number}"
        while name in names:
            numbers[wanted] += 1
            name = f"{wanted}_{numbers[wanted] + 1}"
        names[name] = None
    return tuple(names)


def _lines_of_rows(rows: Sample, dialect: Dialect, last: int) -> list[int]:
    """The physical lines on which the rows up to `last` begin; both are counted from 1."""
    grammar = Grammar(dialect)
    lines, start = [1], 0
    while len(lines) < last:
        end = grammar.record_end(rows.text, start, complete=rows.complete)
        end = end if end > 0 else line_end(rows.text, start)
        lines.append(lines[-1] + count_lines(rows.text[start:end]))
        start = end
    return lines


def _layout(
    content: bytes,
    encoding: str,
    dialect: Dialect,
    labels: Sequence[str],
    *,
    whole: bool,
) -> Layout:
    contract = Contract(fields=text_fields(labels), dialect=dialect, encoding=encoding)
    size = len(content) if whole else len(content) + 1
    try:
        return read_layout(content, size=size, name=_ANY_NAME, contract=contract)
    except HeaderMismatch as error:
        raise CannotDecide(
            f"{error} Name its row with --header-row, or pass --no-header."
        ) from None


def _end_of_records(content: bytes, layout: Layout) -> int:
    """Where the last whole record of a cut file ends."""
    codec = layout.codec
    body = content[layout.data_start :]
    body = body[: codec.lines_end(body)]
    spans = layout.grammar.spans(codec.structure(body), complete=False)
    if codec.byte_structured:
        return layout.data_start + spans.size
    return layout.data_start + sum(map(len, codec.split_lines(body)[: spans.lines]))


class _Read(NamedTuple):
    """The sound records' columns, the rejected ones, the number of all, and the last sound one."""

    columns: tuple[ColumnTexts, ...]
    rejects: list[dict[str, Any]]
    records: int
    last: list[str]


def _read_columns(content: bytes, layout: Layout) -> _Read:
    """Read all records of a sample as text."""
    from tabular.batch import BatchReader
    from tabular.reading.blocks import split_blocks
    from tabular.reading.footer import without_footer
    from tabular.reading.records import Records
    from tabular.reading.split import Split
    from tabular.writing.jsonl import WRITER

    reader = BatchReader(layout, WRITER)
    counts: list[Counter[str | None]] = [Counter() for _ in layout.labels]
    others = [0] * len(counts)
    rejects: list[dict[str, Any]] = []
    last: list[str] = []
    row = 1
    split = Split.whole(layout)
    blocks = split_blocks([content[split.start :]], layout, split)
    every = (Records(block, layout) for block in blocks)
    for records in without_footer(every, split.footer_rows):
        batch = reader.read(records, row)
        row += batch.record_count
        for place, values in enumerate(batch.values):
            others[place] += _count(values.texts, counts[place])
        if len(batch.rows):
            last = [values.texts[-1] or "" for values in batch.values]
        for lines in batch.rejects.pieces():
            rejects += map(json.loads, bytes(lines).splitlines())
    columns = tuple(
        ColumnTexts(
            label, Counter({t: n for t, n in count.items() if t is not None}), count[None], more
        )
        for label, count, more in zip(layout.labels, counts, others, strict=True)
    )
    return _Read(columns, rejects, row - 1, last)


def _count(texts: pl.Series, counts: Counter[str | None]) -> int:
    """Count texts in file order; also returns how many were left out because there are too many."""
    found: Iterable[tuple[str | None, int]]
    if len(texts) < _FEW_TEXTS:
        found = Counter(texts.to_list()).items()
    else:
        grouped = texts.alias("text").to_frame().group_by("text", maintain_order=True).len()
        found = grouped.iter_rows()
    left_out = 0
    for text, count in found:
        if len(counts) < _MOST_TEXTS or text in counts or text is None:
            counts[text] += count
        else:
            left_out += count
    return left_out


def read_with(reading: FileReading, contract: Contract) -> Layout:
    """How a contract reads a sample. Raises a TabularError if it can't."""
    size = len(reading.content)
    return read_layout(reading.content, size=size, name=_ANY_NAME, contract=contract)


def faults_of(content: bytes, layout: Layout) -> tuple[list[dict[str, Any]], int]:
    """The rejected records of a sample, as `pipectl check` sees them, and the number of all."""
    from tabular.reading.split import Split
    from tabular.transform import transform

    split = Split.whole(layout)
    rejected = BytesIO()
    part = transform(
        [content[split.start :]],
        layout,
        split,
        file_id="",
        processed_at="",
        processed=None,
        rejected=rejected,
        corrections=None,
    )
    return list(map(json.loads, rejected.getvalue().splitlines())), part.record_count


def _footer_rows(found: _Read, options: ReadingOptions, findings: _Findings) -> int:
    """How many of the last rows the contract should leave out: those that are surely a footer.

    They are if they have another width than the records, and one of them is a total. A total of the
    same width is one if no other record has such a word in its column.
    """
    if options.footer_rows is not None:
        return options.footer_rows
    trailing = list(_trailing(found.rejects, found.records))
    number = len(trailing)
    if number >= MAX_FOOTER_ROWS:
        return 0
    if _ends_with_total(found):
        total = number + 1
        what, rows = (
            ("last record", "row") if total == 1 else (f"last record but {number}", f"{total} rows")
        )
        findings.doubts.append(
            f"the {what} is a total: the contract leaves out the last {rows} of every file "
            f"(footerRows). If it is a record like the others, pass --footer-rows {number}."
        )
        return total
    if not number:
        return 0
    first, last = trailing[0]["line"], trailing[-1]["line"]
    rows = f"row (line {first})" if number == 1 else f"{number} rows (lines {first} to {last})"
    if any(_begins_with_total(reject["raw"]) for reject in trailing):
        findings.statements.append(
            f"the last {rows} {'is' if number == 1 else 'are'} a footer: the contract leaves out "
            "as many rows at the end of every file (footerRows)"
        )
        return number
    question = "is not a record: is it" if number == 1 else "are not records: are they"
    findings.doubts.append(
        f"the last {rows} {question} a footer? If every file has one, pass --footer-rows {number}. "
        "A file that was cut off ends like this, too."
    )
    return 0


def _ends_with_total(found: _Read) -> bool:
    """Whether the last record is a total, as no other one is.

    A cell is the word alone, or begins with it, and the record is the only one that lacks a value.
    """
    lacks_value = any(
        not text and column.empty == 1
        for text, column in zip(found.last, found.columns, strict=False)
    )
    for text, column in zip(found.last, found.columns, strict=False):
        alone = text.strip().rstrip(":").strip().lower() in _TOTAL_WORDS
        others = sum(count for one, count in column.texts.items() if _begins_with_total(one))
        if others == 1 and (alone or (lacks_value and _begins_with_total(text))):
            return True
    return False


def _begins_with_total(text: str) -> bool:
    words = re.findall(r"\w+", text.lower())
    return bool(words) and words[0] in _TOTAL_WORDS


def _trailing(rejects: Sequence[Mapping[str, Any]], records: int) -> Iterator[Mapping[str, Any]]:
    """The rejected records at the end of the file that are no blank rows, in file order."""
    found: list[Mapping[str, Any]] = []
    row = records
    for reject in reversed(rejects):
        if reject["row"] != row:
            break
        row -= 1
        if reject["errors"][0]["code"] != "blank-row":
            found.append(reject)
    yield from reversed(found if row else [])
