"""The summary report: its keys and their values."""

import json
from typing import Any

import polars as pl
import pytest

from tabular.faults import RuleCount
from tabular.model import Field
from tabular.statistics.accumulator import Accumulator, merge
from tabular.statistics.reject_examples import Example
from tabular.statistics.summary import summarize

FIELDS = [
    Field("name", "name", "string"),
    Field("email", "email", "string"),
    Field("amount", "amount", "number"),
    Field("date", "date", "string"),
]
SAMPLE = {
    "name": ["John Doe", "Jane Smith", "Bob Wilson", "Alice Brown"],
    "email": ["john@example.com", "jane@example.com", "bob@example.com", "alice@example.com"],
    "amount": ["100.50", "250.00", "75.25", "300.00"],
    "date": ["2024-01-15", "2024-01-16", "2024-01-17", "2024-01-18"],
}


@pytest.fixture
def accumulator() -> Accumulator:
    accumulator = Accumulator(FIELDS)
    for name, values in SAMPLE.items():
        accumulator.add(name, pl.Series(values))
    return accumulator


def summary_of(accumulator: Accumulator, **counts: Any) -> dict[str, Any]:
    counts = {"record_count": 4, "processed_count": 4, "error_count": 0} | counts
    return summarize(accumulator.partial(), generated_at="2024-01-20T10:00:00Z", **counts)


def test_the_summary_of_the_sample_has_the_agreed_totals(accumulator: Accumulator) -> None:
    summary = summary_of(accumulator)
    assert list(summary)[:6] == [
        "total_input_rows",
        "total_processed",
        "total_errors",
        "success_rate",
        "generated_at",
        "field_statistics",
    ]
    assert (summary["total_input_rows"], summary["total_processed"]) == (4, 4)
    assert (summary["total_errors"], summary["success_rate"]) == (0, 100.0)
    assert summary["generated_at"] == "2024-01-20T10:00:00Z"


def test_the_summary_of_the_sample_has_the_agreed_field_statistics(
    accumulator: Accumulator,
) -> None:
    fields = summary_of(accumulator)["field_statistics"]
    amount = {key: fields["amount"][key] for key in ("type", "count", "sum", "avg", "min", "max")}
    assert json.dumps(amount) == (
        '{"type": "numeric", "count": 4, "sum": 725.75, "avg": 181.44, "min": 75.25, "max": 300.0}'
    )
    for name in ("name", "email", "date"):
        agreed = {key: fields[name][key] for key in ("type", "count", "unique")}
        assert agreed == {"type": "string", "count": 4, "unique": 4}


@pytest.mark.parametrize(
    ("values", "notes"),
    [
        (["2024-03-01T00:00:00", "2024-03-01T00:00:00Z"], 1),
        (["2024-03-01T00:00:00Z", "2024-03-01T00:00:00+02:00"], 0),
        (["2024-03-01T00:00:00", None], 0),
    ],
)
def test_a_field_of_datetimes_with_and_without_a_zone_is_noted(
    values: list[str | None], notes: int
) -> None:
    fields = (Field("at", "at", "datetime"),)
    found = [Accumulator(fields), Accumulator(fields)]
    for accumulator, value in zip(found, values, strict=True):
        accumulator.add("at", pl.Series([value], dtype=pl.String))
    merged = merge(accumulator.partial() for accumulator in found)
    summary = summarize(
        merged, record_count=2, processed_count=2, error_count=0, generated_at="2024-01-20"
    )
    assert len(summary["notes"]) == notes
    assert all("1 of 2 datetimes have a time zone" in note for note in summary["notes"])


@pytest.mark.parametrize(
    ("processed", "records", "rate"),
    [(2, 3, 66.67), (0, 0, 0.0), (0, 7, 0.0), (9999, 10000, 99.99)],
)
def test_the_success_rate_is_in_per_cent_with_two_decimals(
    accumulator: Accumulator, processed: int, records: int, rate: float
) -> None:
    summary = summary_of(
        accumulator,
        record_count=records,
        processed_count=processed,
        error_count=records - processed,
    )
    assert summary["success_rate"] == rate


def test_rejects_are_counted_by_code_by_field_and_for_whole_rows(accumulator: Accumulator) -> None:
    accumulator.add_rejects(
        {
            ("amount", "type-error", "type"): RuleCount(3, 3),
            ("date", "type-error", "type"): RuleCount(1, 1),
            ("date", "constraint-error", "minimum"): RuleCount(1, 1),
            ("date", "constraint-error", "enum"): RuleCount(1, 1),
            (None, "extra-cell", None): RuleCount(4, 1),
        }
    )
    rejects = summary_of(accumulator)["rejects"]
    del rejects["by_rule"]
    assert rejects == {
        "faults": 10,
        "by_code": {"constraint-error": 2, "extra-cell": 4, "type-error": 4},
        "by_field": {
            "amount": {"type-error": 3},
            "date": {"constraint-error": 2, "type-error": 1},
        },
        "of_rows": {"extra-cell": 4},
    }


def test_rejected_records_are_counted_by_rule_most_frequent_first(
    accumulator: Accumulator,
) -> None:
    enum, extra = ("date", "constraint-error", "enum"), (None, "extra-cell", None)
    accumulator.add_rejects({enum: RuleCount(2, 2), extra: RuleCount(4, 1)})
    accumulator.add_examples(
        [Example(enum, 7, 8, "no", "v", "raw"), Example(enum, 3, 4, "no", "v", "raw")]
    )
    assert summary_of(accumulator, record_count=16)["rejects"]["by_rule"] == [
        {
            "field": "date",
            "code": "constraint-error",
            "rule": "enum",
            "checked": 16,
            "failed": 2,
            "failure_rate": 12.5,
            "faults": 2,
            "first_rows": [3, 7],
        },
        {
            "field": None,
            "code": "extra-cell",
            "rule": None,
            "checked": 16,
            "failed": 1,
            "failure_rate": 6.25,
            "faults": 4,
            "first_rows": [],
        },
    ]


def test_without_values_no_statistic_can_be_a_cell(accumulator: Accumulator) -> None:
    summary = summary_of(accumulator, show_values=False)
    texts = json.dumps(summary)
    assert not [cell for cells in SAMPLE.values() for cell in cells if cell in texts]
    assert {
        name: figure
        for name, figure in summary["field_statistics"]["amount"].items()
        if figure is not None
    } == {
        "type": "numeric",
        "count": 4,
        "field_type": "number",
        "nulls": 0,
        "distinct": 4,
        "distinct_exact": True,
    }


def test_facts_about_the_file_are_under_file(accumulator: Accumulator) -> None:
    facts = {"source": "s3://bucket/raw/orders.csv", "encoding": "utf-8"}
    summary = summarize(
        accumulator.partial(),
        record_count=4,
        processed_count=4,
        error_count=0,
        generated_at="2024-01-20T10:00:00Z",
        file=facts,
    )
    assert summary["file"] == facts


def test_a_summary_is_strict_json(accumulator: Accumulator) -> None:
    json.dumps(summary_of(accumulator), allow_nan=False)
