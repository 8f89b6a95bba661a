"""Where things lie in the buckets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import keys
from tests.unit.functions import workflow
from tests.unit.functions.properties import quickly


@pytest.mark.parametrize(
    ("key", "dataset"),
    [
        ("raw/orders/2026.csv", "orders"),
        ("raw/orders/2026/03/01.csv", "orders"),
        ("raw/2026.csv", "default"),
        ("raw//2026.csv", "default"),
        ("raw/raw/2026.csv", "raw"),
    ],
)
def test_the_dataset_is_the_folder_under_raw(key: str, dataset: str) -> None:
    assert keys.dataset_of(key) == dataset


def test_parts_sort_as_their_splits() -> None:
    parts = [keys.part_key("f1", split, "jsonl") for split in range(0, 10_000, 7)]
    assert parts == sorted(parts)


def test_contents_of_a_part_lie_side_by_side_in_its_files_folder() -> None:
    assert keys.part_key("f1", 3, "rejected.csv") == "work/f1/parts/00003.rejected.csv"
    assert keys.part_key("f1", 3, "jsonl").startswith(keys.parts_prefix("f1"))


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (keys.contract_key("orders"), "contracts/orders.json"),
        (keys.processed_key("orders", "f1", "jsonl"), "processed/orders/f1.jsonl"),
        (keys.rejected_key("orders", "f1", "csv"), "rejected/orders/f1.csv"),
        (keys.summary_key("orders", "f1"), "reports/orders/f1_summary.json"),
        (keys.report_key("orders", "f1"), "reports/orders/f1.html"),
        (keys.history_key("orders"), "reports/orders/history.json"),
        (keys.plan_key("f1"), "work/f1/plan.json"),
    ],
)
def test_outputs_lie_where_the_documentation_says(key: str, expected: str) -> None:
    assert key == expected


@pytest.mark.parametrize("state", ["MeasureSplits", "TransformSplits"])
def test_the_workflow_writes_the_results_of_its_maps_to_the_same_prefix(state: str) -> None:
    prefix = workflow.STATES[state]["ResultWriter"]["Parameters"]["Prefix.$"]
    template = prefix.removeprefix("States.Format('").partition("'")[0]
    assert template.format("f1", "e1") == keys.map_results_prefix("f1", "e1", state)


def test_an_archived_file_keeps_its_name() -> None:
    key = keys.archive_key("orders", "f1", "raw/orders/2026/a b.csv.gz")
    assert key == "processed/orders/f1/a b.csv.gz"


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"), max_size=300)


@given(names.map("raw/orders/{}.csv".format))
@quickly
def test_an_archive_key_is_never_too_long_and_keeps_the_suffix(source_key: str) -> None:
    key = keys.archive_key("orders", "0" * 32, source_key)
    assert len(key.encode()) <= keys.MAX_KEY_BYTES
    assert key.startswith(f"processed/orders/{'0' * 32}/")
    assert key.endswith(".csv")


def test_files_of_one_name_and_dataset_are_archived_apart() -> None:
    first = keys.archive_key("orders", "f1", "raw/orders/2025/a.csv")
    assert first != keys.archive_key("orders", "f2", "raw/orders/2026/a.csv")


def test_a_dataset_too_long_for_any_key_ends_too() -> None:
    assert keys.archive_key("o" * 1100, "f1", "raw/a.csv").endswith("/f1/")
