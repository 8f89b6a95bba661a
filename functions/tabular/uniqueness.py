"""Records that must differ from each other: `unique`, `primaryKey` and `uniqueKeys`.

What has been seen is kept on disk as a hash table of 16 bytes an entry (96 bits of the key's hash
and the row's number), a fifth of it free; so memory does not grow with the file, apart from pages
that the system may take back. Two different keys with one hash: one chance in 10^14 for a hundred
million rows.
"""

from __future__ import annotations

import mmap
import struct
import tempfile
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tabular.cells import cast
from tabular.contract import Field
from tabular.errors import FileTooLarge
from tabular.faults import Fault, shown
from tabular.values import canonical

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tabular.columns import Values
    from tabular.faults import FaultCode
    from tabular.layout import Layout

_ENTRY_BYTES = 16
_HASH = struct.Struct("<QI")
_FIRST_ENTRIES = 1 << 16
_FILLED = 0.8
_MAX_ROW = 2**32 - 1
_LOW_32 = 0xFFFFFFFF
# Types whose plain texts are equal if and only if the values are.
_PLAIN_TYPES = frozenset({"string", "any", "integer", "boolean", "date", "year", "yearmonth"})
_PLAIN_NUMBER = r"^-?[0-9]+(?:\.[0-9]+)?$"


class _Key(NamedTuple):
    """Fields that are unique together; `columns` are their places among the layout's fields."""

    code: FaultCode
    columns: tuple[int, ...]
    message: str


class Uniqueness:
    """Remembers the keys of all records of a file, and finds those that occur again."""

    def __init__(self, layout: Layout) -> None:
        self._fields = layout.fields
        self._seen = [(key, _Seen()) for key in _keys(layout)]

    def faults(self, values: Sequence[Values], rows: pl.Series) -> dict[int, list[Fault]]:
        """The faults of a batch of records, by their index in it, and remember its keys.

        `values` are the layout's columns, `rows` the records' numbers. A key with a null, or with a
        cell that could not be read, is no key. Batches must come in the file's order.
        """
        found: dict[int, list[Fault]] = {}
        if self._seen and len(rows) and int(rows[-1]) > _MAX_ROW:
            raise FileTooLarge(f"A contract with unique fields can have {_MAX_ROW} rows at most.")
        for key, seen in self._seen:
            texts = [_canonical(self._fields[n], values[n]) for n in key.columns]
            whole = texts[0] if len(texts) == 1 else _together(texts)
            present = whole.is_not_null()
            indexes = present.arg_true()
            hashed = whole.filter(present)
            again = seen.add(hashed, rows.filter(present))
            for place, earlier in again:
                index = int(indexes[place])
                found.setdefault(index, []).append(self._fault(key, values, index, earlier))
        return found

    def _fault(self, key: _Key, values: Sequence[Values], index: int, earlier: int) -> Fault:
        message = f"{key.message}, and row {earlier} has the same"
        if len(key.columns) > 1:
            return Fault(None, key.code, message, None)
        column = key.columns[0]
        text = values[column].texts[index]
        return Fault(self._fields[column].name, key.code, message, shown(str(text)))


def _keys(layout: Layout) -> list[_Key]:
    places = {field.name: place for place, field in enumerate(layout.fields)}
    contract = layout.contract
    primary = contract.primary_key
    keys = [
        _Key("unique-error", (places[field.name],), 'constraint "unique" is true')
        for field in layout.fields
        if field.constraints.unique and primary != (field.name,)
    ]
    named: list[tuple[FaultCode, str, tuple[str, ...]]] = []
    if primary:
        named.append(("primary-key", "primaryKey", primary))
    named += [("unique-error", "uniqueKeys", names) for names in contract.unique_keys]
    for code, what, names in named:
        if all(name in places for name in names):
            message = f"{what} is {', '.join(names)}"
            keys.append(_Key(code, tuple(places[name] for name in names), message))
    return keys


def _canonical(field: Field, values: Values) -> pl.Series:
    """Texts that are equal if and only if the values are; null where there is no value."""
    texts = values.texts
    type_errors = [
        index
        for index, faults in values.faults.items()
        if any(fault.code == "type-error" for fault in faults)
    ]
    if type_errors:
        texts = texts.scatter(type_errors, None)
    if field.type in _PLAIN_TYPES:
        return texts
    if field.type == "number":
        return _canonical_numbers(texts)
    # Lists and points are JSON arrays in their plain texts, the others in their default formats.
    kind = "array" if field.type == "list" else field.type
    form = "array" if field.type == "geopoint" else "default"
    plain = Field(field.name, field.output_name, kind, form)
    distinct = texts.drop_nulls().unique()
    return texts.replace_strict(
        distinct,
        [canonical(cast(plain, text)) for text in distinct],
        default=None,
        return_dtype=pl.String,
    )


def _canonical_numbers(texts: pl.Series) -> pl.Series:
    """Numbers without trailing zeros; those with an exponent as if written without."""
    frame = texts.to_frame("text")
    plain = pl.col("text").str.contains(_PLAIN_NUMBER)
    if not frame.select(plain.all()).item():
        odd = frame.filter(~plain).to_series().unique()
        field = Field("", "", "number")
        written = [_without_exponent(str(cast(field, text))) for text in odd]
        frame = frame.with_columns(pl.col("text").replace(odd, pl.Series(written, dtype=pl.String)))
    text = pl.col("text")
    stripped = (
        pl.when(text.str.contains(".", literal=True))
        .then(text.str.strip_chars_end("0").str.strip_chars_end("."))
        .otherwise(text)
    )
    return frame.select(stripped.replace("-0", "0")).to_series()


def _without_exponent(number: str) -> str:
    value = Decimal(number)
    return format(value, "f") if value.is_finite() else number


def _together(texts: Sequence[pl.Series]) -> pl.Series:
    """Several texts as one that no other ones give; null where any is null."""
    frame = pl.DataFrame({str(n): series for n, series in enumerate(texts)})
    parts = [
        part
        for name in frame.columns
        for part in (pl.col(name).str.len_bytes().cast(pl.String), pl.lit(":"), pl.col(name))
    ]
    return frame.select(pl.concat_str(parts)).to_series()


class _Seen:
    """A set of hashes with the row that each came from, on disk; it grows by further tables."""

    def __init__(self) -> None:
        self._tables = [_Table.of(_FIRST_ENTRIES)]

    def add(self, texts: pl.Series, rows: pl.Series) -> list[tuple[int, int]]:
        """Add texts in order; give (index, row of the first one) of each that was there already."""
        again = []
        for index, (text, row) in enumerate(zip(texts.to_list(), rows.to_list(), strict=True)):
            # A hash made for speed would let a file be made in which other records are duplicates.
            digest = blake2b(text.encode(), digest_size=_HASH.size).digest()
            first, second = _HASH.unpack(digest)
            earlier = self._find_or_add(first or 1, second, row)
            if earlier:
                again.append((index, earlier))
        return again

    def _find_or_add(self, first: int, second: int, row: int) -> int:
        """The row that has the hash, 0 if none had: now this one has."""
        for table in self._tables[:-1]:
            earlier = table.find(first, second)
            if earlier:
                return earlier
        table = self._tables[-1]
        if table.is_full:
            earlier = table.find(first, second)
            if earlier:
                return earlier
            table = _Table.of(table.size * 2)
            self._tables.append(table)
        return table.find_or_add(first, second, row)


@dataclass
class _Table:
    """Open addressing in a file that is gone when it is closed: entries of two 64-bit words."""

    words: memoryview
    size: int
    filled: int = 0

    @classmethod
    def of(cls, size: int) -> _Table:
        """An empty table of so many entries, a power of two."""
        with tempfile.TemporaryFile(prefix="unique-keys-") as file:
            file.truncate(size * _ENTRY_BYTES)
            mapped = mmap.mmap(file.fileno(), size * _ENTRY_BYTES)
        return cls(memoryview(mapped).cast("Q"), size)

    @property
    def is_full(self) -> bool:
        """Whether searching would become slow with more entries."""
        return self.filled >= self.size * _FILLED

    def find(self, first: int, second: int) -> int:
        """The row that has the hash; 0: none."""
        return self._entry(first, second)[1]

    def find_or_add(self, first: int, second: int, row: int) -> int:
        """The row that has the hash; 0: none had, now `row` has."""
        place, earlier = self._entry(first, second)
        if not earlier:
            self.words[place] = first
            self.words[place + 1] = second << 32 | row
            self.filled += 1
        return earlier

    def _entry(self, first: int, second: int) -> tuple[int, int]:
        """Where the hash stands or would stand, and the row there; 0: it is free."""
        words, last = self.words, 2 * self.size - 2
        place = (first & (self.size - 1)) * 2
        while found := words[place]:
            if found == first and words[place + 1] >> 32 == second:
                return place, words[place + 1] & _LOW_32
            place = place + 2 if place < last else 0
        return place, 0
