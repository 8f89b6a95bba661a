"""Sums of decimals are exact: equal, as fractions, to the sums of the texts."""

from fractions import Fraction

import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from tabular.statistics.exact_sums import Moments
from tests.effort import examples

DIGITS = st.text("0123456789", min_size=1, max_size=26)
PLAIN = st.builds("{}{}.{}".format, st.sampled_from(["", "-"]), DIGITS, DIGITS)
WITH_EXPONENT = st.builds("{}e{}".format, PLAIN, st.integers(-30, 30))
NUMBERS = st.one_of(
    st.decimals(-(10**6), 10**6, places=2).map(str),
    st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False).map(repr),
    st.integers(-(10**18), 10**18).map(str),
    PLAIN,
    WITH_EXPONENT,
)


def moments_of(texts: list[str]) -> Moments:
    series = pl.Series(texts, dtype=pl.String)
    moments = Moments()
    moments.add(series.cast(pl.Float64), series)
    return moments


@given(st.lists(NUMBERS, max_size=30))
@examples(48)
@example(["0.1", "0.2", "999999999999999", "-999999999999999"])
@example(["0.1", "1234567.1234567", "1e-12", "1.5e-13", "123456789012.34"])
@example(["-122.41941550000001", "1.2345678901234567e-05", "9999999999.9999999999999", "1e22"])
@example(["123456789.12345678", "0.12345678901234567e-12", "1.0000000000000000e-13"])
@example(["1e-200", "4.9e-150", "2" + "0" * 300])
def test_sum_and_sum_of_squares_are_those_of_the_texts(texts: list[str]) -> None:
    moments = moments_of(texts)
    assert moments.total == sum(map(Fraction, texts))
    assert moments.squares == sum(Fraction(text) ** 2 for text in texts)


@given(st.lists(NUMBERS, max_size=20), st.integers(1, 50))
@examples(16)
def test_numbers_that_were_counted_before_add_up_to_the_same(texts: list[str], times: int) -> None:
    series = pl.Series(texts, dtype=pl.String)
    moments = Moments()
    moments.add(series.cast(pl.Float64), series, pl.Series([times] * len(texts), dtype=pl.UInt32))
    assert moments == moments_of(texts * times)


@given(st.lists(NUMBERS, max_size=20))
@examples(16)
def test_moments_read_back_what_they_wrote(texts: list[str]) -> None:
    moments = moments_of(texts)
    assert Moments.from_document(moments.to_document()) == moments


@given(st.lists(st.integers(-(10**14), 10**14), min_size=2, max_size=30))
@examples(8)
def test_sums_too_wide_for_64_bits_are_exact(values: list[int]) -> None:
    repeated = [str(value) for value in values] * 5_000
    assert moments_of(repeated).squares == 5_000 * sum(value**2 for value in values)
