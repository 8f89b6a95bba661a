"""Reads a field's cells, a whole column at a time.

`cells` is the reference. The fast path of this module accepts only texts that are certainly valid
and whose value's text is the text itself; every other distinct text takes the slow path: `cells`
reads it, once. So both paths give the same result, which tests compare.
"""

from __future__ import annotations

import dataclasses
from functools import cached_property, reduce
from json import loads
from operator import or_
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from tabular.values import fast_valid
from tabular.values.cells import Cell, reader
from tabular.values.fast_faulty import REQUIRED, Classes
from tabular.values.fast_numerals import NUMERAL_TYPES, Numerals
from tabular.values.fault_columns import FaultColumn, shown_texts
from tabular.values.json_texts import ESCAPED
from tabular.values.patterns import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tabular.faults import Fault
    from tabular.model import Field

QUOTED_TYPES = frozenset({"string", "any", "date", "datetime", "time", "yearmonth", "duration"})
"""Their values are strings in JSON; those of the other types are written without quotes."""

_CACHED_TEXTS = 20_000
_CACHED_CHARACTERS = 200  # longer texts are rarely repeated
_READ_AT_ONCE = 16_384  # distinct texts, of which each takes half a kilobyte while it is read
# A column of few distinct texts: they are counted, and read instead of the cells. If half of the
# first cells are different, that is unlikely; if more than one in eight of a block are, it is
# impossible.
_FIRST_CELLS = 4096
_MOST_OF_FIRST = 0.5
_MOST_OF_BLOCK = 0.125


class Values(NamedTuple):
    """A column that has been read.

    `texts` (String) are the values' plain texts, null for missing ones; where a cell is faulty,
    anything. `json` are the JSON texts, or None where these are the plain texts, escaped and in
    quotes for QUOTED_TYPES and bare for others. `faults` are those of the faulty cells.
    `escape_free` says that no text contains characters that JSON escapes. `counts` says how
    often each of `texts` occurs, if they have been counted.
    """

    texts: pl.Series
    json: pl.Series | None
    faults: FaultColumn | None
    escape_free: bool = False
    counts: dict[str | None, int] | None = None

    def filter(self, keep: pl.Series) -> Values:
        """Without the rows for which `keep` (Boolean) is false, and without faults."""
        counts = self.counts
        if not keep.any():
            counts = None if counts is None else {}
        elif counts is not None:
            counts = counts.copy()
            gone = self.texts.filter(~keep).alias("text").value_counts()
            for text, times in zip(gone["text"].to_list(), gone["count"].to_list(), strict=True):
                counts[text] -= times
                if not counts[text]:
                    del counts[text]
        json = None if self.json is None else self.json.filter(keep)
        return Values(self.texts.filter(keep), json, None, self.escape_free, counts)


@dataclasses.dataclass
class ColumnReader:
    """Reads the cells of one field, block by block; remembers the readings of repeated texts."""

    field: Field
    neutralise_formulas: bool = False
    _known: dict[str, Cell] = dataclasses.field(default_factory=dict)
    _many: bool = False

    @cached_property
    def read_text(self) -> Any:
        """The exact reader of one text."""
        return reader(self.field, neutralise_formulas=self.neutralise_formulas)

    def read(self, texts: pl.Series) -> Values:
        """Read a String column without nulls."""
        if self.field.trim:
            texts = texts.str.strip_chars()
        counts = self._counted(texts)
        if counts is not None:
            return self._read_counted(texts, counts)
        plain, slow = self._by_path(texts)
        if slow is None:
            return Values(plain, None, None, self._fast_is_escape_free)
        indexes = slow.arg_true()
        some = texts.gather(indexes)
        rewritten = None if self._numerals is None else self._numerals.rewritten(some)
        if rewritten is None:
            return self._read_slow(plain, some, indexes)
        others = rewritten.is_null()
        if others.any():
            plain = plain.scatter(indexes.filter(~others), rewritten.drop_nulls())
            return self._read_slow(plain, some.filter(others), indexes.filter(others))
        is_whole = len(indexes) == len(texts)
        plain = rewritten if is_whole else plain.scatter(indexes, rewritten)
        return Values(plain, None, None, self._fast_is_escape_free)

    @cached_property
    def _numerals(self) -> Numerals | None:
        """What rewrites numbers of another notation, if the field has numbers."""
        return Numerals(self.field) if self.field.type in NUMERAL_TYPES else None

    def _by_path(self, texts: pl.Series) -> tuple[pl.Series, pl.Series | None]:
        """The texts, null for missing values, and which take the slow path; None if none does."""
        null = self._null(texts)
        fast = self._fast(texts)
        if fast is not None and null is not None:
            fast |= null
        plain = texts if null is None else texts.set(null, None)
        return plain, None if fast is None or fast.all() else ~fast

    def _counted(self, texts: pl.Series) -> pl.DataFrame | None:
        """The distinct `text`s and the `count` of each; None if there are many."""
        if self._many or not len(texts):
            return None
        first = texts.head(_FIRST_CELLS)
        if first.n_unique() <= len(first) * _MOST_OF_FIRST:
            counted = texts.alias("text").value_counts()
            if counted.height <= len(texts) * _MOST_OF_BLOCK:
                return counted
        self._many = True
        return None

    def _read_counted(self, texts: pl.Series, counted: pl.DataFrame) -> Values:
        """Read the distinct texts, then only the cells that differ from their value's text."""
        distinct = counted["text"]
        values, slow = self._by_path(distinct)
        nulls = distinct.filter(values.is_null()).to_list()
        plain = texts.set(_among(texts, nulls), None) if nulls else texts
        readings: dict[str, Cell] = {}
        if slow is not None:
            readings = self._readings(distinct.filter(slow).to_list())
        others = [text for text, cell in readings.items() if not self._is_itself(text, cell)]
        indexes = _among(texts, others).arg_true() if others else pl.Series(dtype=pl.UInt32)
        read = self._with_readings(plain, readings, texts[indexes], indexes)
        counts: dict[str | None, int]
        counts = dict(zip(distinct.to_list(), counted["count"].to_list(), strict=True))
        moved: list[tuple[str | None, int]] = [(None, counts.pop(text)) for text in nulls]
        moved += [(_plain_text(readings[text]), counts.pop(text)) for text in others]
        for value, count in moved:
            counts[value] = counts.get(value, 0) + count
        return read._replace(counts=counts)

    def _is_itself(self, text: str, cell: Cell) -> bool:
        """Whether a text is valid, and its value's text is the text itself."""
        return not cell.faults and _plain_text(cell) == text and not self._is_non_finite(cell)

    def _is_non_finite(self, cell: Cell) -> bool:
        """Whether the value is NaN or infinite: a string in JSON, among numbers."""
        return self.field.type not in QUOTED_TYPES and cell.json.startswith('"')

    @cached_property
    def _fast_is_escape_free(self) -> bool:
        return fast_valid.is_escape_free(self.field)

    @cached_property
    def _is_known(self) -> bool:
        return fast_valid.is_known(self.field)

    @cached_property
    def _rules(self) -> list[pl.Expr] | None:
        return fast_valid.conditions(self.field, neutralise_formulas=self.neutralise_formulas)

    def _null(self, texts: pl.Series) -> pl.Series | None:
        """Which texts are null (Boolean); None if none is, or if the slow path has to decide."""
        missing = self.field.missing_values
        if not missing or self.field.constraints.required or not self._is_known:
            return None
        null = texts == missing[0] if len(missing) == 1 else texts.is_in(list(missing))
        return null if null.any() else None

    def _fast(self, texts: pl.Series) -> pl.Series | None:
        """Which texts are certainly valid and equal their value's plain text; None: all."""
        rules = self._rules
        if rules is None:
            return pl.Series([False]).new_from_index(0, len(texts))
        if not rules:
            return None
        frame = texts.to_frame("text")
        return frame.select(pl.all_horizontal(rules)).to_series()

    def _read_slow(self, plain: pl.Series, some: pl.Series, indexes: pl.Series) -> Values:
        """Read the texts `some`, which are at `indexes`, and put them into the column."""
        classes = None if self._classes is None else self._classes.of(some)
        if classes is None:
            return self._read_distinct(plain, some, indexes)
        if not classes.null_count() and classes.min() == classes.max():
            number, kind = self._template(some, classes, classes[0])
            if kind:
                if number == REQUIRED:
                    plain = plain.scatter(indexes, None)
                faults = FaultColumn(indexes, [kind], None, shown_texts(some), verbatim=True)
                return Values(plain, None, faults, self._fast_is_escape_free)
        templates = [self._template(some, classes, number) for number in classes.unique().to_list()]
        known = {number: kind for number, kind in templates if kind}
        others = ~classes.is_in(list(known)).fill_null(value=False)
        kinds = classes.replace_strict(
            list(known), range(len(known)), default=None, return_dtype=pl.UInt32
        )
        faulty = ~others
        column = FaultColumn(
            indexes.filter(faulty),
            list(known.values()),
            kinds.filter(faulty),
            shown_texts(some.filter(faulty)),
            verbatim=True,
        )
        # Missing values are null, even if the field is required.
        if REQUIRED in known:
            plain = plain.scatter(
                indexes.filter((classes == REQUIRED).fill_null(value=False)), None
            )
        read = self._read_distinct(plain, some.filter(others), indexes.filter(others))
        return read._replace(faults=column if read.faults is None else column.merged(read.faults))

    def _template(
        self, some: pl.Series, classes: pl.Series, number: int | None
    ) -> tuple[int | None, tuple[Fault, ...]]:
        """A class and the faults of its texts, without values; no faults if the texts are valid."""
        if number is None:
            return None, ()
        first = some[(classes == number).arg_true()[0]]
        return number, tuple(f._replace(value=None) for f in self._read_cached(first).faults)

    @cached_property
    def _classes(self) -> Classes | None:
        """The classes of texts that are certainly faulty; None if this field has none."""
        if not self._is_known:
            return None
        return Classes(self.field, fast_valid.of_type(self.field))

    def _read_distinct(self, plain: pl.Series, some: pl.Series, indexes: pl.Series) -> Values:
        """Read each of the texts once, a bounded number at a time."""
        distinct = some.unique()
        if len(distinct) <= _READ_AT_ONCE:
            readings = self._readings(distinct.to_list())
            return self._with_readings(plain, readings, some, indexes)
        read = Values(plain, None, None, self._fast_is_escape_free)
        for start in range(0, len(distinct), _READ_AT_ONCE):
            part = distinct.slice(start, _READ_AT_ONCE)
            where = some.is_in(part.implode())
            readings = self._readings(part.to_list())
            more = self._with_readings(
                read.texts, readings, some.filter(where), indexes.filter(where)
            )
            read = _joined(read, more, indexes.filter(where))
        return read

    def _with_readings(
        self, plain: pl.Series, readings: dict[str, Cell], some: pl.Series, indexes: pl.Series
    ) -> Values:
        """Put the values of the texts `some`, which are at `indexes`, into the column."""
        changed = {
            text: value for text, cell in readings.items() if (value := _plain_text(cell)) != text
        }
        if changed:
            values = some.replace(list(changed), pl.Series(list(changed.values()), dtype=pl.String))
            plain = plain.scatter(indexes, values)
        faults = self._faults_of(readings, some, indexes)
        escape_free = self._fast_is_escape_free and not any(
            ESCAPED.search(cell.json[1:-1]) for cell in readings.values()
        )
        non_finite = {
            text: cell.json for text, cell in readings.items() if self._is_non_finite(cell)
        }
        if not non_finite:
            return Values(plain, None, faults, escape_free)
        json = plain.fill_null("null")
        where = some.is_in(list(non_finite))
        jsons = some.filter(where).replace_strict(list(non_finite), list(non_finite.values()))
        return Values(plain, json.scatter(indexes.filter(where), jsons), faults)

    def _faults_of(
        self, readings: dict[str, Cell], some: pl.Series, indexes: pl.Series
    ) -> FaultColumn | None:
        faulty = [text for text, cell in readings.items() if cell.faults]
        if not faulty:
            return None
        if len(faulty) == 1:  # as in most columns of damaged files
            return FaultColumn(indexes.filter(some == faulty[0]), [readings[faulty[0]].faults])
        kinds: dict[tuple[Any, ...], int] = {}
        templates: list[tuple[Fault, ...]] = []
        of_texts = []
        for text in faulty:
            faults = readings[text].faults
            key = tuple([fault[:-1] for fault in faults])
            kind = kinds.setdefault(key, len(templates))
            if kind == len(templates):
                templates.append(tuple(fault._replace(value=None) for fault in faults))
            of_texts.append(kind)
        values = pl.Series([readings[text].faults[0].value for text in faulty], dtype=pl.String)
        where = some.is_in(faulty)
        texts = some.filter(where)
        found = texts.replace_strict(faulty, of_texts, return_dtype=pl.UInt32)
        shown = texts.replace_strict(faulty, values, return_dtype=pl.String)
        return FaultColumn(indexes.filter(where), templates, found, shown, verbatim=True)

    def _readings(self, texts: list[str]) -> dict[str, Cell]:
        """Read distinct texts one by one; only their pattern is matched for all of them at once."""
        pattern = self.field.constraints.pattern
        if pattern is not None:
            compile_pattern(pattern).look_at(text for text in texts if text not in self._known)
        return {text: self._read_cached(text) for text in texts}

    def _read_cached(self, text: str) -> Cell:
        cell = self._known.get(text)
        if cell is None:
            cell = self.read_text(text)
            if len(text) <= _CACHED_CHARACTERS:
                if len(self._known) >= _CACHED_TEXTS:
                    self._known.clear()
                self._known[text] = cell
        return cell


def _joined(read: Values, more: Values, places: pl.Series) -> Values:
    """`read`, with `more` of which the texts at `places` are newer."""
    json = read.json
    if more.json is not None or json is not None:
        newer = more.texts.fill_null("null") if more.json is None else more.json
        older = read.texts.fill_null("null") if json is None else json
        json = older.scatter(places, newer.gather(places))
    faults = read.faults
    if more.faults is not None:
        faults = more.faults if faults is None else faults.merged(more.faults)
    return Values(more.texts, json, faults, read.escape_free and more.escape_free)


_FEW = 4


def _among(texts: pl.Series, some: Sequence[str]) -> pl.Series:
    """Which texts are in a list (Boolean). A few comparisons are faster than a search."""
    if len(some) > _FEW:
        return texts.is_in(some)
    return reduce(or_, (texts == text for text in some))


def _plain_text(cell: Cell) -> str | None:
    """The text of a value in statistics and, escaped, in JSON."""
    if cell.json == "null":
        return None
    if cell.json.startswith('"'):
        return str(loads(cell.json)) if "\\" in cell.json else cell.json[1:-1]
    return cell.json
