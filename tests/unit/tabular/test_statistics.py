"""The statistics of a file, and how partial ones are merged."""

import json
import math
import statistics as stdlib
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Context, Decimal
from typing import Any

import orjson
import polars as pl
import pytest

from tabular.faults import RuleCount
from tabular.model import Field
from tabular.statistics import field_statistics
from tabular.statistics.accumulator import (
    Accumulator,
    finish,
    merge,
    reject_counts,
    reject_examples,
)
from tabular.statistics.field_statistics import EXACT_DISTINCT, Limits
from tabular.statistics.reject_examples import Example

EXTRA = (None, "extra-cell", None)


def example(row: int, field: str | None = None) -> Example:
    key = (field, "missing-cell", None) if field else EXTRA
    return Example(key, row, row + 1, "message", None, f"raw {row}")


def statistics_of(field_type: str, *blocks: Sequence[str | None]) -> dict[str, Any]:
    accumulator = Accumulator([Field("X", "x", field_type)])
    for block in blocks:
        accumulator.add("x", pl.Series(block, dtype=pl.String))
    return finish(json.loads(json.dumps(accumulator.partial())))["x"]


def partial_of(field_type: str, block: list[str]) -> dict[str, Any]:
    accumulator = Accumulator([Field("X", "x", field_type)])
    accumulator.add("x", pl.Series(block, dtype=pl.String))
    document: dict[str, Any] = json.loads(json.dumps(accumulator.partial()))
    return document


def test_the_amounts_of_the_sample_sum_up_to_725_75() -> None:
    found = statistics_of("number", ["100.50", "250.00", "75.25", "300.00"])
    assert {key: found[key] for key in ("type", "count", "sum", "avg", "min", "max")} == {
        "type": "numeric",
        "count": 4,
        "sum": 725.75,
        "avg": 181.44,
        "min": 75.25,
        "max": 300.0,
    }


def test_texts_have_a_count_without_nulls_and_the_number_of_unique_values() -> None:
    found = statistics_of("string", ["b", None, "a", "b"])
    assert (found["type"], found["count"], found["nulls"]) == ("string", 3, 1)
    assert (found["unique"], found["distinct"], found["distinct_exact"]) == (2, 2, True)
    assert (found["min"], found["max"]) == ("a", "b")


def test_top_values_come_most_frequent_first_and_ties_in_order_of_value() -> None:
    found = statistics_of("string", ["c", "b", "a", "c", "b", "c"], ["d"])
    assert found["top_values"] == [
        {"value": "c", "count": 3},
        {"value": "b", "count": 2},
        {"value": "a", "count": 1},
        {"value": "d", "count": 1},
    ]


def test_at_most_ten_top_values_are_given() -> None:
    assert len(statistics_of("integer", [str(i) for i in range(50)])["top_values"]) == 10


@pytest.mark.parametrize(
    "texts",
    [
        ["0.1"] * 10,
        ["1e16", "1", "-1e16"],
        ["0.1234567890123456789", "0.0000000000000000001"],
        ["123456789012345678901234567890.5", "0.5"],
        ["999999999999999", "999999999999999", "0.1"],
    ],
)
def test_sums_are_those_of_the_decimals_that_the_file_holds(texts: list[str]) -> None:
    exact = Decimal(0)
    for text in texts:
        exact = Context(prec=100).add(exact, Decimal(text))
    assert statistics_of("number", texts)["sum"] == float(exact)


def test_integers_of_any_size_are_summed_and_bounded_exactly() -> None:
    found = statistics_of("integer", ["12345678901234567890123", "-1", "9007199254740993"])
    assert found["sum"] == 12345678901234567890123 - 1 + 9007199254740993
    assert (found["min"], found["max"]) == (-1, 12345678901234567890123)
    assert found["distinct"] == 3


def test_neighbouring_integers_that_share_a_double_are_distinguished() -> None:
    found = statistics_of("integer", ["9007199254740992", "9007199254740993", "9007199254740993"])
    assert found["distinct"] == 2
    assert found["top_values"][0] == {"value": 9007199254740993, "count": 2}


def test_mean_and_sample_standard_deviation_do_not_suffer_from_a_large_offset() -> None:
    values = [1_000_000_000.1, 1_000_000_000.2, 1_000_000_000.4]
    found = statistics_of("number", [str(v) for v in values])
    assert found["mean"] == pytest.approx(1_000_000_000.2333333, rel=1e-15)
    assert found["standard_deviation"] == pytest.approx(0.15275252316519466, rel=1e-14)


def test_one_value_has_no_standard_deviation() -> None:
    assert statistics_of("number", ["5"])["standard_deviation"] is None


def test_quantiles_of_few_distinct_values_are_nearest_ranks() -> None:
    found = statistics_of("integer", [str(i) for i in range(1, 101)])
    assert found["quantiles"] == {
        "p1": 1,
        "p5": 5,
        "p25": 25,
        "p50": 50,
        "p75": 75,
        "p95": 95,
        "p99": 99,
    }
    assert found["quantile_relative_error"] == 0


def test_the_histogram_counts_every_value_between_min_and_max() -> None:
    found = statistics_of("number", ["0", "0.4", "0.5", "9.5", "10"])
    assert found["histogram"]["edges"][:3] == [0.0, 0.5, 1.0]
    assert found["histogram"]["edges"][-1] == 10.0
    assert found["histogram"]["counts"] == [2, 1, *[0] * 17, 2]


def test_a_single_value_is_a_histogram_of_one_bin() -> None:
    assert statistics_of("number", ["2.5", "2.5"])["histogram"] == {
        "edges": [2.5, 2.5],
        "counts": [2],
    }


def test_dates_have_a_range() -> None:
    found = statistics_of("date", ["2024-02-28", None, "2024-03-01"])
    assert (found["min"], found["max"], found["range_days"]) == ("2024-02-28", "2024-03-01", 2)


def test_datetimes_with_a_time_zone_are_counted() -> None:
    local, zoned = "2024-03-01T00:00:00", ["2024-03-01T00:00:00Z", "2024-03-01T00:00:00.5-02:00"]
    assert statistics_of("datetime", [local, *zoned, None])["with_time_zone"] == 2
    assert statistics_of("datetime", [local, "-0044-03-15T00:00:00"])["with_time_zone"] == 0
    many = [f"2024-01-01T00:00:00.{number:05}Z" for number in range(20_000)]
    assert statistics_of("datetime", [*many, local])["with_time_zone"] == 20_000


def test_a_range_that_the_calendar_does_not_know_is_null() -> None:
    assert statistics_of("datetime", ["-0044-03-15T00:00:00"])["range_days"] is None


def test_nan_and_infinities_are_counted_but_enter_no_other_figure() -> None:
    found = statistics_of("number", ["1", "NaN", "INF", "-INF", "1e400", None, "3"])
    assert (found["count"], found["nulls"], found["non_finite"]) == (6, 1, 4)
    assert (found["sum"], found["min"], found["max"], found["distinct"]) == (4.0, 1.0, 3.0, 2)


def test_figures_beyond_the_range_of_doubles_are_null() -> None:
    found = statistics_of("number", ["1.7e308", "1.7e308"])
    assert (found["sum"], found["mean"]) == (None, 1.7e308)


@pytest.mark.parametrize("texts", [["-0.0"], ["0", "-0.0"], ["-0", "0.0"]])
def test_negative_zero_is_zero(texts: list[str]) -> None:
    found = statistics_of("number", texts)
    assert found["distinct"] == 1
    assert math.copysign(1, found["min"]) == 1
    assert math.copysign(1, found["top_values"][0]["value"]) == 1


def test_a_field_without_values_has_null_figures() -> None:
    found = statistics_of("number", [None, None])
    assert (found["count"], found["nulls"], found["sum"]) == (0, 2, 0.0)
    assert (found["avg"], found["min"], found["histogram"]) == (None, None, None)
    assert statistics_of("string")["unique"] == 0


def test_long_texts_are_distinguished_by_all_their_characters_and_shown_by_their_beginning() -> (
    None
):
    found = statistics_of("string", ["x" * 200 + "1", "x" * 200 + "2", "x" * 200 + "2"])
    assert found["distinct"] == 2
    assert found["top_values"][0] == {"value": "x" * 60 + "…", "count": 2}
    assert found["min"] == "x" * 100 + "…"


def test_beyond_the_bound_distinct_is_estimated_and_says_so() -> None:
    found = statistics_of("string", [f"id-{i}" for i in range(200_000)])
    assert not found["distinct_exact"]
    assert found["distinct"] == pytest.approx(200_000, rel=4 / math.sqrt(2046))
    assert found["top_values"] is None
    assert (found["min"], found["max"]) == ("id-0", "id-99999")


def test_beyond_the_bound_quantiles_keep_within_their_stated_error() -> None:
    values = [1.0001**i for i in range(100_000)]
    found = statistics_of("number", [repr(v) for v in values])
    assert found["quantile_relative_error"] == 2**-8
    assert found["quantiles"]["p50"] == pytest.approx(values[49_999], rel=2**-8)
    assert found["quantiles"]["p99"] == pytest.approx(values[98_999], rel=2**-8)
    assert found["sum"] == pytest.approx(math.fsum(values), rel=1e-15)
    assert found["standard_deviation"] == pytest.approx(stdlib.stdev(values), rel=1e-12)
    assert sum(found["histogram"]["counts"]) == 100_000


def test_exactly_the_bound_is_exact() -> None:
    found = statistics_of("integer", [str(i) for i in range(EXACT_DISTINCT)])
    assert (found["distinct"], found["distinct_exact"]) == (EXACT_DISTINCT, True)


def test_the_numbers_given_are_used_instead_of_casting_the_texts() -> None:
    accumulator = Accumulator([Field("X", "x", "number")])
    accumulator.add("x", pl.Series(["1.5", None]), pl.Series([1.5, None]))
    assert finish(accumulator.partial())["x"]["sum"] == 1.5


@pytest.mark.parametrize("field_type", ["string", "number", "integer"])
def test_values_that_were_counted_before_give_the_same_partial(field_type: str) -> None:
    block = pl.Series(["1", "2", "2", None, "1234567890123456789", "1", None])
    plain = Accumulator([Field("X", "x", field_type)])
    plain.add("x", block)
    counted = Accumulator([Field("X", "x", field_type)])
    counted.add_counts("x", Counter(block.to_list()))
    assert counted.partial() == plain.partial()


@pytest.mark.parametrize("field_type", ["string", "number", "integer"])
def test_values_that_were_counted_before_give_the_same_sketches(field_type: str) -> None:
    block = pl.Series([str(i * 3 % 12_007) for i in range(20_000)])
    plain = Accumulator([Field("X", "x", field_type)])
    plain.add("x", block)
    counted = Accumulator([Field("X", "x", field_type)])
    counted.add_counts("x", Counter(block.to_list()))
    assert counted.partial() == plain.partial()


def test_the_summary_is_in_the_order_of_the_contract() -> None:
    fields = [Field(name, name, "string") for name in "zay"]
    assert list(finish(Accumulator(fields).partial())) == ["z", "a", "y"]


def test_fields_go_by_their_output_names() -> None:
    accumulator = Accumulator([Field("Order ID", "order_id", "string")])
    accumulator.add("order_id", pl.Series(["a"]))
    with pytest.raises(KeyError):
        accumulator.add("Order ID", pl.Series(["a"]))


def test_rejects_are_counted_by_field_code_and_rule() -> None:
    accumulator = Accumulator([])
    type_error = ("amount", "type-error", "type")
    accumulator.add_rejects({type_error: RuleCount(2, 2), EXTRA: RuleCount(3, 1)})
    accumulator.add_rejects({type_error: RuleCount(1, 1)})
    whole = merge([accumulator.partial(), accumulator.partial()])
    assert reject_counts(whole) == {EXTRA: RuleCount(6, 2), type_error: RuleCount(6, 6)}


def test_the_first_ten_records_of_each_rule_are_examples() -> None:
    accumulator = Accumulator([])
    accumulator.add_examples(example(row) for row in range(30, 10, -1))
    accumulator.add_examples([example(11), example(5)])
    assert [found.row for found in reject_examples(accumulator.partial())[EXTRA]] == [
        5,
        *range(11, 20),
    ]


def test_examples_do_not_depend_on_how_the_file_was_cut() -> None:
    rows = [example(row, field=f"f{row % 7:02d}") for row in range(1, 200)]
    whole = Accumulator([])
    whole.add_examples(rows)
    parts = []
    for start in (120, 0, 60, 180):
        part = Accumulator([])
        part.add_examples(rows[start : start + 60])
        parts.append(json.loads(json.dumps(part.partial())))
    assert merge(parts) == whole.partial()


def test_only_the_first_rules_by_name_have_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tabular.statistics.reject_examples.MOST_RULES", 2)
    accumulator = Accumulator([])
    accumulator.add_examples([example(1, field="c"), example(2, field="b")])
    assert not accumulator.wants_example(("d", "missing-cell", None))
    accumulator.add_examples([example(3, field="a")])
    assert [key[0] for key in reject_examples(accumulator.partial())] == ["a", "b"]


def test_texts_of_examples_are_cut() -> None:
    accumulator = Accumulator([])
    accumulator.add_examples([example(1)._replace(raw="x" * 10_000, message="m" * 10_000)])
    [found] = reject_examples(accumulator.partial())[EXTRA]
    assert (len(found.raw), found.raw[-1], len(found.message)) == (500, "\u2026", 500)


def test_merging_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no partial statistics"):
        merge([])


def test_partials_of_another_hash_function_are_refused() -> None:
    part = partial_of("string", ["a"])
    with pytest.raises(ValueError, match="different hash"):
        merge([part, part | {"hash": "0"}])


def test_partials_of_other_fields_are_refused() -> None:
    with pytest.raises(ValueError, match="different fields"):
        merge([partial_of("string", ["1"]), partial_of("number", ["1"])])


def test_merging_leaves_the_given_partials_as_they_were() -> None:
    many = partial_of("string", [str(i) for i in range(EXACT_DISTINCT + 1)])
    few = partial_of("string", ["a"])
    before = orjson.dumps([few, many])
    merge([few, many])
    assert orjson.dumps([few, many]) == before


def test_a_partial_of_the_most_and_longest_values_that_are_counted_is_bounded() -> None:
    longest = [f"{i:05d}" + "\U0001f600" * 100 for i in range(EXACT_DISTINCT)]
    part = partial_of("string", longest)
    assert len(part["fields"]["x"]["values"]) == EXACT_DISTINCT
    assert len(orjson.dumps(part)) < 3_500_000


def test_a_partial_stays_small_however_many_rows_it_saw() -> None:
    accumulator = Accumulator([Field(t, t, t) for t in ("string", "number", "date")])
    days = [str(date(1900, 1, 1) + timedelta(days=i)) for i in range(30_000)]
    accumulator.add("string", pl.Series([f"{'long text ' * 20}{i}" for i in range(30_000)]))
    accumulator.add("number", pl.Series([f"{1.01**i:.9g}" for i in range(-5_000, 25_000)]))
    accumulator.add("date", pl.Series(days))
    assert len(orjson.dumps(accumulator.partial())) < 3 * 100_000


@pytest.mark.parametrize("fields", [1, 70, 100, 2_000, 50_000])
def test_the_exact_values_and_the_sketches_of_all_fields_are_bounded_together(fields: int) -> None:
    limits = Limits.of(fields)
    assert fields * limits.exact_bytes <= 128 * 1024 * 1024
    assert fields * limits.hashes * 8 <= 32 * 1024 * 1024
    assert fields * limits.buckets <= 1 << 20
    assert Limits.of(70) == Limits(Limits.of(70).exact_bytes, 2048, 2048)


def test_many_fields_of_many_values_make_a_partial_of_bounded_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(field_statistics, "_ALL_EXACT_BYTES", 1_000_000)
    fields = [Field(f"f{n}", f"f{n}", "string") for n in range(20)]
    accumulator = Accumulator(fields)
    texts = pl.Series([f"{n:05d}{'x' * 70}" for n in range(400)])
    for field in fields:
        accumulator.add(field.output_name, texts)
    part = accumulator.partial()
    assert len(json.dumps(part)) < 250_000
    assert finish(part)["f0"]["distinct_exact"] is False
    assert finish(merge([part, part]))["f19"]["distinct"] == 400
