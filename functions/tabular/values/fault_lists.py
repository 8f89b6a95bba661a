"""Texts of all faults of many records, put together from pieces, fault by fault.

It is for records of which most have a combination of faults of their own; see
`fault_combinations` for others. What it takes depends on the number of faults, not on the number of
columns that have any.

Example: record 0 has a wrong `a` and a wrong `b`, record 1 a wrong `b`. The pieces are the constant
texts `,A:"`, `,B:"` and `"`, and the values `x`, `y` and `z`. The records' lists of pieces are
`,A:"` `x` `"` `,B:"` `y` `"` and `,B:"` `z` `"`. A list's first piece loses its separator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tabular.values.fault_columns import FaultColumn, Template


class FaultLists:
    """The faults of some records, each with at least one, as lists of pieces of text."""

    def __init__(
        self,
        columns: Sequence[FaultColumn],
        rows: Sequence[pl.Series],
        templates: Sequence[Sequence[Template]],
        texts: Sequence[Mapping[str, pl.Series]],
        separator: str,
    ) -> None:
        """List the faults of the records.

        `rows` (UInt32, ascending) are the records, from 0 on, that the faults of each column are
        of. `templates` are the texts of each column's templates, `texts` (String) what its faults
        have in the gaps.
        """
        pieces = _Pieces(sum(len(own) for some in texts for own in some.values()), separator)
        found = zip(columns, rows, templates, texts, strict=True)
        for column, own_rows, own_templates, own_texts in found:
            pieces.add(column.kinds, own_rows, own_templates, own_texts)
        self._texts = pieces.texts()
        lists = pieces.by_row()
        lengths = lists["piece"].list.len()
        self._ends = lengths.cum_sum()
        starts = self._ends - lengths
        self._pieces = lists.explode("piece")
        firsts = self._pieces["piece"].gather(starts) + pieces.constant_count
        self._pieces = self._pieces.with_columns(self._pieces["piece"].scatter(starts, firsts))

    def joined(self, start: int, length: int) -> pl.Series:
        """The texts (String) of `length` records from the one numbered `start`."""
        first = int(self._ends[start - 1]) if start else 0
        last = int(self._ends[min(start + length, len(self._ends)) - 1])
        pieces = self._pieces.slice(first, last - first)
        found = pieces.select(pl.col("row").set_sorted(), text=self._texts.gather(pieces["piece"]))
        texts = found.group_by("row", maintain_order=True).agg("text")["text"]
        return texts.list.join("")


class _Pieces:
    """The pieces of text of all faults, as numbers in one column of texts.

    The first of these are what the records have in gaps. Then there are the constant texts, and the
    same without separators.
    """

    def __init__(self, own_count: int, separator: str) -> None:
        """`own_count` is how many texts the records have in gaps."""
        self._separator = separator
        self._own: list[pl.Series] = []
        self._own_count = 0
        self._constants: list[str] = []
        self._first_constant = own_count
        self._rows: list[pl.Series] = []
        self._numbers: list[pl.Series] = []

    @property
    def constant_count(self) -> int:
        """How far behind each constant text the same one without separator is."""
        return len(self._constants)

    def add(
        self,
        kinds: pl.Series | None,
        rows: pl.Series,
        templates: Sequence[Template],
        texts: Mapping[str, pl.Series],
    ) -> None:
        """Add the faults of a column."""
        firsts = {}
        for name, own in texts.items():
            firsts[name] = self._own_count
            self._own.append(own)
            self._own_count += len(own)
        for place in range(max(map(len, templates))):
            numbers = [
                None
                if place >= len(template)
                else firsts[template[place]]
                if place % 2
                else self._constant(template[place], is_first=not place)
                for template in templates
            ]
            of_kinds = pl.Series(numbers, dtype=pl.UInt32)
            if kinds is None:
                found = of_kinds.new_from_index(0, len(rows))
            else:
                found = of_kinds.gather(kinds)
            if place % 2:
                found += pl.int_range(len(rows), dtype=pl.UInt32, eager=True)
            there = None if None not in numbers else found.is_not_null()
            self._numbers.append(found if there is None else found.filter(there))
            self._rows.append(rows if there is None else rows.filter(there))

    def _constant(self, text: str, *, is_first: bool) -> int:
        self._constants.append(self._separator + text if is_first else text)
        return self._first_constant + len(self._constants) - 1

    def texts(self) -> pl.Series:
        """The column of texts."""
        without = [text.removeprefix(self._separator) for text in self._constants]
        constants = pl.Series([*self._constants, *without], dtype=pl.String)
        return pl.concat([*self._own, constants]).rechunk()

    def by_row(self) -> pl.DataFrame:
        """The records as `row`, in order, and the list of each one's pieces as `piece`."""
        frame = pl.DataFrame({"row": pl.concat(self._rows), "piece": pl.concat(self._numbers)})
        return frame.group_by("row").agg("piece").sort("row")
