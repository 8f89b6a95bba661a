"""Corrected records, in the places of the rejected ones.

A patch names a record by its row number and says what its cells are now. The record keeps its
number, line, offset and text, so everything that follows (types, constraints, uniqueness, splits)
treats it as if the file had contained these cells.

Example: the record `7,abc` in row 2 is patched with `(None, "12")`. Its cells are `7` and `12`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import orjson
import polars as pl

from tabular.correction_format import APOSTROPHE, FORMULA_STARTS, LOST
from tabular.errors import InvalidCorrections
from tabular.reading.records import Parsed, Records
from tabular.reading.shown_rows import shown_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tabular.reading.layout import Layout


@dataclass(frozen=True)
class Patch:
    """A corrected record, and what it was.

    `row` is its 1-based number among the data records. `before` and `raw` are its cells and its
    text as the CSV of rejected rows showed them when it was first corrected. `after` has a text for
    each cell that is changed, and None for those that stay as they are in the file. `executions`
    are the names of those that corrected it, in order.
    """

    row: int
    before: tuple[str, ...]
    raw: str
    after: tuple[str | None, ...]
    executions: tuple[str, ...] = ()

    def to_line(self) -> bytes:
        """The patch as a line of JSON."""
        document = {
            "row": self.row,
            "before": self.before,
            "raw": self.raw,
            "after": self.after,
            "executions": self.executions,
        }
        return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def from_line(cls, line: bytes) -> Patch:
        """The patch that `to_line` wrote."""
        document = orjson.loads(line)
        return cls(
            document["row"],
            tuple(document["before"]),
            document["raw"],
            tuple(document["after"]),
            tuple(document["executions"]),
        )

    def then(self, later: Patch) -> Patch:
        """Add a later correction of the same record."""
        after = tuple(
            old if new is None else new for old, new in zip(self.after, later.after, strict=True)
        )
        return replace(self, after=after, executions=self.executions + later.executions)


def merge_patches(applied: Iterable[Patch], new: Iterable[Patch]) -> Iterator[Patch]:
    """Earlier patches and new ones, both sorted by row, as one sequence sorted by row."""
    earlier, later = iter(applied), iter(new)
    first, second = next(earlier, None), next(later, None)
    while first is not None or second is not None:
        if second is None or (first is not None and first.row < second.row):
            if first is not None:
                yield first
            first = next(earlier, None)
        elif first is None or second.row < first.row:
            yield second
            second = next(later, None)
        else:
            if len(first.after) != len(second.after):
                raise _other_record(first.row)
            yield first.then(second)
            first, second = next(earlier, None), next(later, None)


class PatchQueue:
    """Gives a split's blocks their patches."""

    def __init__(self, patches: Iterable[Patch], first_row: int) -> None:
        """`patches` are sorted by row, and may be those of the whole file."""
        self._patches = iter(patches)
        self._next = next(self._patches, None)
        while self._next is not None and self._next.row < first_row:
            self._next = next(self._patches, None)

    def apply(self, records: Records, layout: Layout, first_row: int) -> Records:
        """The records of the next block, which begins with `first_row`, with their patches."""
        found = []
        while self._next is not None and self._next.row < first_row + len(records):
            found.append(self._next)
            self._next = next(self._patches, None)
        return PatchedRecords(records, layout, found, first_row) if found else records

    def check_end(self) -> None:
        """Raise InvalidCorrections if patches are left after the file's last record."""
        if self._next is not None:
            raise _other_record(self._next.row)


class PatchedRecords(Records):
    """The records of a block, some of them corrected."""

    def __init__(
        self, original: Records, layout: Layout, patches: Sequence[Patch], first_row: int
    ) -> None:
        """`patches` are those of the block, sorted by row; its first record has `first_row`.

        Raises InvalidCorrections if a patched record is another one than was corrected.
        """
        self.block, self.lines, self.texts = original.block, original.lines, original.texts
        self._layout = layout
        self._original = original
        self._patches = patches
        self.patched = pl.Series([patch.row - first_row for patch in patches], dtype=pl.UInt32)
        self._rows = self.patched
        self._check()

    def _check(self) -> None:
        """Compare the records with what they were when they were corrected."""
        shown = shown_rows(self._original, self._rows)
        for patch, cells, raw in zip(
            self._patches, shown.cells.iter_rows(), shown.raw.to_list(), strict=True
        ):
            if (cells, raw) != (patch.before, patch.raw) or len(patch.after) != len(cells):
                raise _other_record(patch.row)

    @cached_property
    def parsed(self) -> Parsed:
        """The readable records and the corrected ones, with as many cells as the header."""
        indexes, cells, widths = self._with_unreadable(self._original.parsed)
        places = indexes.search_sorted(self._rows)
        changed: dict[int, tuple[list[int], list[str]]] = {}
        for place, patch in zip(places.to_list(), self._patches, strict=True):
            for position, text in enumerate(patch.after):
                if text is not None:
                    found, texts = changed.setdefault(position, ([], []))
                    found.append(place)
                    texts.append(text)
        cells = cells.with_columns(
            cells.to_series(position).clone().scatter(found, pl.Series(texts, dtype=pl.String))
            for position, (found, texts) in changed.items()
        )
        if widths is not None:
            widths = widths.clone().scatter(places, self._layout.width)
            widths = None if (widths == self._layout.width).all() else widths
        return Parsed(indexes, cells, widths)

    def _with_unreadable(self, parsed: Parsed) -> Parsed:
        """The parsed records, with empty cells for those to correct that could not be parsed."""
        unread = self._rows.filter(~self._rows.is_in(parsed.indexes.implode()))
        if not len(unread):
            return parsed
        empty = pl.Series([""]).new_from_index(0, len(unread))
        rows = pl.DataFrame({column.name: empty for column in parsed.cells})
        indexes = pl.concat([parsed.indexes, unread])
        order = indexes.arg_sort()
        widths = parsed.widths
        if widths is not None:
            full = pl.Series([self._layout.width], dtype=pl.UInt32)
            widths = pl.concat([widths, full.new_from_index(0, len(unread))]).gather(order)
        return Parsed(
            indexes.gather(order), pl.concat([parsed.cells, rows])[order].rechunk(), widths
        )

    @cached_property
    def too_long(self) -> pl.Series:
        """As of Records, without the corrected ones."""
        return self._without(self._original.too_long, self._rows)

    @cached_property
    def undecodable(self) -> pl.Series:
        """As of Records, without those whose cells no longer show what was lost."""
        return self._without(self._original.undecodable, self._free_of(LOST))

    @cached_property
    def with_nul(self) -> pl.Series:
        """As of Records, without those whose cells no longer have a NUL, or what is shown of it."""
        return self._without(self._original.with_nul, self._free_of(f"\0{LOST}"))

    @cached_property
    def escapable(self) -> pl.Series | None:
        """None: any cell of a corrected record may contain characters that JSON escapes."""
        return None

    @cached_property
    def formula_starts(self) -> tuple[str, ...]:
        """All of them: any cell of a corrected record may begin like a formula."""
        return (*FORMULA_STARTS, APOSTROPHE)

    def has(self, text: str) -> bool:
        """As of Records: of the block's text, not of the corrected cells."""
        return self._original.has(text)

    @cached_property
    def quoted(self) -> pl.Series | None:
        """As of Records: of the block's text, not of the corrected cells."""
        return self._original.quoted

    def begins(self, indexes: pl.Series) -> pl.Series:
        """As of Records: a corrected record is where it was."""
        return self._original.begins(indexes)

    def places(self, indexes: pl.Series) -> tuple[pl.Series, pl.Series]:
        """As of Records: a corrected record is where it was."""
        return self._original.places(indexes)

    def _free_of(self, characters: str) -> pl.Series:
        """The corrected records none of whose cells contains one of the characters."""
        places = self.parsed.indexes.search_sorted(self._rows)
        found = self.parsed.cells.select(
            pl.any_horizontal(pl.all().gather(places).str.contains(f"[{characters}]"))
        ).to_series()
        return self._rows.filter(~found)

    @staticmethod
    def _without(indexes: pl.Series, others: pl.Series) -> pl.Series:
        return indexes.filter(~indexes.is_in(others.implode())) if len(indexes) else indexes


def _other_record(row: int) -> InvalidCorrections:
    return InvalidCorrections(
        f"Row {row} is not the record that was corrected: the contract now has the file's rows or "
        "columns read in another way. Restore the contract's dialect, encoding and fields, or "
        "discard the corrections and rerun the file."
    )
