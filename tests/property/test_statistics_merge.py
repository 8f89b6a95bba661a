"""The statistics of a file are the same bytes for all blocks and splits."""

import json
from collections import Counter
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabular.model import Field
from tabular.statistics import field_statistics, sketches
from tabular.statistics.accumulator import Accumulator, finish, merge
from tests.effort import examples

Pieces = list[tuple[list[Any], str]]

TEXTS = st.one_of(
    st.none(),
    st.sampled_from(["a", "b", "c", "ä", "日本", "", "x" * 61, "x" * 61 + "y", "x" * 60]),
    st.text(max_size=8),
)
INTEGERS = st.one_of(
    st.none(), st.integers(-20, 20).map(str), st.integers(-(10**25), 10**25).map(str)
)
NUMBERS = st.one_of(
    st.none(),
    st.sampled_from(["0", "-0.0", "0.10", "1e3", "NaN", "INF", "-INF", "1e400", "1e-400"]),
    st.decimals(-1000, 1000, places=2).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
)
COLUMNS = {"string": TEXTS, "integer": INTEGERS, "number": NUMBERS}
WAYS = st.sampled_from(["values", "counts"])


@pytest.fixture(autouse=True, params=[10**9, 650])
def small_bounds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that small inputs go beyond, so that every change of form takes part."""
    monkeypatch.setattr(field_statistics, "_ALL_EXACT_BYTES", request.param)
    monkeypatch.setattr(field_statistics, "EXACT_DISTINCT", 12)
    monkeypatch.setattr(sketches, "KEPT_HASHES", 8)
    monkeypatch.setattr(sketches, "MAX_BUCKETS", 6)


def cuts(values: list[Any]) -> st.SearchStrategy[Pieces]:
    """Lists of blocks, each with the way it is added, that together are `values`."""
    marks = st.lists(st.tuples(st.integers(0, len(values)), WAYS), max_size=4)
    return marks.map(lambda ms: _pieces(values, sorted(ms)))


def _pieces(values: list[Any], marks: list[tuple[int, str]]) -> Pieces:
    starts = [0, *(mark for mark, _ in marks)]
    ends = [*(mark for mark, _ in marks), len(values)]
    ways = ["values", *(way for _, way in marks)]
    return [(values[a:b], way) for a, b, way in zip(starts, ends, ways, strict=True)]


def partial_of(field_type: str, blocks: Pieces) -> dict[str, Any]:
    accumulator = Accumulator([Field("x", "x", field_type)])
    for values, way in blocks:
        series = pl.Series(values, dtype=pl.String)
        if way == "counts":
            accumulator.add_counts("x", Counter(series.to_list()))
        else:
            accumulator.add("x", series)
    document: dict[str, Any] = json.loads(json.dumps(accumulator.partial(), allow_nan=False))
    return document


@pytest.mark.parametrize("field_type", COLUMNS)
@given(data=st.data())
@examples(16)
def test_blocks_splits_and_their_order_change_no_byte(field_type: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(COLUMNS[field_type], max_size=40))
    whole = partial_of(field_type, [(values, "values")])
    in_blocks = partial_of(field_type, data.draw(cuts(values)))
    splits = [partial_of(field_type, [piece]) for piece in data.draw(cuts(values))]
    shuffled = data.draw(st.permutations(splits))
    assert json.dumps(in_blocks) == json.dumps(whole)
    assert json.dumps(merge(shuffled)) == json.dumps(whole)
    assert json.dumps(merge([merge(shuffled[:2]), *shuffled[2:]])) == json.dumps(whole)


@given(values=st.lists(st.decimals(-(10**9), 10**9, places=3), max_size=40))
@examples(8)
def test_the_sum_is_the_exact_sum_rounded_once(values: list[Decimal]) -> None:
    found = finish(partial_of("number", [(list(map(str, values)), "values")]))["x"]
    assert found["sum"] == float(sum(values))


@given(values=st.lists(st.integers(-(10**30), 10**30), max_size=40))
@examples(8)
def test_sums_and_bounds_of_integers_are_exact(values: list[Any]) -> None:
    found = finish(partial_of("integer", [(list(map(str, values)), "values")]))["x"]
    assert found["sum"] == sum(values)
    assert (found["min"], found["max"]) == (min(values, default=None), max(values, default=None))
