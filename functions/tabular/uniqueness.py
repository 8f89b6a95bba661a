"""Records that must differ from each other: `unique`, `primaryKey` and `uniqueKeys`.

The keys of earlier records are kept on disk, 16 bytes each: 96 bits of the key's hash and the
record's row number. They are in sorted runs: each block adds a run, sorted by hash, and eight runs
of about the same size are merged into one. A Bloom filter of bounded size in memory rules out
almost all new keys, so that few of them are searched on disk. The chance that two different keys
have the same hash is one in 10^14 for a hundred million rows.

Example: row 5 has the key `A-17`. Its two slots of the filter are set, and its hash goes into a run
with the row 5. At row 900 `A-17` occurs again: both slots are set, so the runs are searched, and
row 900 gets the fault `constraint "unique" is true, and row 5 has the same`. At row 901 `B-2` is
new: one of its slots is not set, so no run is searched.
"""

from __future__ import annotations

import errno
import mmap
import os
import secrets
import sys
import tempfile
from array import array
from bisect import bisect_left
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tabular.errors import FileTooLarge
from tabular.faults import Fault
from tabular.model import Field
from tabular.values.canonical import canonical
from tabular.values.cells import cast
from tabular.values.fault_columns import DETAIL, FaultColumn, shown_texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tabular.faults import FaultCode
    from tabular.reading.layout import Layout
    from tabular.values.columns import Values

_WORD_BYTES = 8
_ENTRY_WORDS = 2
_MERGED_RUNS = 8
_MERGED_AT_ONCE = 1 << 20  # entries: limits the memory for merging
_ENTRIES_A_SEARCH = 32
"""A search takes as long as it takes to read and compare this many entries."""
_FIRST_SLOTS = 1 << 20
_MOST_SLOTS = 1 << 28  # bytes, of all keys together: enough for 32 million rows
_SLOTS_A_KEY = 8  # each key sets two, so 5% of new keys are searched on disk needlessly
_MAX_ROW = 2**32 - 1
_LOW_32 = 0xFFFFFFFF
_HASHES = 2**64
# Types whose plain texts are equal if and only if the values are.
_PLAIN_TYPES = frozenset({"string", "any", "integer", "boolean", "date", "year", "yearmonth"})
_PLAIN_NUMBER = r"^-?[0-9]+(?:\.[0-9]+)?$"


class _Key(NamedTuple):
    """Fields that are unique together; `columns` are their places among the layout's fields."""

    code: FaultCode
    rule: str
    columns: tuple[int, ...]
    message: str


class Uniqueness:
    """Remembers the keys of all records of a file, and finds repeated ones."""

    def __init__(self, layout: Layout) -> None:
        self._fields = layout.fields
        keys = _keys(layout)
        most_slots = _MOST_SLOTS >> (len(keys) - 1).bit_length() if keys else 0
        self._seen = [(key, _Seen(most_slots)) for key in keys]

    def faults(
        self, values: Sequence[Values], rows: pl.Series, usable: pl.Series
    ) -> list[FaultColumn]:
        """Find the faults of a block's records, by their index, and remember their keys.

        `values` are the layout's columns, `rows` the records' numbers. Records that are not
        `usable` (Boolean) have no key, and neither have records with a null or an unreadable cell
        in it. Blocks must come in the file's order.
        """
        found: list[FaultColumn] = []
        if self._seen and len(rows) and int(rows[-1]) > _MAX_ROW:
            raise FileTooLarge(
                f"A contract with unique fields can have {_MAX_ROW} rows at most.",
                limit_records=_MAX_ROW,
            )
        for key, seen in self._seen:
            texts = [_canonical(self._fields[n], values[n]) for n in key.columns]
            whole = texts[0] if len(texts) == 1 else _together(texts)
            present = whole.is_not_null() & usable
            indexes = present.arg_true()
            again = seen.add(whole.filter(present), rows.filter(present))
            if again:
                places, earlier = zip(*again, strict=True)
                found.append(self._fault(key, values, indexes.gather(list(places)), earlier))
        return found

    def _fault(
        self, key: _Key, values: Sequence[Values], places: pl.Series, earlier: Sequence[int]
    ) -> FaultColumn:
        message = f"{key.message}, and row {DETAIL} has the same"
        details = pl.Series(earlier, dtype=pl.UInt64).cast(pl.String)
        if len(key.columns) > 1:
            fault = Fault(None, key.code, key.rule, message, None)
            return FaultColumn(places, [(fault,)], details=details)
        column = key.columns[0]
        fault = Fault(self._fields[column].name, key.code, key.rule, message, None)
        shown = shown_texts(values[column].texts.gather(places))
        return FaultColumn(places, [(fault,)], values=shown, details=details)


def _keys(layout: Layout) -> list[_Key]:
    places = {field.name: place for place, field in enumerate(layout.fields)}
    contract = layout.contract
    primary = contract.primary_key
    keys = [
        _Key("unique-error", "unique", (places[field.name],), 'constraint "unique" is true')
        for field in layout.fields
        if field.constraints.unique and primary != (field.name,)
    ]
    named: list[tuple[FaultCode, str, tuple[str, ...]]] = []
    if primary:
        named.append(("primary-key", "primaryKey", primary))
    named += [
        ("unique-error", f"uniqueKeys[{number}]", names)
        for number, names in enumerate(contract.unique_keys)
    ]
    for code, rule, names in named:
        if all(name in places for name in names):
            message = f"{rule.partition('[')[0]} is {', '.join(names)}"
            keys.append(_Key(code, rule, tuple(places[name] for name in names), message))
    return keys


def _canonical(field: Field, values: Values) -> pl.Series:
    """Texts that are equal if and only if the values are; null where there is no value."""
    texts = values.texts
    if values.faults is not None and len(unread := values.faults.having("type-error")):
        texts = texts.scatter(unread, None)
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
    """Several texts as one that no others give, such as `1:a2:bc`; null if any is null."""
    frame = pl.DataFrame({str(n): series for n, series in enumerate(texts)})
    parts = [
        part
        for name in frame.columns
        for part in (pl.col(name).str.len_bytes().cast(pl.String), pl.lit(":"), pl.col(name))
    ]
    return frame.select(pl.concat_str(parts)).to_series()


class _Seen:
    """A set of hashes with the row that each came from first."""

    def __init__(self, most_slots: int) -> None:
        """`most_slots` bounds the filter."""
        self._most_slots = most_slots
        self._levels: list[list[_Run]] = []
        self._filter = _Filter(_FIRST_SLOTS)
        # The hash is fast, not cryptographic: without a secret salt, a crafted file could make
        # different records look like duplicates. The output does not depend on the salt.
        self._salts = secrets.token_hex(8), secrets.token_hex(8)
        self._seeds = secrets.randbits(63), secrets.randbits(63)

    def add(self, texts: pl.Series, rows: pl.Series) -> list[tuple[int, int]]:
        """Add texts in order; return the index of each repeated one, and the row of its first."""
        keys = self._keys(texts, rows)
        known = self._known(keys)
        keys = keys.with_columns(first=_first_rows(keys) if known is None else known)
        if known is not None:
            keys = keys.with_columns(pl.col("first").fill_null(_first_rows(keys)))
        is_new = keys["first"] == keys["row"]
        self._remember(keys if is_new.all() else keys.filter(is_new))
        again = keys.filter(~is_new).sort("index")
        return list(zip(again["index"].to_list(), again["first"].to_list(), strict=True))

    def _keys(self, texts: pl.Series, rows: pl.Series) -> pl.DataFrame:
        """`hash`, `more` (32 bits), `row` and `index` (all UInt64), sorted by `hash`, then row."""
        text = pl.col("text")
        hashes = [
            pl.concat_str(pl.lit(salt), text).hash(seed)
            for salt, seed in zip(self._salts, self._seeds, strict=True)
        ]
        frame = pl.DataFrame({"text": texts, "row": rows}).select(
            hashes[0].alias("hash"),
            (hashes[1] & _LOW_32).alias("more"),
            pl.col("row").cast(pl.UInt64),
            pl.int_range(pl.len(), dtype=pl.UInt64).alias("index"),
        )
        return frame.sort("hash", maintain_order=True)

    def _known(self, keys: pl.DataFrame) -> pl.Series | None:
        """The rows that had the keys in earlier batches, null where none had; None: none had."""
        suspects = keys[self._filter.may_hold(keys["hash"])].select("hash", "more")
        suspects = suspects.unique(maintain_order=True)
        found = [run.find(suspects) for run in self._runs()] if suspects.height else []
        known = pl.concat(found) if found else suspects.head(0)
        if not known.height:
            return None
        # A key is in one run, because only new ones are remembered.
        joined = keys.join(known, on=["hash", "more"], how="left", maintain_order="left")
        return joined["first"]

    def _remember(self, keys: pl.DataFrame) -> None:
        if not keys.height:
            return
        entries = keys.select("hash", word=pl.col("more") * (_LOW_32 + 1) + pl.col("row"))
        new = _Run([entries], keys.height)
        for level in self._levels:
            level.append(new)
            if len(level) < _MERGED_RUNS:
                break
            new = _Run(_merged(level), sum(run.size for run in level))
            level.clear()
        else:
            self._levels.append([new])
        count = sum(run.size for run in self._runs())
        if count * _SLOTS_A_KEY > self._filter.size and self._filter.size < self._most_slots:
            self._filter = _Filter(min(self._filter.size * 4, self._most_slots))
            for run in self._runs():
                for start in range(0, run.size, _MERGED_AT_ONCE):
                    self._filter.add(run.entries(start, start + _MERGED_AT_ONCE)["hash"])
        else:
            self._filter.add(keys["hash"])

    def _runs(self) -> Iterator[_Run]:
        for level in self._levels:
            yield from level


def _first_rows(keys: pl.DataFrame) -> pl.Series:
    """The first row of the batch that has the same key, for keys sorted by hash, then row."""
    if not (keys["hash"] == keys["hash"].shift(1)).any():
        return keys["row"]
    return keys.select(pl.col("row").first().over("hash", "more")).to_series()


class _Filter:
    """A Bloom filter, which says of most new hashes that they are new. A hash sets two slots."""

    def __init__(self, size: int) -> None:
        """`size` is a power of two below 2^32."""
        self.size = size
        self._slots = pl.zeros(size, dtype=pl.UInt8, eager=True)

    def add(self, hashes: pl.Series) -> None:
        for places in self._places(hashes):
            self._slots.scatter(places, 1)

    def may_hold(self, hashes: pl.Series) -> pl.Series:
        """The indexes of the hashes that may have been added."""
        first, second = (self._slots.gather(places) for places in self._places(hashes))
        return (first & second).cast(pl.Boolean).arg_true()

    def _places(self, hashes: pl.Series) -> Iterator[pl.Series]:
        for part in (hashes, hashes // (_LOW_32 + 1)):
            yield (part & (self.size - 1)).cast(pl.UInt32)


class _Run:
    """A sorted run on disk: the hashes, then a word for each: 32 more bits, and the row.

    Entries with the same hash are in any order. The file is deleted when it is closed.
    """

    def __init__(self, pieces: Iterable[pl.DataFrame], size: int) -> None:
        """`pieces` have `size` entries in total, `hash` and `word`, sorted by hash."""
        self.size = size
        self._words = memoryview(_mapped(size * _ENTRY_WORDS * _WORD_BYTES)).cast("Q")
        start = 0
        for piece in pieces:
            end = start + piece.height
            self._words[start:end] = array("Q", piece["hash"].to_list())
            self._words[size + start : size + end] = array("Q", piece["word"].to_list())
            start = end

    def find(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Those of the keys, `hash` and `more` (UInt64) sorted by `hash`, that are here.

        Their rows are `first` (UInt64).
        """
        if keys.height * _ENTRIES_A_SEARCH < self.size:
            pairs = zip(keys["hash"].to_list(), keys["more"].to_list(), strict=True)
            found = [(key, more, row) for key, more in pairs if (row := self._row(key, more))]
            schema = dict.fromkeys(("hash", "more", "first"), pl.UInt64)
            return pl.DataFrame(found, schema=schema, orient="row")
        # From this number of searches on, reading everything takes less time.
        word = pl.col("word")
        more, first = (word // (_LOW_32 + 1)).alias("more"), (word & _LOW_32).alias("first")
        return pl.concat(
            keys.join(
                self.entries(start, start + _MERGED_AT_ONCE).select("hash", more, first),
                on=["hash", "more"],
            )
            for start in range(0, self.size, _MERGED_AT_ONCE)
        )

    def _row(self, key: int, more: int) -> int:
        """The row of the key; 0: it is not here."""
        place = self.place(key)
        while place < self.size and self._words[place] == key:
            word = self._words[self.size + place]
            if word >> 32 == more:
                return word & _LOW_32
            place += 1
        return 0

    def place(self, key: int) -> int:
        """How many hashes are smaller than `key`."""
        return bisect_left(self._words, key, 0, self.size)

    def entries(self, start: int, end: int) -> pl.DataFrame:
        """The entries from `start` to `end`, as they were given."""
        end = min(end, self.size)
        ranges = {"hash": (start, end), "word": (self.size + start, self.size + end)}
        return pl.DataFrame(
            {
                name: pl.Series(array("Q", self._words[a:b].tobytes()), dtype=pl.UInt64)
                for name, (a, b) in ranges.items()
            }
        )


def _mapped(length: int) -> mmap.mmap:
    """A temporary file of this length in memory. Raises `FileTooLarge` if the disk is full.

    Its space is reserved: a write to a mapped file for which there is none would end the process.
    """
    try:
        with tempfile.TemporaryFile(prefix="unique-keys-") as file:
            if sys.platform == "darwin":  # it has no such call
                file.truncate(length)
            else:
                os.posix_fallocate(file.fileno(), 0, length)
            return mmap.mmap(file.fileno(), 0)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise FileTooLarge(
            "The keys of the contract's unique fields need more disk space than there is: "
            f"{length:,} bytes more in the folder for temporary files. Upload the data in smaller "
            "files, or give the Transform function more ephemeral storage.",
            bytes=length,
        ) from None


def _merged(runs: Sequence[_Run]) -> Iterator[pl.DataFrame]:
    """The entries of all runs, sorted by hash, a range of hashes at a time."""
    ranges = -(-sum(run.size for run in runs) // _MERGED_AT_ONCE)
    starts = [0] * len(runs)
    for number in range(1, ranges + 1):
        bound = _HASHES * number // ranges
        ends = [run.place(bound) if bound < _HASHES else run.size for run in runs]
        parts = zip(runs, starts, ends, strict=True)
        yield pl.concat([run.entries(start, end) for run, start, end in parts]).sort("hash")
        starts = ends
