"""The figures of notifications on rejects and changed columns: counts, and the contract's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tabular.contract.descriptor import parse_contract
from tabular.faults import RuleCount, RuleKey
from tabular.model import Field
from tabular.reading.drift import MAX_NAMES, drift_of
from tabular.reading.layout import read_layout
from tabular.statistics.accumulator import Accumulator, merge
from tabular.statistics.reasons import MAX_REASONS, main_reasons


def statistics(counts: Mapping[RuleKey, tuple[int, int]]) -> dict[str, Any]:
    accumulator = Accumulator([Field("a", "a")])
    accumulator.add_rejects({key: RuleCount(*count) for key, count in counts.items()})
    return merge([accumulator.partial()])


def test_the_rules_that_most_records_break_come_first() -> None:
    counts: dict[RuleKey, tuple[int, int]] = {
        ("b", "constraint-error", "minimum"): (2, 2),
        (None, "extra-cell", None): (21, 7),
        ("a", "type-error", "type"): (2, 2),
    }
    assert main_reasons(statistics(counts), column_numbers={"a": 3, "b": 1}) == {
        "faults": 25,
        "reasons": [
            {"column": None, "code": "extra-cell", "rule": None, "faults": 21, "records": 7},
            {"column": 1, "code": "constraint-error", "rule": "minimum", "faults": 2, "records": 2},
            {"column": 3, "code": "type-error", "rule": "type", "faults": 2, "records": 2},
        ],
        "other_faults": 0,
    }


def test_no_name_of_a_column_is_in_the_reasons() -> None:
    contract = parse_contract(
        {"fields": [{"name": "other"}, {"name": "secret", "pipeline": {"outputName": "x"}}]}
    )
    layout = read_layout(b"other,secret\n1,2\n", size=17, name="a.csv", contract=contract)
    counts: dict[RuleKey, tuple[int, int]] = {("x", "type-error", "type"): (2, 2)}
    found = main_reasons(statistics(counts), column_numbers=layout.column_numbers)
    assert found["reasons"] == [
        {"column": 2, "code": "type-error", "rule": "type", "faults": 2, "records": 2}
    ]


def test_reasons_are_bounded() -> None:
    names = [f"field-{n}" for n in range(MAX_REASONS + 5)]
    counts: dict[RuleKey, tuple[int, int]] = {(name, "type-error", None): (3, 3) for name in names}
    numbers = {name: number for number, name in enumerate(names, 1)}
    found = main_reasons(statistics(counts), column_numbers=numbers)
    assert [reason["column"] for reason in found["reasons"]] == list(range(1, MAX_REASONS + 1))
    assert found["other_faults"] == 15


def drift(header: str, settings: dict[str, Any], *fields: str) -> dict[str, Any] | None:
    schema = {"fields": [{"name": name} for name in fields], "fieldsMatch": "partial"}
    contract = parse_contract({"schema": schema, "pipeline": settings})
    body = f"{header}\n{','.join('1' for _ in header.split(','))}\n".encode()
    return drift_of(read_layout(body, size=len(body), name="a.csv", contract=contract))


@pytest.mark.parametrize(
    ("settings", "dropped", "kept"),
    [({}, 2, 0), ({"extraColumns": "drop"}, 2, 0), ({"extraColumns": "keep"}, 0, 2)],
)
@pytest.mark.parametrize("missing", ["keep", "drop"])
def test_unknown_columns_are_counted_and_missing_fields_named(
    settings: dict[str, Any], dropped: int, kept: int, missing: str
) -> None:
    found = drift("a,secret,b,x", {**settings, "missingColumns": missing}, "a", "b", "c")
    assert found == {
        "missing_fields": ["c"],
        "missing_count": 1,
        "dropped_columns": dropped,
        "kept_columns": kept,
    }
    assert "secret" not in str(found)


def test_missing_fields_are_bounded() -> None:
    found = drift("a,b", {}, "a", *(f"field-{n}-{'x' * 300}" for n in range(50)))
    assert found is not None
    assert (len(found["missing_fields"]), found["missing_count"]) == (MAX_NAMES, 50)
    assert max(map(len, found["missing_fields"])) <= 200


def test_without_fields_in_the_contract_there_is_no_drift() -> None:
    body = b"a,b\n1,2\n"
    for contract in (None, parse_contract({"pipeline": {"maxRejectCount": 1}})):
        assert drift_of(read_layout(body, size=8, name="a.csv", contract=contract)) is None
