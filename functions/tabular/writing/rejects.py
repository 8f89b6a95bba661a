"""The quarantine: every rejected record with its place, its faults and its text."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from tabular.faults import Fault, shown
from tabular.reading.grammar import MAX_RECORD_BYTES, Grammar
from tabular.values.cells import reader

if TYPE_CHECKING:
    from tabular.reading.layout import Layout


class Reject(NamedTuple):
    """A record that is not among the processed ones.

    `row` is its 1-based number among the data records, `line` the 1-based physical line on which it
    starts, `byte_offset` where it starts in the decompressed file, `raw` its decoded text without
    the line end.
    """

    row: int
    line: int
    byte_offset: int
    errors: tuple[Fault, ...]
    raw: str

    def to_document(self) -> dict[str, Any]:
        """JSON-able: row, line, byte_offset, errors, raw."""
        return {
            "row": self.row,
            "line": self.line,
            "byte_offset": self.byte_offset,
            "errors": [fault.to_document() for fault in self.errors],
            "raw": self.raw,
        }

    def to_line(self) -> bytes:
        """The reject as one line of JSON Lines."""
        return orjson.dumps(self.to_document(), option=orjson.OPT_APPEND_NEWLINE)


class FaultFinder:
    """Says everything that is wrong with a record that is not sound, or not of the right width."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        contract = layout.contract
        self._readers = [
            (
                column,
                reader(column.field, neutralise_formulas=contract.neutralise_formulas),
            )
            for column in layout.columns
        ]

    def faults(self, text: str, *, undecodable: bool) -> tuple[Fault, ...]:
        """The faults of a record's text; `undecodable` tells that U+FFFD stands for lost bytes."""
        size = len(text.encode())
        if size > MAX_RECORD_BYTES:
            message = f"a record may have {MAX_RECORD_BYTES} bytes, and this one has {size}"
            return (Fault(None, "source-error", message, None),)
        own: list[Fault] = []
        if undecodable:
            own.append(self._encoding_fault())
        if "\0" in text:
            own.append(Fault(None, "source-error", "the record holds a NUL character", None))
        cells = self._layout.grammar_utf8.cells(text.encode())
        if cells is None:
            own.append(Fault(None, "source-error", self._quote_message(text), None))
            return tuple(own)
        if self._is_blank(cells):
            return (*own, Fault(None, "blank-row", "the row has no content", None))
        return (
            *own,
            *self._cell_faults(cells, undecodable=undecodable),
            *self._width_faults(cells),
        )

    def _is_blank(self, cells: list[str]) -> bool:
        """Whether no field has a value, nor a cell that is not one, and nothing is extra."""
        if self._layout.blank_rows == "skip-white" or any(cells[self._layout.width :]):
            return False
        for column, read in self._readers:
            if column.position is not None and column.position < len(cells):
                cell = read(cells[column.position])
                if cell.json != "null" or any(f.code == "type-error" for f in cell.faults):
                    return False
        return True

    def _cell_faults(self, cells: list[str], *, undecodable: bool) -> list[Fault]:
        faults: list[Fault] = []
        for column, read in self._readers:
            if column.position is None or column.position >= len(cells):
                continue
            cell = cells[column.position]
            # What stands for lost bytes or is a NUL says nothing about the type.
            if (undecodable and "\ufffd" in cell) or "\0" in cell:
                continue
            faults += read(cell).faults
        return faults

    def _width_faults(self, cells: list[str]) -> list[Fault]:
        labels = self._layout.labels
        extra = [
            Fault(
                None,
                "extra-cell",
                f"the row has {len(cells)} cells, the header {len(labels)}: cell {number} is extra",
                shown(cell),
            )
            for number, cell in enumerate(cells[len(labels) :], len(labels) + 1)
        ]
        missing = [
            Fault(
                label,
                "missing-cell",
                f"the row has {len(cells)} of {len(labels)} cells",
                None,
            )
            for label in labels[len(cells) :]
        ]
        return extra + missing

    def _encoding_fault(self) -> Fault:
        encoding = self._layout.encoding
        message = f"the row has bytes that are not valid {encoding}"
        if not self._layout.bom:  # which nothing in the contract outweighs
            message += "; if the whole file is in another encoding, name it in the contract"
            if self._layout.likely_encoding:
                message += f', such as "encoding": "{self._layout.likely_encoding}"'
        return Fault(None, "encoding-error", message, None)

    def _quote_message(self, text: str) -> str:
        """What is wrong with the quotes, and the setting that makes the row right, if one does."""
        message = "unterminated or misplaced quote"
        dialect = self._layout.dialect
        spaced = Grammar(replace(dialect, skip_initial_space=True)).cells(text.encode())
        if spaced is not None and len(spaced) == self._layout.width:
            message += '; with "skipInitialSpace": true in the dialect the row can be read'
        return message


def csv_head(layout: Layout) -> bytes:
    """What the CSV of rejects begins with: the file's own bytes up to its first data record."""
    head = layout.head
    return (
        head if _is_terminated(head, layout) or not layout.dialect.header else _ended(head, layout)
    )


def csv_row(original: bytes, layout: Layout) -> bytes:
    """A record's own bytes, with a line end."""
    return original if _is_terminated(original, layout) else _ended(original, layout)


def _is_terminated(line: bytes, layout: Layout) -> bool:
    return line.endswith(("\n".encode(layout.encoding), "\r".encode(layout.encoding)))


def _ended(line: bytes, layout: Layout) -> bytes:
    return line + layout.line_end.encode(layout.encoding)
