"""Sketches: their error, and that merging changes nothing."""

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
import pytest

from tabular.statistics.sketches import (
    KEPT_HASHES,
    MAX_BUCKETS,
    DistinctSketch,
    LogHistogram,
    hash_fingerprint,
    weighted_quantiles,
)


def sketch_of(values: Sequence[Any]) -> DistinctSketch:
    sketch = DistinctSketch()
    sketch.add(pl.Series(values).hash())
    return sketch


def histogram_of(numbers: Sequence[float]) -> LogHistogram:
    histogram = LogHistogram()
    histogram.add(pl.Series(numbers, dtype=pl.Float64))
    return histogram


@pytest.mark.parametrize("distinct", [0, 1, 100, KEPT_HASHES - 1])
def test_few_distinct_values_are_counted_exactly(distinct: int) -> None:
    assert sketch_of([f"value {i}" for i in range(distinct)] * 2).estimate() == distinct


@pytest.mark.parametrize(
    "values",
    [
        lambda: [f"C{i:09d}" for i in range(300_000)],
        lambda: [f"{i}@example.com" for i in range(50_000)],
        lambda: list(range(300_000)),
        lambda: [float(i) for i in range(300_000)],
        lambda: [i / 100 for i in range(20_000)],
    ],
    ids=["padded ids", "mail addresses", "integers", "doubles", "cents"],
)
def test_many_distinct_values_are_estimated_within_four_standard_errors(
    values: Callable[[], list[Any]],
) -> None:
    distinct = values()
    assert sketch_of(distinct).estimate() == pytest.approx(
        len(distinct), rel=4 / math.sqrt(KEPT_HASHES - 2)
    )


def test_a_merged_sketch_is_the_sketch_of_everything() -> None:
    values = [str(i) for i in range(30_000)]
    merged = sketch_of(values[:20_000])
    merged.merge(sketch_of(values[10_000:]))
    assert merged.to_document() == sketch_of(values).to_document()


def test_a_sketch_reads_back_what_it_wrote() -> None:
    document = sketch_of([str(i) for i in range(5_000)]).to_document()
    assert DistinctSketch.from_document(document, KEPT_HASHES).to_document() == document
    assert len(document) <= 21_848


def test_the_fingerprint_is_sixteen_hexadecimal_digits() -> None:
    assert int(hash_fingerprint(), 16) < 2**64
    assert len(hash_fingerprint()) == 16


def test_bucket_middles_are_within_the_stated_error_of_every_number() -> None:
    generator = random.Random(1)
    numbers = [generator.choice((-1, 1)) * 10 ** generator.uniform(-3, 3) for _ in range(5_000)]
    histogram = histogram_of(numbers)
    middles = [m for m, count in histogram.ascending() for _ in range(count)]
    error = histogram.relative_error()
    assert middles == pytest.approx(sorted(numbers), rel=error)


def test_buckets_stay_bounded_over_the_whole_range_of_doubles() -> None:
    numbers = [sign * 2.0**e * m for sign in (1, -1) for e in range(-1022, 1023) for m in (1, 1.5)]
    histogram = histogram_of([*numbers, 0.0, 5e-324, 1.7976931348623157e308])
    assert len(histogram.buckets) <= MAX_BUCKETS
    assert sum(histogram.buckets.values()) == len(numbers) + 3
    assert all(math.isfinite(middle) for middle, _ in histogram.ascending())


def test_a_coarsened_histogram_is_the_same_whichever_part_came_first() -> None:
    wide = [10.0 ** (i / 50) for i in range(-5_000, 5_000)]
    narrow = [1 + i / 1_000 for i in range(1_000)]
    one, other = histogram_of(wide), histogram_of(narrow)
    one.merge(histogram_of(narrow))
    other.merge(histogram_of(wide))
    assert one.to_document() == other.to_document() == histogram_of(wide + narrow).to_document()


def test_numbers_that_were_counted_before_weigh_as_often_as_they_occur() -> None:
    weighted = LogHistogram()
    weighted.add(pl.Series([1.0, 2.0]), pl.Series([3, 1], dtype=pl.UInt32))
    assert weighted.to_document() == histogram_of([1.0, 1.0, 1.0, 2.0]).to_document()


def test_zero_is_a_bucket_of_its_own_middle() -> None:
    assert histogram_of([0.0]).ascending()[0][0] == pytest.approx(0, abs=1e-300)


@pytest.mark.parametrize(
    ("probability", "expected"), [(0.0, "a"), (0.5, "a"), (0.51, "b"), (0.99, "c"), (1.0, "c")]
)
def test_quantiles_are_nearest_ranks(probability: float, expected: str) -> None:
    ascending = [("a", 5), ("b", 4), ("c", 1)]
    assert weighted_quantiles(ascending, [probability]) == [expected]
