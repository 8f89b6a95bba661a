"""The keys of objects in both buckets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import keys
from tests.effort import examples
from tests.unit.functions import workflow


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


WORK = keys.Work("f1", "e1")


def test_parts_sort_as_their_splits() -> None:
    parts = [WORK.part(split, "jsonl") for split in range(0, 10_000, 7)]
    assert parts == sorted(parts)


def test_contents_of_a_part_are_side_by_side_in_its_executions_folder() -> None:
    assert WORK.part(3, "corrections.csv") == "work/f1/e1/parts/00003.corrections.csv"
    assert WORK.part(3, "jsonl").startswith(WORK.parts)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (keys.contract_key("orders"), "contracts/orders.json"),
        (keys.processed_key("orders", "a.csv", "jsonl"), "processed/orders/a.csv.jsonl"),
        (keys.rejected_key("orders", "2026/a.csv"), "rejected/orders/2026/a.csv.jsonl"),
        (keys.corrections_key("orders", "f1"), "corrections/orders/f1.csv"),
        (keys.summary_key("orders", "f1"), "reports/orders/f1_summary.json"),
        (keys.report_key("orders", "f1"), "reports/orders/f1.html"),
        (keys.history_key("orders"), "reports/orders/history.json"),
        (WORK.plan, "work/f1/e1/plan.json"),
    ],
)
def test_outputs_are_where_the_documentation_says(key: str, expected: str) -> None:
    assert key == expected


@pytest.mark.parametrize("state", ["MeasureSplits", "TransformSplits"])
def test_the_workflow_writes_the_results_of_its_maps_to_the_same_prefix(state: str) -> None:
    prefix = workflow.STATES[state]["ResultWriter"]["Parameters"]["Prefix.$"]
    template = prefix.removeprefix("States.Format('").partition("'")[0]
    assert template.format("f1", "e1") == WORK.map_results(state)


def test_an_archived_file_keeps_its_name() -> None:
    key = keys.archive_key("orders", "f1", "raw/orders/2026/a b.csv.gz")
    assert key == "processed/orders/f1/a b.csv.gz"


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"), max_size=300)


@given(names.map("raw/orders/{}.csv".format))
@examples(20)
def test_an_archive_key_is_never_too_long_and_keeps_the_suffix(source_key: str) -> None:
    key = keys.archive_key("orders", "0" * 32, source_key)
    assert len(key.encode()) <= keys.MAX_KEY_BYTES
    assert key.startswith(f"processed/orders/{'0' * 32}/")
    assert key.endswith(".csv")


def test_files_with_one_name_and_dataset_have_different_archive_keys() -> None:
    first = keys.archive_key("orders", "f1", "raw/orders/2025/a.csv")
    assert first != keys.archive_key("orders", "f2", "raw/orders/2026/a.csv")


def test_shortening_ends_even_if_the_dataset_alone_is_too_long() -> None:
    assert keys.archive_key("o" * 1100, "f1", "raw/a.csv").endswith("/f1/")


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("raw/orders/march.csv", "march.csv"),
        ("raw/orders/2026/march.csv.gz", "2026/march.csv.gz"),
        ("raw/orders/dt=2026-03-01/a b.csv", "dt=2026-03-01/a b.csv"),
        ("raw/Orders/März.CSV", "März.CSV"),
        ("raw/a.csv", "a.csv"),
        ("raw/default/a.csv", "default/a.csv"),
        ("raw/default/default/a.csv", "default/default/a.csv"),
    ],
)
def test_an_output_has_the_name_of_its_source(key: str, path: str) -> None:
    assert keys.output_path("in", key, ["jsonl"]) == path


@pytest.mark.parametrize(
    "path",
    ["_a.csv", ".a.csv", "x/_y/a.csv", "../a.csv", "x/../a.csv", "/a.csv", "x//a.csv", "a\n.csv"],
)
def test_a_name_that_readers_would_skip_or_misread_is_replaced_by_an_id_of_the_key(
    path: str,
) -> None:
    key = f"raw/orders/{path}"
    found = keys.output_path("in", key, ["jsonl"])
    assert found == keys.key_id("in", key)
    assert len(found) == keys.FILE_ID_LENGTH
    # The same for all versions of the key, but not for other keys.
    assert found != keys.output_path("in", f"raw/orders/x/{path}", ["jsonl"])


@given(st.lists(names, min_size=1, max_size=4).map("/".join))
@examples(20)
def test_no_output_key_is_too_long(path: str) -> None:
    found = keys.output_path("in", f"raw/orders/{path}", ["jsonl", "parquet"])
    of_version = f"{found}.{'0' * keys.FILE_ID_LENGTH}"
    for key in (
        keys.processed_key("orders", of_version, "parquet"),
        keys.rejected_key("orders", of_version),
    ):
        assert len(key.encode()) <= keys.MAX_KEY_BYTES


segments = st.sampled_from(["default", "a", "b", "a.csv", "_a", ""])


@given(st.lists(st.lists(segments, min_size=1, max_size=3).map("/".join), unique=True, max_size=8))
@examples(20)
def test_no_two_keys_share_an_output(paths: list[str]) -> None:
    found = [
        keys.processed_key(keys.dataset_of(key), keys.output_path("in", key, ["jsonl"]), "jsonl")
        for key in (f"raw/{path}" for path in paths)
    ]
    assert len(set(found)) == len(found)
