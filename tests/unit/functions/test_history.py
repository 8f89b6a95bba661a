"""The history of a dataset, and the comparison of a file with it."""

from __future__ import annotations

from typing import Any

from summarize.dataset_history import KEPT_FILES, entry_of, usual, with_entry
from tests.unit.functions.report_pages import FILE_ID, summary_of


def entry(number: int, **changes: Any) -> dict[str, Any]:
    figures = {"rows": 100 + number, "bytes": 1000, "reject_rate": 0.5, "null_rates": {"a": 1.0}}
    return {"file_id": f"f{number}", "generated_at": f"2026-01-{number:02d}", **figures, **changes}


def test_an_entry_has_the_figures_of_the_summary() -> None:
    summary, _ = summary_of(b"id,amount\n1,2\n2,\n3,\n4,x\n")
    assert entry_of(summary) == {
        "file_id": FILE_ID,
        "generated_at": "2026-03-01T08:00:05.000Z",
        "rows": 4,
        "bytes": 24,
        "reject_rate": 25.0,
        "null_rates": {"id": 0.0, "amount": 66.67},
    }


def test_a_first_file_has_nothing_to_be_compared_with() -> None:
    assert usual([], entry(1)) is None
    assert usual([entry(1)], entry(1)) is None


def test_a_file_is_compared_with_the_median_of_the_earlier_ones() -> None:
    history = [entry(1), entry(2), entry(4, null_rates={"a": 9.0, "b": 5.0}), entry(9)]
    assert usual(history, entry(5, rows=300, null_rates={"a": 2.0, "new": 1.0})) == {
        "files": 3,
        "since": "2026-01-01",
        "rows": {"value": 300, "median": 102, "lowest": 101, "highest": 104},
        "bytes": {"value": 1000, "median": 1000, "lowest": 1000, "highest": 1000},
        "reject_rate": {"value": 0.5, "median": 0.5, "lowest": 0.5, "highest": 0.5},
        "null_rates": {"a": {"value": 2.0, "median": 1.0, "lowest": 1.0, "highest": 9.0}},
    }


def test_a_later_attempt_replaces_the_file_s_entry() -> None:
    history = with_entry([entry(1), entry(2)], entry(3, file_id="f1"))
    assert [one["file_id"] for one in history] == ["f2", "f1"]


def test_an_earlier_attempt_that_is_redriven_leaves_the_later_one_s_entry() -> None:
    later = entry(3, file_id="f1", rows=7)
    assert with_entry([entry(2), later], entry(1)) == [entry(2), later]


def test_only_the_last_files_are_kept_in_any_order() -> None:
    history: list[Any] = []
    for number in [5, *range(1, 29)]:
        history = with_entry(history, entry(number))
    assert [one["file_id"] for one in history] == [f"f{n}" for n in range(29 - KEPT_FILES, 29)]


def test_wide_files_leave_only_some_of_their_fields_in_the_history() -> None:
    summary, _ = summary_of(",".join(f"c{n}" for n in range(1000)).encode() + b"\n" + b"," * 999)
    assert len(entry_of(summary)["null_rates"]) == 300
