"""The report of a failed file, made from what its execution left."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from data_report import failure
from data_report.failure import ReportedFailure, render_failure
from tests.unit.functions.report_pages import FILE_ID, Page, read

EVIL = "<script>alert(1)</script>"
FAILED = ReportedFailure(
    file={
        "file_id": FILE_ID,
        "attempt": 1,
        "source": {
            "bucket": "in",
            "key": "raw/people/people.csv",
            "version_id": "v1",
            "etag": "e",
            "size": 1200,
            "event_time": "2026-03-01T08:00:00.000Z",
            "dataset": "people",
        },
        "contract_key": "contracts/people.json",
        "contract_version": "v2",
    },
    execution={"arn": "arn:aws:states:execution", "name": FILE_ID},
    started_at="2026-03-01T08:00:01.000Z",
    failed_at="2026-03-01T08:00:05.000Z",
    code="TooManyRejects",
    message=f"3 of 4 records were rejected. See them with `pipectl rejects {FILE_ID}`.",
    state="WriteOutput",
    records=4,
    rejected=3,
    rejected_lines=(),
    no_rejects=None,
    limit_percent=10.0,
    shows_values=True,
    columns={"matched": ["id"], "dropped": ["x"], "missing": ["name"], "kept": []},
    correction_key=f"corrections/people/{FILE_ID}.csv",
    next_step="Remove the cause, then rerun the file:",
    next_command=f"pipectl rerun {FILE_ID}",
)


def line(row: int, *fields: str, value: str = EVIL) -> bytes:
    faults = [
        {"field": one, "code": "type-error", "rule": "type", "message": "expected", "value": value}
        for one in fields
    ]
    record = {"row": row, "line": row + 1, "byte_offset": 9, "errors": faults, "raw": value}
    return json.dumps(record).encode()


LINES = [line(1, "id"), line(2, "id", "n"), line(4, "id")]


def page(**changes: Any) -> Page:
    return read(render_failure(replace(FAILED, **changes)))


def test_it_says_what_was_wrong_with_examples_and_how_to_fix_it() -> None:
    shown = page(rejected_lines=LINES)
    assert shown.headings() == [
        *("Verdict", "What was wrong", "Examples", "How to fix it", "Columns", "Provenance")
    ]
    assert [row[:5] for row in shown.tables["wrong"][1:]] == [
        ["id", "type expected", "4", "3", "75%"],
        ["n", "type expected", "4", "1", "25%"],
    ]
    assert "4 faults in 3 rejected records" in shown.text
    assert shown.text.count(EVIL) == 8  # value and record of each fault
    assert shown.tags["script"] == 0
    for command in ("rerun", "rejects", "correct"):
        assert f"pipectl {command} {FILE_ID}" in shown.text


def test_the_contract_can_keep_cells_out_of_it() -> None:
    shown = page(rejected_lines=LINES, shows_values=False)
    assert EVIL not in shown.text
    assert "reportExamples: none" in shown.text


def test_without_rejects_the_columns_say_what_differs() -> None:
    shown = page(code="HeaderMismatch", state="ParseCsv", records=None, rejected=None)
    assert shown.headings() == ["Verdict", "How to fix it", "Columns", "Provenance"]
    assert "The file failed with HeaderMismatch in ParseCsv." in shown.text
    assert "Extra: 1 In the header, but not in the contract." in shown.text
    assert "Missing: 1 In the contract, but not in the header." in shown.text
    assert "not in the output" not in shown.text


def test_a_header_that_was_not_read_is_not_compared() -> None:
    assert "They are not compared" in page(columns=None).text


def test_shares_are_unknown_if_the_file_was_not_read_to_its_end() -> None:
    shown = page(rejected_lines=LINES, records=None, rejected=None)
    assert "Reading stopped when the limit was exceeded" in shown.text
    assert shown.tables["wrong"][1][2:5] == ["\u2013", "3", "\u2013"]


def test_more_rejects_than_are_counted_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failure, "MOST_REJECTS", 2)
    shown = page(rejected_lines=LINES)
    assert "Counted in the first 2 rejected records." in shown.text
    assert shown.tables["wrong"][1][2:5] == ["\u2013", "2", "\u2013"]


def test_rejects_that_have_expired_are_said() -> None:
    shown = page(no_rejects="The rejected records are deleted after 15 days.")
    assert "What was wrong" in shown.headings()
    assert "deleted after 15 days" in shown.text
