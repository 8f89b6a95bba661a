"""Texts of all faults of many records, composed once for each combination of faults.

The records of a block mostly have one of a few combinations of faults, and what is written of them
differs in their values only. So the constant texts are joined once for each combination, and each
record needs only the number of its combination and its values.

Example: records are short (fault A, without a value), or have a wrong number (fault B), or both.
These are three combinations. Their JSON has the constant texts `A`; `B:"` and `"`; `A,B:"` and `"`.
Each record has the first text of its combination, its value or nothing, and the second text or
nothing.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tabular.values.fault_columns import VALUE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tabular.values.fault_columns import FaultColumn, Template

Combination = tuple[tuple[int, int], ...]
"""The column and the template of each of a record's faults, in order."""

_FEW = 16
"""Numbers of combinations that are never too many."""
_RECORDS_A_COMBINATION = 16
"""Composing a combination's texts takes about as long as joining those of this many records."""
_MOST_CODES = 1 << 63
_TABLE_SIZE = 1 << 16


class Gap(NamedTuple):
    """A text of each record (String) between two constant ones, null for none.

    `is_quoted` says that all of them have quotes around them, which the constants lack.
    """

    texts: pl.Series
    is_quoted: bool


class Composed(NamedTuple):
    """Texts of records: `constants[0]`, `gaps[0]`, `constants[1]` and so on, joined.

    A constant has a text for each combination.
    """

    constants: list[list[str]]
    gaps: list[Gap]


class Combinations:
    """The combinations of faults that some records have.

    `kinds` (UInt32) is the number of each record's combination.
    """

    def __init__(
        self, rows: Sequence[pl.Series], kinds: pl.Series, combinations: Sequence[Combination]
    ) -> None:
        """`rows` (UInt32) are the records that the faults of each column are of."""
        self.kinds = kinds
        self._rows = rows
        self._combinations = combinations

    def composed(
        self,
        templates: Sequence[Sequence[Template]],
        texts: Sequence[Mapping[str, pl.Series]],
        separator: str,
    ) -> Composed:
        """Compose the faults of the records.

        `templates` are the texts of each column's templates, `texts` (String) what its faults have
        in the gaps.
        """
        chained = [
            _chained([(column, templates[column][kind]) for column, kind in combination], separator)
            for combination in self._combinations
        ]
        names = [own for _, own in chained]
        gaps = [self._gap(place, names, texts) for place in range(max(map(len, names)))]
        columns = zip_longest(*(own for own, _ in chained), fillvalue="")
        constants = [list(own) for own in columns]
        for place, gap in enumerate(gaps):
            if gap.is_quoted:
                constants[place] = [text[:-1] for text in constants[place]]
                constants[place + 1] = [text[1:] for text in constants[place + 1]]
        return Composed(constants, gaps)

    def _gap(
        self,
        place: int,
        names: Sequence[Sequence[tuple[int, str]]],
        texts: Sequence[Mapping[str, pl.Series]],
    ) -> Gap:
        """The texts of all records in one gap, which mostly are those of a few columns."""
        sources: dict[tuple[int, str], list[int]] = {}
        for kind, own in enumerate(names):
            if place < len(own):
                sources.setdefault(own[place], []).append(kind)
        everywhere = sum(map(len, sources.values())) == len(names)
        is_quoted = everywhere and all(gap.startswith(VALUE) for _, gap in sources)
        found = [texts[column][gap] for column, gap in sources]
        if everywhere and len(found) == 1:
            return Gap(found[0], is_quoted)
        count, offset = len(self.kinds), 0
        indexes = pl.Series([None], dtype=pl.UInt32).new_from_index(0, count)
        for (column, _), kinds in sources.items():
            rows = self._rows[column]
            numbers = pl.int_range(offset, offset + len(rows), dtype=pl.UInt32, eager=True)
            offset += len(rows)
            if len(kinds) < self._frequency[column]:
                here = self._among(kinds).gather(self.kinds.gather(rows))
                rows, numbers = rows.filter(here), numbers.filter(here)
            indexes = indexes.scatter(rows, numbers)
        return Gap(pl.concat(found).gather(indexes), is_quoted)

    @cached_property
    def _frequency(self) -> Counter[int]:
        """In how many combinations each column is."""
        return Counter(column for found in self._combinations for column, _ in found)

    def _among(self, kinds: Sequence[int]) -> pl.Series:
        """Whether each combination is one of these (Boolean)."""
        no = pl.Series([False]).new_from_index(0, len(self._combinations))
        return no.scatter(kinds, True)


def combined(
    columns: Sequence[FaultColumn], rows: Sequence[pl.Series], count: int
) -> Combinations | None:
    """The combinations of the faults of `count` records, each with at least one fault.

    `rows` (UInt32, ascending) are the records, from 0 on, that the faults of each column are of.
    None if there are too many combinations.
    """
    codes = _Codes(count)
    for number, (column, own) in enumerate(zip(columns, rows, strict=True)):
        codes.add(number, column, own)
        if codes.too_many:
            return None
    codes.join()
    return None if codes.too_many else Combinations(rows, codes.codes, codes.known)


class _Codes:
    """Numbers of the combinations of the columns that have been added.

    A code (UInt64) is a number in `known`, and a digit for each later column: 0 for no fault, or
    its template's number and 1. After `join`, it is a number in `known`.
    """

    def __init__(self, count: int) -> None:
        self.codes = pl.Series([0], dtype=pl.UInt64).new_from_index(0, count)
        self.known: list[Combination] = [()]
        self.too_many = False
        self._most = max(_FEW, count // _RECORDS_A_COMBINATION)
        self._size = 1
        self._later: list[tuple[int, int]] = []
        self._of_all: Combination = ()

    def add(self, number: int, column: FaultColumn, rows: pl.Series) -> None:
        """Add the faults of a column, which are those of `rows`."""
        is_whole = len(rows) == len(self.codes)
        if is_whole and (column.kinds is None or column.kinds.min() == column.kinds.max()):
            self._of_all += ((number, 0 if column.kinds is None else column.kinds[0]),)
            return
        digits = len(column.templates) + 1
        if self._size * digits > _MOST_CODES:
            self.join()
        one = pl.Series([self._size], dtype=pl.UInt64)
        found = one if column.kinds is None else (column.kinds.cast(pl.UInt64) + 1) * one
        if is_whole:
            self.codes += found
        else:
            self.codes = self.codes.scatter(rows, self.codes.gather(rows) + found)
        self._size *= digits
        self._later.append((number, digits))

    def join(self) -> None:
        """Number the combinations that occur."""
        codes = self.codes
        if self._size <= _TABLE_SIZE:
            occurs = pl.Series([False]).new_from_index(0, self._size).scatter(codes, True)
            distinct = occurs.arg_true()
            numbers = pl.int_range(len(distinct), dtype=pl.UInt64, eager=True)
            table = pl.Series([0], dtype=pl.UInt64).new_from_index(0, self._size)
            self.codes = table.scatter(distinct, numbers).gather(codes)
        else:
            distinct = codes.unique()
            numbers = pl.int_range(len(distinct), dtype=pl.UInt64, eager=True)
            self.codes = codes.replace_strict(distinct, numbers)
        self.too_many = len(distinct) > self._most
        if not self.too_many:
            self.known = [self._decoded(code) for code in distinct.to_list()]
            self._size, self._later, self._of_all = len(self.known), [], ()

    def _decoded(self, code: int) -> Combination:
        code, number = divmod(code, len(self.known))
        found = [*self.known[number], *self._of_all]
        for column, digits in self._later:
            code, digit = divmod(code, digits)
            if digit:
                found.append((column, digit - 1))
        return tuple(sorted(found))


def _chained(
    found: Sequence[tuple[int, Template]], separator: str
) -> tuple[list[str], list[tuple[int, str]]]:
    """The texts of one combination, and the column and name of each gap between them."""
    texts: list[str] = [""]
    gaps: list[tuple[int, str]] = []
    for number, (column, template) in enumerate(found):
        texts[-1] += (separator if number else "") + template[0]
        texts += template[2::2]
        gaps += [(column, name) for name in template[1::2]]
    return texts, gaps
