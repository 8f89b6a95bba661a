"""Reads the rows before the data: finds the header's names and the start of the first record."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from tabular.errors import EmptyFile, HeaderMismatch
from tabular.reading.grammar import Grammar, NoRecordEnd
from tabular.reading.line_ends import count_lines, line_end, strip_line_end

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_CONTENT = "The file has no content but blank lines: there is no header."


class HeadReader:
    """Reads the rows before the data."""

    def __init__(self, text: bytes, grammar: Grammar, *, complete: bool) -> None:
        self.position = 0
        self._text = text
        self._grammar = grammar
        self._complete = complete

    def labels(self, *, skip_blank: bool) -> list[str]:
        """The header's names, and `position` after it.

        Header rows are counted from 1 over all rows of the file, comment rows by the line on which
        they begin, as among the data. If a header row is a comment, the header is the next row that
        is not one. Without a contract, blank rows before the header do not count.
        """
        dialect = self._grammar.dialect
        wanted = sorted(dialect.header_rows)
        rows: list[list[str]] = []
        number = 0
        for line, record in self._records():
            number += 1
            if skip_blank and self._is_blank(record):
                number -= 1
                continue
            if number < wanted[len(rows)] or self._is_comment(record, line):
                continue
            rows.append(self._cells(record, number))
            if len(rows) == len(wanted):
                return _joined(rows, dialect.header_join)
        if not number:
            raise EmptyFile(NO_CONTENT)
        where = "the file" if self._complete else f"its first {len(self._text)} bytes"
        raise HeaderMismatch(
            f"The header should be row {wanted[-1]}, and there are {number} rows in {where}."
        )

    def _records(self) -> Iterator[tuple[int, bytes]]:
        """The records, each with the number of its first line."""
        line = 1
        while self.position < len(self._text):
            start = self.position
            end = self._grammar.record_end(self._text, start, complete=self._complete)
            if end in (NoRecordEnd.MALFORMED, NoRecordEnd.INCOMPLETE):
                end = line_end(self._text, start)
            self.position = end
            yield line, strip_line_end(self._text[start:end])
            line += count_lines(self._text[start:end])

    def _is_blank(self, record: bytes) -> bool:
        """Whether the cells of a row contain only white space."""
        if not record.strip():
            return True
        cells = self._grammar.cells(record)
        return cells is not None and not any(map(str.strip, cells))

    def _is_comment(self, record: bytes, line: int) -> bool:
        dialect = self._grammar.dialect
        mark = dialect.comment_char
        if mark and record.startswith(mark.encode(self._grammar.encoding)):
            return True
        return line in dialect.comment_rows

    def _cells(self, record: bytes, number: int) -> list[str]:
        cells = self._grammar.cells(record)
        if cells is None:
            raise HeaderMismatch(
                f"The header in row {number} has an unterminated or misplaced quote. "
                "Correct it, or name the quote character in the dataset's contract."
            )
        return cells


def _joined(rows: list[list[str]], join: str) -> list[str]:
    """Join the names of several header rows, column by column."""
    columns = itertools.zip_longest(*rows, fillvalue="")
    return [join.join(part for part in column if part) for column in columns]
