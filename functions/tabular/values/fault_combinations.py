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

from itertools import accumulate, zip_longest
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


_QUOTE = '"'
_Gap = tuple[int, str]
"""The column of faults and the name of the gap that a text of a record is of."""


class Composed(NamedTuple):
    """Texts of records: `constants[0]`, `gaps[0]`, `constants[1]` and so on, joined.

    A constant has a text for each combination, a gap (String) one for each record, null for none.
    `is_quoted` says that quotes join them, and that no gap has a null.
    """

    constants: list[list[str]]
    gaps: list[pl.Series]
    is_quoted: bool


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
        most = max(len(own) for _, own in chained)
        quoted = [_cut_at_quotes(*one, most) for one in chained]
        is_quoted = None not in quoted
        found = [one for one in quoted if one is not None] if is_quoted else chained
        gaps = [self._gap([own[place:][:1] for _, own in found], texts) for place in range(most)]
        columns = zip_longest(*(constants for constants, _ in found), fillvalue="")
        return Composed([list(own) for own in columns], gaps, is_quoted)

    def _gap(
        self, contents: Sequence[Sequence[_Gap | str]], texts: Sequence[Mapping[str, pl.Series]]
    ) -> pl.Series:
        """The texts of all records in one gap.

        `contents` says what each combination has in it: a record's own text, the same text for all
        of its records, or nothing.
        """
        same = {kind: one for kind, own in enumerate(contents) for one in own if type(one) is str}
        gaps = {kind: one for kind, own in enumerate(contents) for one in own if type(one) is tuple}
        distinct = list(dict.fromkeys(gaps.values()))
        found = [texts[column][name] for column, name in distinct]
        if len(found) == 1 and len(gaps) == len(contents):
            return found[0]
        found.insert(0, pl.Series(list(same.values()), dtype=pl.String))
        starts = dict(zip(distinct, accumulate(map(len, found)), strict=False))
        kinds_of: dict[int, list[int]] = {}
        for kind, (column, _) in gaps.items():
            kinds_of.setdefault(column, []).append(kind)
        firsts = dict(zip(same, range(len(same)), strict=True))
        firsts |= {kind: starts[gap] for kind, gap in gaps.items()}
        indexes = self._looked_up(firsts, otherwise=None)
        for column, kinds in kinds_of.items():
            # The texts of a column follow each other in the order of its records.
            own = self._looked_up(dict.fromkeys(kinds, 1), otherwise=0)
            indexes += own * self._places(column)
        return pl.concat(found, rechunk=True).gather(indexes)

    def _looked_up(self, numbers: Mapping[int, int], *, otherwise: int | None) -> pl.Series:
        """For each record the number (UInt32) of its combination."""
        table = pl.Series([otherwise], dtype=pl.UInt32)
        table = table.new_from_index(0, len(self._combinations))
        return table.scatter(list(numbers), list(numbers.values())).gather(self.kinds)

    def _places(self, column: int) -> pl.Series:
        """The number of each record (UInt32) among those with faults of a column, 0 for others."""
        rows = self._rows[column]
        numbers = pl.int_range(len(rows), dtype=pl.UInt32, eager=True)
        if len(rows) == len(self.kinds):
            return numbers
        nothing = pl.Series([0], dtype=pl.UInt32).new_from_index(0, len(self.kinds))
        return nothing.scatter(rows, numbers)


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
            self.codes = self.codes.scatter(rows, self.codes[rows] + found)
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
            self.codes = table.scatter(distinct, numbers)[codes]
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


def _chained(found: Sequence[tuple[int, Template]], separator: str) -> tuple[list[str], list[_Gap]]:
    """The texts of one combination, and the column and name of each gap between them."""
    texts: list[str] = [""]
    gaps: list[_Gap] = []
    for number, (column, template) in enumerate(found):
        texts[-1] += (separator if number else "") + template[0]
        texts += template[2::2]
        gaps += [(column, name) for name in template[1::2]]
    return texts, gaps


def _cut_at_quotes(
    constants: Sequence[str], gaps: Sequence[_Gap], count: int
) -> tuple[list[str], list[_Gap | str]] | None:
    """The same text with `count` gaps that quotes separate from the constants.

    Constants are cut at quotes of their own for the gaps that are missing, the last ones first.
    None if they have too few quotes, or a gap is not in quotes. For example, `{"a":"`, a gap and
    `","b":1}` become `{"a":`, the gap, `,`, the text `b` in another gap, and `:1}`.
    """
    if not all(name.startswith(VALUE) for _, name in gaps):
        return None
    missing = count - len(gaps)
    texts: list[str] = []
    found: list[_Gap | str] = []
    for number in reversed(range(len(constants))):
        text = constants[number].removeprefix(_QUOTE) if number else constants[number]
        text = text.removesuffix(_QUOTE) if number < len(gaps) else text
        cuts = min(missing, text.count(_QUOTE) // 2)
        pieces = text.rsplit(_QUOTE, 2 * cuts)
        texts[:0], found[:0] = pieces[::2], [*gaps[:number][-1:], *pieces[1::2]]
        missing -= cuts
    return None if missing else (texts, found)
