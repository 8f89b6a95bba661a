"""The statistics of one field: exact while few distinct values occur, then sketches.

What is kept, and when it changes from one form to the other, depends only on the values, never on
how they were cut into blocks. Values are counted one by one as long as at most `EXACT_DISTINCT`
distinct ones have been seen. When there are more, sketches are made from the counts; they are the
same as if they had been made from the values.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from tabular.model import INTEGER_TYPES, is_numeric
from tabular.statistics import sketches
from tabular.statistics.exact_sums import Moments
from tabular.statistics.sketches import DistinctSketch, LogHistogram, weighted_quantiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

EXACT_DISTINCT = 10_000
TOP_VALUES = 10
HISTOGRAM_BINS = 20
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)

# A counted text longer than this is known by its beginning and its hash, which bounds the counts'
# size without bounding the length of cells.
_KEY_CHARACTERS = 60
_HASH_DIGITS = 16
_ELLIPSIS = "\u2026"
_BOUND_CHARACTERS = 100  # of the smallest and the largest text
_ENTRY_BYTES = 100  # what a counted value takes beside the characters of its text
_MOST_ENTRY_BYTES = _ENTRY_BYTES + _KEY_CHARACTERS + len(_ELLIPSIS) + _HASH_DIGITS
_ALL_EXACT_BYTES = 128 * 1024 * 1024
"""Memory for the counted values of all fields: Summarize keeps them twice, in 1,024 MB."""
_ALL_ENTRIES = 1 << 20
"""Number of hashes, and of buckets, that are kept of all fields together, unless each field would
have too few."""
_FEWEST_HASHES = 64  # standard error 13 %
_FEWEST_BUCKETS = 16
_SAFE_INTEGER = 2.0**53  # below it, doubles hold integers exactly
_DATED_TYPES = frozenset({"date", "datetime"})
_ISO_DATE = len("2024-01-31")
_OFFSET = len("+02:00")

Value = str | int | float


@dataclass(frozen=True)
class Limits:
    """The limits of one field, so that all fields of a file together are bounded.

    They depend only on the number of fields, so that the results depend only on the values. Up to
    70 fields have the full limits.
    """

    exact_bytes: int
    hashes: int
    buckets: int

    @classmethod
    def of(cls, fields: int) -> Limits:
        """The limits of each field, if there are this many."""
        fields = max(1, fields)
        share = 1 << (max(1, _ALL_ENTRIES // fields).bit_length() - 1)
        return cls(
            _ALL_EXACT_BYTES // fields,
            min(sketches.KEPT_HASHES, max(share, _FEWEST_HASHES)),
            min(sketches.MAX_BUCKETS, max(share, _FEWEST_BUCKETS)),
        )


@dataclass
class FieldStatistics:
    """Gathers one field's values; see `accumulator` for input and results."""

    type: str
    limits: Limits = field(default_factory=lambda: Limits.of(1))
    count: int = 0
    nulls: int = 0
    zoned: int = 0
    """Datetimes with a time zone."""
    smallest: Value | None = None
    largest: Value | None = None
    moments: Moments = field(default_factory=Moments)
    counts: dict[Value, int] | None = field(default_factory=dict)
    sketch: DistinctSketch = field(init=False)
    histogram: LogHistogram = field(init=False)

    def __post_init__(self) -> None:
        self.sketch = DistinctSketch(kept=self.limits.hashes)
        self.histogram = LogHistogram(most=self.limits.buckets)

    def add(self, texts: pl.Series, numbers: pl.Series | None = None) -> None:
        """Add String `texts`, and for numeric types the doubles of the same rows."""
        missing = texts.null_count()
        self.nulls += missing
        self.count += len(texts) - missing
        if missing == len(texts):
            return
        if is_numeric(self.type):
            self._add_numbers(texts, numbers)
        else:
            texts = texts.drop_nulls() if missing else texts
            if self.type == "datetime":
                self.zoned += int(_has_zone(texts).sum())
            self._add_texts(texts)

    def add_counts(self, counts: Mapping[str | None, int]) -> None:
        """Add distinct texts, and how often each occurs; None are nulls."""
        present = {text: times for text, times in counts.items() if text is not None}
        self.nulls += counts.get(None, 0)
        self.count += sum(present.values())
        if not present:
            return
        texts = pl.Series(list(present), dtype=pl.String)
        occurrences = pl.Series(list(present.values()), dtype=pl.UInt64)
        if is_numeric(self.type):
            self._add_numbers(texts, None, occurrences)
        else:
            if self.type == "datetime":
                self.zoned += int(occurrences.filter(_has_zone(texts)).sum())
            self._add_counted(texts, occurrences)

    def merge(self, other: FieldStatistics) -> None:
        """Add what `other`, of the same type, has seen."""
        self.count += other.count
        self.nulls += other.nulls
        self.zoned += other.zoned
        self._bound(other.smallest, other.largest)
        self.moments.merge(other.moments)
        if self.counts is not None and other.counts is not None:
            self._count(other.counts.keys(), other.counts.values())
            return
        self._give_up_counts()
        other._give_up_counts()
        self.sketch.merge(other.sketch)
        self.histogram.merge(other.histogram)

    def finish(self) -> dict[str, Any]:
        """The figures that `statistics.finish` lists."""
        numeric = is_numeric(self.type)
        distinct = self._distinct()
        return {
            "type": "numeric" if numeric else "string",
            "count": self.count,
            **(self._sums() if numeric else {"unique": distinct}),
            "min": _shown(self.smallest, _BOUND_CHARACTERS),
            "max": _shown(self.largest, _BOUND_CHARACTERS),
            "field_type": self.type,
            "nulls": self.nulls,
            "distinct": distinct,
            "distinct_exact": self.counts is not None,
            "top_values": self._top_values(),
            **(self._distribution() if numeric else {}),
            **(self._range() if self.type in _DATED_TYPES else {}),
        }

    def to_document(self) -> dict[str, Any]:
        """The JSON form. Fields that have seen the same values give equal documents."""
        document: dict[str, Any] = {
            "type": self.type,
            "count": self.count,
            "nulls": self.nulls,
            "min": _stored(self.smallest),
            "max": _stored(self.largest),
        }
        if self.zoned:
            document["zoned"] = self.zoned
        if is_numeric(self.type):
            document["moments"] = self.moments.to_document()
        if self.counts is not None:
            keys: list[Any] = sorted(self.counts)
            plain = self.type not in INTEGER_TYPES
            document["values"] = keys if plain else [_stored(key) for key in keys]
            document["counts"] = [self.counts[key] for key in keys]
            return document
        document["sketch"] = self.sketch.to_document()
        if is_numeric(self.type):
            document["histogram"] = self.histogram.to_document()
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any], limits: Limits) -> FieldStatistics:
        """Read what `to_document` wrote; `limits` are those of all fields of the file."""
        read = cls(document["type"], limits, document["count"], document["nulls"])
        read.zoned = document.get("zoned", 0)
        read.smallest = read._restored(document["min"])
        read.largest = read._restored(document["max"])
        if "moments" in document:
            read.moments = Moments.from_document(document["moments"])
        if "values" in document:
            plain = read.type not in INTEGER_TYPES
            keys = document["values"] if plain else map(int, document["values"])
            read.counts = dict(zip(keys, document["counts"], strict=True))
            return read
        read.counts = None
        read.sketch = DistinctSketch.from_document(document["sketch"], limits.hashes)
        if "histogram" in document:
            read.histogram = LogHistogram.from_document(document["histogram"], limits.buckets)
        return read

    def _restored(self, value: Any) -> Any:
        """A value as it was before `_stored`."""
        if value is None or not is_numeric(self.type):
            return value
        return float(value) if self.type == "number" else int(value)

    # -- taking values in

    def _add_texts(self, texts: pl.Series) -> None:
        if self.counts is None:
            low, high = self.smallest, self.largest
            # Mostly no text is beyond the range. To find that takes less time than the extremes.
            if low is None or (texts < low).any() or (texts > high).any():
                self._bound(texts.min(), texts.max())
            self.sketch.add(texts.hash())
            return
        counted = texts.alias("value").value_counts()
        self._add_counted(counted["value"], counted["count"])

    def _add_counted(self, distinct: pl.Series, occurrences: pl.Series) -> None:
        """Add distinct texts, none null, and how often each occurs."""
        self._bound(distinct.min(), distinct.max())
        if self.counts is not None and len(distinct) <= EXACT_DISTINCT:
            self._count(_text_keys(distinct), occurrences.to_list())
            return
        self._give_up_counts()
        self.sketch.add(distinct.hash())

    def _add_numbers(
        self, texts: pl.Series, numbers: pl.Series | None, occurrences: pl.Series | None = None
    ) -> None:
        """Add the rows that are finite numbers: once, or as often as `occurrences` says."""
        numbers = texts.cast(pl.Float64, strict=False) if numbers is None else numbers
        # A sum is finite only if all its terms are.
        if numbers.null_count() or not isfinite(numbers.sum()):
            usable = numbers.is_finite().fill_null(value=False)
            texts, numbers = texts.filter(usable), numbers.filter(usable)
            occurrences = None if occurrences is None else occurrences.filter(usable)
        if not len(numbers):
            return
        low, high = float(numbers.min()), float(numbers.max())  # type: ignore[arg-type]
        if low <= 0 <= high:
            numbers = _without_negative_zeros(numbers)
            low, high = low + 0.0, high + 0.0
        self.moments.add(numbers, texts, occurrences)
        if self.type == "number" or max(-low, high) < _SAFE_INTEGER:
            self._bound(*map(self._restored, (low, high)))
            self._take_numbers(numbers, numbers, occurrences)
            return
        self._bound(
            min(map(int, texts.filter(numbers == low))),
            max(map(int, texts.filter(numbers == high))),
        )
        wide = numbers.abs() >= _SAFE_INTEGER
        for keys, rows in ((numbers, ~wide), (texts, wide)):
            weights = None if occurrences is None else occurrences.filter(rows)
            self._take_numbers(keys.filter(rows), numbers.filter(rows), weights)

    def _take_numbers(
        self, keys: pl.Series, numbers: pl.Series, occurrences: pl.Series | None
    ) -> None:
        """Count `keys`: the numbers, or the texts of integers that doubles can't represent."""
        if self.counts is not None:
            counted = _counted(keys, occurrences)
            if len(counted) <= EXACT_DISTINCT:
                self._count(self._number_keys(counted["value"]), counted["count"].to_list())
                return
            self._give_up_counts()
        self.sketch.add(keys.hash())
        self.histogram.add(numbers, occurrences)

    def _number_keys(self, distinct: pl.Series) -> list[Value]:
        """Doubles for numbers, integers for integers, be they doubles or texts."""
        if self.type == "number":
            return distinct.to_list()
        if distinct.dtype == pl.String:
            return list(map(int, distinct.to_list()))
        return distinct.cast(pl.Int64).to_list()

    def _count(self, keys: Iterable[Value], occurrences: Iterable[int]) -> None:
        """Add the counts of distinct `keys`, and replace them by sketches if there are too many."""
        counts = self.counts or {}
        new = dict(zip(keys, occurrences, strict=True))
        if counts:
            new = {key: counts.get(key, 0) + times for key, times in new.items()}
        counts.update(new)
        self.counts = counts
        if len(counts) > EXACT_DISTINCT or self._weigh_too_much(counts):
            self._give_up_counts()

    def _weigh_too_much(self, counts: Mapping[Value, int]) -> bool:
        """Whether counted values take more than this field's share of the memory."""
        limit = self.limits.exact_bytes
        if len(counts) * _MOST_ENTRY_BYTES <= limit:
            return False
        if is_numeric(self.type):
            return len(counts) * _ENTRY_BYTES > limit
        texts = sum(map(len, cast("Mapping[str, int]", counts)))
        return len(counts) * _ENTRY_BYTES + texts > limit

    def _give_up_counts(self) -> None:
        """Replace the counts by the sketches of their values."""
        if self.counts is None:
            return
        counts, self.counts = self.counts, None
        if not is_numeric(self.type):
            self.sketch.add(_hashes_of_keys([str(key) for key in counts]))
            return
        if self.type != "number" and not self._are_safe(counts):
            wide = {str(key): n for key, n in counts.items() if abs(float(key)) >= _SAFE_INTEGER}
            counts = {key: n for key, n in counts.items() if abs(float(key)) < _SAFE_INTEGER}
            self._take_given_up(pl.Series(list(wide), dtype=pl.String), wide.values())
        dtype = pl.Float64 if self.type == "number" else pl.Int64
        self._take_given_up(pl.Series(list(counts), dtype=dtype), counts.values())

    def _are_safe(self, counts: Mapping[Value, int]) -> bool:
        """Whether doubles represent all of these integers."""
        numbers = cast("Mapping[int, int]", counts)
        return max(-min(numbers, default=0), max(numbers, default=0)) < _SAFE_INTEGER

    def _take_given_up(self, keys: pl.Series, occurrences: Iterable[int]) -> None:
        if len(keys):
            numbers = keys.cast(pl.Float64)
            times = pl.Series(list(occurrences), dtype=pl.UInt64)
            self._take_numbers(keys if keys.dtype == pl.String else numbers, numbers, times)

    def _bound(self, low: Any, high: Any) -> None:
        """Widen the range to `low` and `high`, of which texts are cut to a bounded length.

        The beginning of the smallest text is the smallest beginning, so cutting first or last
        makes no difference.
        """
        if low is None:
            return
        if isinstance(low, str):
            low, high = low[: _BOUND_CHARACTERS + 1], high[: _BOUND_CHARACTERS + 1]
        self.smallest = low if self.smallest is None else min(self.smallest, low)
        self.largest = high if self.largest is None else max(self.largest, high)

    # -- figures

    def _distinct(self) -> int:
        if self.counts is not None:
            return len(self.counts)
        # Counting was given up for more values than these.
        fewest = min(EXACT_DISTINCT, self.limits.exact_bytes // _MOST_ENTRY_BYTES)
        return min(max(self.sketch.estimate(), fewest + 1), self.count)

    def _top_values(self) -> list[dict[str, Any]] | None:
        if self.counts is None:
            return None
        ranked = heapq.nsmallest(TOP_VALUES, self.counts.items(), key=lambda kv: (-kv[1], kv[0]))
        return [{"value": _shown(k, _KEY_CHARACTERS), "count": times} for k, times in ranked]

    def _sums(self) -> dict[str, Any]:
        mean = self.moments.mean()
        return {
            "sum": self._as_number(self.moments.total),
            "avg": None if mean is None else _as_double(round(mean, 2)),
            "mean": None if mean is None else _as_double(mean),
            "standard_deviation": self.moments.standard_deviation(),
        }

    def _distribution(self) -> dict[str, Any]:
        ascending = self._ascending()
        exact = self.counts is not None
        non_finite = self.count - self.moments.count
        return {
            "quantiles": _quantiles(ascending),
            "quantile_relative_error": 0 if exact else self.histogram.relative_error(),
            "histogram": _histogram(ascending, self.smallest, self.largest),
            **({"non_finite": non_finite} if non_finite else {}),
        }

    def _range(self) -> dict[str, Any]:
        found: dict[str, Any] = {"range_days": _days_between(self.smallest, self.largest)}
        if self.type == "datetime":
            found["with_time_zone"] = self.zoned
        return found

    def _as_number(self, value: Fraction) -> int | float | None:
        return _as_double(value) if self.type == "number" else int(value)

    def _ascending(self) -> list[tuple[Any, int]]:
        """Values and how often they occur, in ascending order: exact, or middles of buckets."""
        if self.counts is not None:
            return sorted(self.counts.items())
        low: Any = self.smallest
        high: Any = self.largest
        middles = ((self._restored(m), times) for m, times in self.histogram.ascending())
        return [(min(max(m, low), high), times) for m, times in middles]


def _has_zone(datetimes: pl.Series) -> pl.Series:
    """Which datetimes have a time zone as written: they end in Z or an offset like +02:00."""
    return datetimes.str.ends_with("Z") | datetimes.str.slice(-_OFFSET, 1).is_in(["+", "-"])


def _without_negative_zeros(numbers: pl.Series) -> pl.Series:
    """The numbers with 0.0 for -0.0; adding zero would not help, as Polars optimises it away."""
    zeros = numbers == 0
    return numbers.zip_with(~zeros, pl.Series([0.0])) if zeros.any() else numbers


def _counted(keys: pl.Series, occurrences: pl.Series | None) -> pl.DataFrame:
    """Distinct keys as `value`, and their `count`."""
    if occurrences is None:
        return keys.alias("value").value_counts()
    pairs = pl.DataFrame({"value": keys, "count": occurrences})
    return pairs.group_by("value").agg(pl.col("count").sum())


def _text_keys(distinct: pl.Series) -> list[Value]:
    """The texts, those of over 60 characters as their first 60, an ellipsis and their hash."""
    texts = distinct.to_list()
    longest = distinct.str.len_bytes().max()
    if not isinstance(longest, int) or longest <= _KEY_CHARACTERS:
        return texts
    return [
        text
        if len(text) <= _KEY_CHARACTERS
        else f"{text[:_KEY_CHARACTERS]}{_ELLIPSIS}{word:0{_HASH_DIGITS}x}"
        for text, word in zip(texts, distinct.hash(), strict=True)
    ]


def _hashes_of_keys(keys: list[str]) -> pl.Series:
    """The hashes of the texts that `_text_keys` made `keys` of."""
    short = pl.Series([key for key in keys if len(key) <= _KEY_CHARACTERS], dtype=pl.String)
    long = [int(key[-_HASH_DIGITS:], 16) for key in keys if len(key) > _KEY_CHARACTERS]
    return pl.concat([short.hash(), pl.Series(long, dtype=pl.UInt64)])


def _shown(value: Value | None, characters: int) -> Value | None:
    """A text that was cut, with an ellipsis at its end; other values as they are."""
    if isinstance(value, str) and len(value) > characters:
        return value[:characters] + _ELLIPSIS
    return value


def _stored(value: Value | None) -> Value | None:
    """A value in the partial: integers that not every JSON reader can represent are texts."""
    return str(value) if isinstance(value, int) and abs(value) >= _SAFE_INTEGER else value


def _as_double(value: Fraction) -> float | None:
    """The nearest double, or None beyond their range, which JSON can't represent."""
    try:
        return float(value)
    except OverflowError:
        return None


def _quantiles(ascending: Sequence[tuple[Any, int]]) -> dict[str, Any]:
    names = [f"p{round(probability * 100)}" for probability in QUANTILES]
    if not ascending:
        return dict.fromkeys(names)
    return dict(zip(names, weighted_quantiles(ascending, QUANTILES), strict=True))


def _histogram(ascending: Sequence[tuple[Any, int]], low: Any, high: Any) -> dict[str, Any] | None:
    """Twenty bins of equal width from `low` to `high`; each holds its lower edge, the last both."""
    if not ascending:
        return None
    start, end = (Fraction(Decimal(repr(bound))) for bound in (low, high))
    bins = HISTOGRAM_BINS if start < end else 1
    edges = [float(start + (end - start) * i / bins) for i in range(bins + 1)]
    counts = [0] * bins
    for value, times in ascending:
        counts[min(bisect_right(edges, value), bins) - 1] += times
    return {"edges": edges, "counts": counts}


def _days_between(first: Any, last: Any) -> int | None:
    """Whole days between two ISO 8601 dates or datetimes."""
    if first is None:
        return None
    try:
        start, end = (date.fromisoformat(text[:_ISO_DATE]) for text in (first, last))
    except ValueError:
        return None
    return (end - start).days
