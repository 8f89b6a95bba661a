"""Summaries of bounded size that do not depend on the order, the blocks or the splits.

Each depends only on the multiset of values: merging two gives exactly the one that would have been
built from both inputs. HyperLogLog++ with its sparse mode, t-digest and reservoirs don't have this
property, so these are a k-minimum-values sketch and a logarithmic histogram.
"""

from __future__ import annotations

import base64
import functools
import math
import sys
from array import array
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KEPT_HASHES = 2048  # standard error of the distinct count 1 / sqrt(2046) = 2.2 %
MAX_BUCKETS = 2048
FINEST_BITS = 7  # a bucket is 1/128 of its value wide, its middle at most 0.4 % off

_HASH_SPACE = 2**64
_MANTISSA_BITS = 52
_SIGN_BIT = 2**63
_MAX_DOUBLE = sys.float_info.max
_PROBES = ("", "a", "0123456789", "a text longer than two machine words, with \u00e9 and \u4e16")


@functools.cache
def hash_fingerprint() -> str:
    """Identify the hash function in use by its results for fixed inputs.

    Polars' hash has fixed seeds, and is several times faster than any hash made of expressions, but
    it may change with Polars' version. Sketches of different hashes must not be merged: partial
    statistics carry this fingerprint, and `statistics.merge` compares it.
    """
    words = [*pl.Series(_PROBES).hash().to_list(), *pl.Series([0.5, -1.0]).hash().to_list()]
    folded = 0
    for word in words:
        folded = (folded * 1_000_003 + word) % _HASH_SPACE
    return f"{folded:016x}"


@dataclass
class DistinctSketch:
    """Estimates how many distinct values there are from the 2,048 smallest 64-bit hashes.

    Bar-Yossef et al., "Counting distinct elements in a data stream" (2002); the unbiased
    estimator (k - 1) / U(k) and its standard error 1 / sqrt(k - 2) are Beyer et al. (2007). With
    fewer than k distinct hashes the count is exact (but for collisions of 64-bit hashes).
    """

    hashes: pl.Series = field(default_factory=lambda: pl.Series(dtype=pl.UInt64))
    kept: int = field(default_factory=lambda: KEPT_HASHES)

    def add(self, hashes: pl.Series) -> None:
        """Add UInt64 `hashes` without nulls."""
        if len(self.hashes) == self.kept:
            hashes = hashes.filter(hashes < self.hashes[-1])
        if len(hashes):
            self.hashes = pl.concat([self.hashes, hashes]).unique().sort().head(self.kept)

    def merge(self, other: DistinctSketch) -> None:
        """Add what `other` has seen."""
        self.add(other.hashes)

    def estimate(self) -> int:
        """The estimated number of distinct values."""
        if len(self.hashes) < self.kept:
            return len(self.hashes)
        return round((self.kept - 1) * _HASH_SPACE / (int(self.hashes[-1]) + 1))

    def to_document(self) -> str:
        """The hashes, ascending, little-endian, base64: at most 21,848 characters."""
        words = array("Q", self.hashes.to_list())
        if sys.byteorder == "big":
            words.byteswap()
        return base64.b64encode(words.tobytes()).decode("ascii")

    @classmethod
    def from_document(cls, document: str, kept: int) -> DistinctSketch:
        """Read what `to_document` wrote."""
        words = array("Q", base64.b64decode(document))
        if sys.byteorder == "big":
            words.byteswap()
        return cls(pl.Series(words.tolist(), dtype=pl.UInt64), kept)


@dataclass
class LogHistogram:
    """Counts numbers in buckets of equal relative width: sign, exponent and leading mantissa bits.

    `bits` mantissa bits make a bucket 2^-bits of its value wide. When there are more than 2,048
    buckets, neighbours are joined by dropping a bit. A subset never needs coarser buckets than the
    whole, so the resolution, too, depends on the numbers alone.
    """

    bits: int = FINEST_BITS
    buckets: Counter[int] = field(default_factory=Counter)
    most: int = field(default_factory=lambda: MAX_BUCKETS)

    def add(self, numbers: pl.Series, occurrences: pl.Series | None = None) -> None:
        """Add finite Float64 `numbers` without nulls and without negative zeros.

        Each counts once, or as often as `occurrences` says.
        """
        if not len(numbers):
            return
        words = numbers.reinterpret(dtype=pl.Int64) // 2 ** (_MANTISSA_BITS - self.bits)
        if occurrences is None:
            counts = words.alias("bucket").value_counts()
        else:
            pairs = pl.DataFrame({"bucket": words, "count": occurrences})
            counts = pairs.group_by("bucket").agg(pl.col("count").sum())
        self._count(dict(zip(counts["bucket"].to_list(), counts["count"].to_list(), strict=True)))

    def merge(self, other: LogHistogram) -> None:
        """Add what `other` has seen."""
        self._coarsen(other.bits)
        self._count(other._at(self.bits))

    def ascending(self) -> list[tuple[float, int]]:
        """The middle and the count of each bucket, in ascending order of value."""
        middles = _middles(list(self.buckets), _MANTISSA_BITS - self.bits)
        return sorted(zip(middles, self.buckets.values(), strict=True))

    def relative_error(self) -> float:
        """The maximum distance of a bucket's middle from a number in it, relative to the number.

        At fewer than 0 bits a bucket spans several powers of two, so only the order of magnitude is
        known.
        """
        return float(2.0 ** -(self.bits + 1)) if self.bits >= 0 else 1.0

    def to_document(self) -> dict[str, Any]:
        """The JSON form: at most 2,048 buckets, sorted. Equal histograms give equal documents."""
        return {
            "bits": self.bits,
            "buckets": [[bucket, self.buckets[bucket]] for bucket in sorted(self.buckets)],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any], most: int) -> LogHistogram:
        """Read what `to_document` wrote."""
        return cls(document["bits"], Counter(dict(document["buckets"])), most)

    def _count(self, counts: Mapping[int, int]) -> None:
        self.buckets.update(counts)
        while len(self.buckets) > self.most:
            self._coarsen(self.bits - 1)

    def _coarsen(self, bits: int) -> None:
        if bits < self.bits:
            self.buckets = self._at(bits)
            self.bits = bits

    def _at(self, bits: int) -> Counter[int]:
        """The counts at `bits`, which is not finer than the present resolution."""
        if bits == self.bits:
            return self.buckets
        joined: Counter[int] = Counter()
        for bucket, count in self.buckets.items():
            joined[bucket >> (self.bits - bits)] += count
        return joined


def weighted_quantiles(
    ascending: Sequence[tuple[Any, int]], probabilities: Sequence[float]
) -> list[Any]:
    """Nearest-rank quantiles of values in ascending order with their numbers of occurrences.

    The quantile of p among n values is the ceil(p * n)-th smallest, and the smallest for p = 0.
    """
    ranks = list(accumulate(count for _, count in ascending))
    wanted = (max(1, math.ceil(probability * ranks[-1])) for probability in probabilities)
    return [ascending[bisect_left(ranks, rank)][0] for rank in wanted]


def _middles(buckets: Sequence[int], shift: int) -> list[float]:
    """The middle between the smallest and the largest double whose words are in each bucket."""
    lows = [(bucket << shift) % _HASH_SPACE for bucket in buckets]
    highs = [low + (1 << shift) - 1 for low in lows]
    return [low / 2 + high / 2 for low, high in zip(_doubles(lows), _doubles(highs), strict=True)]


def _doubles(words: Sequence[int]) -> list[float]:
    """The doubles of 64-bit words; beyond the largest finite ones they are the largest finite."""
    values = array("d", array("Q", words).tobytes())
    return [
        value if math.isfinite(value) else math.copysign(_MAX_DOUBLE, _SIGN_BIT - word - 0.5)
        for value, word in zip(values, words, strict=True)
    ]
