"""How a file is read: encoding, compression, dialect, header, and which column is which field.

This is decided once, from the file's head and the dataset's contract, so that every split reads in
the same way.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from tabular.contract.jsonable import from_document, to_document
from tabular.contract.reference import reference_contract
from tabular.encoding import BOMS, Encoding, find_encoding
from tabular.errors import (
    EmptyFile,
    FileTooLarge,
    HeaderMismatch,
    UnreadableFile,
    UnsupportedEncoding,
    UnsupportedFormat,
)
from tabular.file_names import DELIMITERS, NO_IGNORED_NAMES, check_name
from tabular.model import Contract, Dialect
from tabular.reading.advice import contract_advice
from tabular.reading.content_head import read_content_head
from tabular.reading.detection import detect_dialect
from tabular.reading.encoding_advice import is_certainly_utf8, suggest_encoding, wide_encoding
from tabular.reading.end_mark import strip_end_marks
from tabular.reading.grammar import Grammar
from tabular.reading.head import NO_CONTENT, HeadReader
from tabular.reading.header import (
    Column,
    check_labels,
    check_line_ends,
    ends_with_delimiter,
    match_columns,
)
from tabular.reading.line_ends import count_lines, line_end
from tabular.reading.other_formats import binary_format, is_binary, refusal, text_format
from tabular.reading.sample import Sample
from tabular.reading.zip_archive import Member

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tabular.file_names import IgnoredNames
    from tabular.model import Field
    from tabular.sink import ReadRange

MAX_COLUMNS = 50_000
"""Three times the maximum of a spreadsheet; each column costs memory in every step."""

_WHITE_SPACE = "".join(char for char in map(chr, range(0x3001)) if char.isspace())

BlankRows = Literal["skip-white", "skip-empty", "reject"]


@dataclass(frozen=True)
class Layout:
    """Everything that is needed to read a file's records.

    `labels` are the header's names (the contract's if the file has no header): a record has as many
    cells. `data_start` is the byte offset, in the decompressed file, of the first data record, and
    `data_line` its 1-based physical line. `size` is the object's size in bytes as stored.
    `blank_rows`: without a contract, rows that contain only white space are skipped; with one, rows
    whose cells are all empty are skipped or rejected, as its dialect says. `likely_encoding` is an
    encoding in which the head is valid, if it is not valid in its own. `trailing_delimiter`: the
    header ends with a delimiter, so records may, too. The empty cell after it belongs to no column,
    and is not in `labels`. `member` has the content if the file is a ZIP archive.
    """

    encoding: str
    bom: bool
    compression: str | None
    dialect: Dialect
    labels: tuple[str, ...]
    contract: Contract
    blank_rows: BlankRows
    data_start: int
    data_line: int
    size: int
    likely_encoding: str | None = None
    trailing_delimiter: bool = False
    member: Member | None = None

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The output's fields, and the positions of their cells in a record."""
        return match_columns(self.labels, self.contract)

    @property
    def header(self) -> tuple[str, ...]:
        """The names in the header."""
        return self.labels

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields of the output, in order."""
        return tuple(column.field for column in self.columns)

    @property
    def has_named_fields(self) -> bool:
        """Whether a contract names the fields; otherwise their names are the header's."""
        return self.blank_rows != "skip-white"

    @property
    def width(self) -> int:
        """How many cells a record has."""
        return len(self.labels)

    def fits(self, cells: Sequence[str]) -> bool:
        """Whether a record of these cells has as many as the header."""
        after = cells[self.width :]
        return len(cells) == self.width or (self.trailing_delimiter and list(after) == [""])

    @cached_property
    def codec(self) -> Encoding:
        """How bytes become text."""
        return Encoding(self.encoding)

    @cached_property
    def grammar(self) -> Grammar:
        """The grammar of records, in the bytes in which their structure is searched."""
        return Grammar(self.dialect, self.codec.structure_name, self._verbatim)

    @cached_property
    def grammar_utf8(self) -> Grammar:
        """The same for records that have been decoded to UTF-8."""
        return Grammar(self.dialect, verbatim=self._verbatim)

    @property
    def _verbatim(self) -> frozenset[str]:
        r"""Missing values that contain the escape character, such as MySQL's null, `\N`."""
        escape = self.dialect.escape_char
        if escape is None:
            return frozenset()
        missing = (text for field in self.fields for text in field.missing_values)
        return frozenset(text for text in missing if escape in text)

    @property
    def blank_characters(self) -> str:
        """The characters of rows that are skipped as blank; other rows may consist of them, too."""
        white = _WHITE_SPACE if self.blank_rows == "skip-white" else ""
        return self.dialect.blank_characters + white

    def skips(self, cells: Sequence[str]) -> bool:
        """Whether a row of these cells is blank, and therefore not a record."""
        if self.blank_rows == "skip-white":
            return not any(map(str.strip, cells))
        return self.blank_rows == "skip-empty" and not any(cells)

    @property
    def has_schema(self) -> bool:
        """Whether the contract says which fields there are; otherwise the header does."""
        return self.blank_rows != "skip-white"

    @property
    def column_numbers(self) -> dict[str, int]:
        """The number of each output field's column in the file, from 1, by output name."""
        return {
            column.field.output_name: column.position + 1
            for column in self.columns
            if column.position is not None
        }

    @property
    def has_uniqueness(self) -> bool:
        """Whether records must be compared with each other, so that splits cannot be used."""
        contract = self.contract
        return bool(
            contract.primary_key
            or contract.unique_keys
            or any(field.constraints.unique for field in self.fields)
        )

    def facts(self) -> dict[str, Any]:
        """How the file was read, for people; JSON-able."""
        return {
            "size": self.size,
            "encoding": self.encoding,
            "byte_order_mark": self.bom,
            "compression": self.compression,
            "dialect": asdict(self.dialect),
            "columns": list(self.labels),
        }

    def to_document(self) -> dict[str, Any]:
        """The layout as JSON-able values, for `from_document`."""
        return to_document(self)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Layout:
        """The layout that `to_document` wrote."""
        return from_document(cls, document)


def read_layout(
    head: bytes,
    *,
    size: int,
    name: str,
    contract: Contract | None,
    read: ReadRange | None = None,
    ignored: IgnoredNames = NO_IGNORED_NAMES,
) -> Layout:
    """Decide how a file is read.

    `head` are its first bytes (a megabyte is plenty; all of a small file), `size` is its whole
    size in bytes, `name` its name, `contract` the dataset's, None if it has none. `read` and
    `ignored` are as for `read_content_head`.
    Raises EmptyFile, UnsupportedFormat, UnreadableFile, UnsupportedEncoding, FileTooLarge or
    HeaderMismatch.
    """
    check_name(name)
    if not head:
        raise EmptyFile(f"The file {name} is empty. Upload it again with a header and records.")
    opened = read_content_head(head, size=size, name=name, read=read, ignored=ignored)
    content, complete = opened.content, opened.complete
    _check_format(binary_format(content))
    encoding, bom = _find_encoding(content, contract)
    body = content[bom:]
    if complete:
        body = strip_end_marks(body, encoding)
    cut = len(body) if complete else encoding.lines_end(body)
    text = encoding.structure(body[:cut])
    if complete and not text.strip(b"\r\n"):
        raise EmptyFile(NO_CONTENT)
    if contract is None or contract.dialect is None or contract.dialect.header:
        _check_format(text_format(text, complete=complete))
    if not cut:
        raise UnreadableFile(
            f"There is no line end in the first {len(body)} bytes: the file is not a CSV, "
            "or it is in another encoding than " + encoding.name + "."
        )
    likely = None
    if not bom:  # which nothing in a contract outweighs
        _check_not_utf8(body[:cut], encoding)
        likely = _likely_encoding(body[:cut], encoding)
    preferred = DELIMITERS.get(opened.suffix or "")
    dialect = _decide_dialect(text, encoding, contract, complete=complete, preferred=preferred)
    # The contract, if it says which fields there are.
    named = contract if contract is not None and contract.fields else None
    reader = HeadReader(text, Grammar(dialect, encoding.structure_name), complete=complete)
    try:
        # Header rows that somebody numbered are counted over all rows, blank ones too.
        skip_blank = named is None and dialect.header_rows == Dialect.header_rows
        labels = _read_labels(reader, dialect, named, skip_blank=skip_blank)
        trailing = dialect.header and ends_with_delimiter(labels)
        if trailing:
            labels.pop()
        _check_text(labels, encoding, likely)
        check_labels(labels)
        _check_columns(len(labels))
        effective = named or _by_reference(labels, contract)
        match_columns(labels, effective)  # raises now, not in the middle of the file
    except HeaderMismatch as error:
        if named is None:
            raise
        utf8 = encoding.to_utf8(text)[0] if encoding.byte_structured else text
        sample = Sample.of(utf8, complete=complete)
        advice = contract_advice(sample, named, dialect)
        raise HeaderMismatch(f"{error}{advice}", header=error.header, **error.details) from None
    lines = count_lines(text[: reader.position])
    start = bom + _original_size(body, encoding, lines, reader.position)
    return Layout(
        encoding=encoding.name,
        bom=bom > 0,
        compression=opened.compression,
        dialect=dialect,
        labels=tuple(labels),
        contract=effective,
        blank_rows=_blank_rows(named, dialect),
        data_start=start,
        data_line=lines + 1,
        size=size,
        likely_encoding=likely,
        trailing_delimiter=trailing,
        member=opened.member,
    )


def _by_reference(labels: list[str], settings: Contract | None) -> Contract:
    """The rules for a file of this header without a schema, with the contract's settings if any."""
    check_line_ends(labels)
    if settings is None:
        return reference_contract(labels)
    return replace(settings, fields=reference_contract(labels, settings.output_names).fields)


def _check_format(what: str | None) -> None:
    """Raise UnsupportedFormat if the file is not the text of a table."""
    if what is not None:
        raise UnsupportedFormat(refusal(what))


def _find_encoding(content: bytes, contract: Contract | None) -> tuple[Encoding, int]:
    """The encoding, and the length of the byte order mark, which overrides the contract."""
    for mark, name in BOMS:
        if content.startswith(mark):
            return Encoding(name), len(mark)
    named = contract.encoding if contract else None
    encoding = find_encoding(named or "utf-8")
    first_line = content[: line_end(content, 0)]
    nulls = first_line.count(0)
    has_header = contract is None or contract.dialect is None or contract.dialect.header
    # In a line of data, a few NULs are a fault of its row alone.
    if encoding.unit == 1 and nulls > (0 if has_header else len(first_line) // 4):
        wide = wide_encoding(content)
        if wide is None:
            _check_format(f"binary data: its first line has {nulls} NULs")
        raise UnsupportedEncoding(
            f"The file is in {wide}, without a byte order mark. Put "
            f'"encoding": "{wide}" into the dataset\'s contract, or export the file as UTF-8.'
        )
    if encoding.unit == 1 and is_binary(content):
        _check_format("binary data")
    return encoding, 0


def _check_not_utf8(text: bytes, encoding: Encoding) -> None:
    """Raise UnsupportedEncoding if the contract's encoding would misread text that is UTF-8."""
    if encoding.unit == 1 and encoding.name != "utf-8" and is_certainly_utf8(text, encoding):
        raise UnsupportedEncoding(
            f"The file is UTF-8, and the contract says {encoding.name}: every character beyond "
            'ASCII would become two or three others. Put "encoding": "utf-8" into the '
            f"contract, or ask for the file in {encoding.name}."
        )


def _likely_encoding(text: bytes, encoding: Encoding) -> str | None:
    """Another encoding in which the head is valid, if it is not valid in its own."""
    _, undecodable = encoding.to_utf8(text)
    return suggest_encoding(text, encoding.name) if undecodable else None


def _decide_dialect(
    text: bytes,
    encoding: Encoding,
    contract: Contract | None,
    *,
    complete: bool,
    preferred: str | None,
) -> Dialect:
    if contract is not None and contract.dialect is not None:
        dialect = contract.dialect
        if dialect.escape_char is not None and dialect.escape_char == dialect.quote_char:
            # A quote that is its own escape character means doubled quotes.
            return replace(dialect, escape_char=None, double_quote=True)
        return dialect
    if encoding.byte_structured and encoding.name != "utf-8":
        text = encoding.to_utf8(text)[0]
    known = contract.labels if contract else ()
    return detect_dialect(text, complete=complete, known=known, preferred=preferred)


def _blank_rows(contract: Contract | None, dialect: Dialect) -> BlankRows:
    if contract is None:
        return "skip-white"
    return "skip-empty" if dialect.skip_blank_rows else "reject"


def _read_labels(
    reader: HeadReader, dialect: Dialect, contract: Contract | None, *, skip_blank: bool
) -> list[str]:
    """The header's names; the contract's if there is no header."""
    if dialect.header:
        return reader.labels(skip_blank=skip_blank)
    return [field.name for field in contract.fields] if contract else []


def _check_text(labels: list[str], encoding: Encoding, likely: str | None) -> None:
    """Raise UnsupportedEncoding if the header could not be decoded."""
    example = f', for example "encoding": "{likely}"' if likely else ""
    for number, label in enumerate(labels, 1):
        if "\ufffd" in label:
            raise UnsupportedEncoding(
                f"The name of column {number} is not valid {encoding.name}. If the whole file is "
                f"in another encoding, name it in the dataset's contract{example}."
            )


def _check_columns(count: int) -> None:
    if count > MAX_COLUMNS:
        raise FileTooLarge(
            f"The header has {count:,} columns, and the limit is {MAX_COLUMNS:,}. Upload the "
            "columns as rows, or in several files.",
            columns=count,
            limit_columns=MAX_COLUMNS,
        )


def _original_size(body: bytes, encoding: Encoding, lines: int, text_size: int) -> int:
    """The size in the file of its first `lines` lines, which have `text_size` bytes of text."""
    if encoding.byte_structured:
        return text_size
    return sum(map(len, encoding.split_lines(body)[:lines]))
