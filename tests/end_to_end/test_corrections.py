"""Rejected rows are corrected: the file is processed again with the new cells in their places."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote_plus

import pytest

from pipectl.client.stack_choice import Stack
from pipectl.client.targets import read_target
from pipectl.operate.details import read_details
from pipectl.operate.failure_report import report_of
from tests.end_to_end.pipeline import FileOutcome, Pipeline
from tests.unit.functions.report_pages import read
from tests.unit.tabular.correcting import saved, table_of

INTEGERS: dict[str, Any] = {
    "schema": {
        "fields": [{"name": "id", "type": "integer"}, {"name": "n", "type": "integer"}],
        "primaryKey": ["id"],
    },
    "dialect": {"delimiter": ","},
    "pipeline": {"maxRejectPercent": 100},
}
ROWS = b"id,n\n1,1\n2,2\n2,3\n3,x\n"


@pytest.fixture(scope="module")
def rejected(pipeline: Pipeline) -> FileOutcome:
    pipeline.put_contract("corrected", INTEGERS)
    outcome = pipeline.run(ROWS, dataset="corrected")
    assert outcome.execution.status == "succeeded"
    return outcome


def records(outcome: FileOutcome) -> list[tuple[int, int, int]]:
    lines = map(json.loads, outcome.output("processed/", ".jsonl").splitlines())
    return [(line["original_row"], line["data"]["id"], line["data"]["n"]) for line in lines]


def rejects(outcome: FileOutcome) -> dict[int, list[str]]:
    lines = map(json.loads, outcome.output("rejected/", ".jsonl").splitlines())
    return {line["row"]: [fault["code"] for fault in line["errors"]] for line in lines}


def to_correct(outcome: FileOutcome) -> list[list[str]]:
    return table_of(outcome.output("corrections/", ".csv"))


def test_rows_are_corrected_until_none_is_rejected(
    pipeline: Pipeline, rejected: FileOutcome
) -> None:
    assert (records(rejected), list(rejects(rejected))) == ([(1, 1, 1), (2, 2, 2)], [3, 4])
    table = to_correct(rejected)

    unchanged = pipeline.correct(rejected, rejected.output("corrections/", ".csv"))
    assert unchanged.execution.status == "succeeded"
    assert rejects(unchanged) == rejects(rejected)
    assert records(unchanged) == records(rejected)
    assert unchanged.published("corrections/") == rejected.published("corrections/")

    # Row 4 becomes good; row 3 gets the key of another row, and is rejected again.
    table[1][2], table[2][3] = "1", "3"
    second = pipeline.correct(rejected, saved(table, delimiter=";"), attempt=3)
    assert records(second) == [(1, 1, 1), (2, 2, 2), (4, 3, 3)]
    assert rejects(second) == {3: ["primary-key"]}
    assert second.item["corrected_count"] == 2

    # Only the last row is in this file: what was corrected before stays corrected.
    rest = to_correct(second)
    assert [row[:1] + row[2:] for row in rest[1:]] == [["3", "1", "3", ""]]
    rest[1][2] = "4"
    third = pipeline.correct(rejected, saved(rest, encoding="utf-16"), attempt=4)
    assert records(third) == [(1, 1, 1), (2, 2, 2), (3, 4, 3), (4, 3, 3)]
    assert third.published("rejected/") == []
    applied = third.output("corrections/", ".applied.jsonl").splitlines()
    assert [json.loads(line) for line in applied] == [
        {
            "row": 3,
            "before": ["2", "3"],
            "raw": "",
            "after": ["4", None],
            "executions": [f"{rejected.file_id}-r3", f"{rejected.file_id}-r4"],
        },
        {
            "row": 4,
            "before": ["3", "x"],
            "raw": "",
            "after": [None, "3"],
            "executions": [f"{rejected.file_id}-r3"],
        },
    ]
    # After any rerun, id 2 is there once, and the corrections are kept.
    source = pipeline.source_of(rejected.file_id)
    pipeline.send(
        {"file_id": rejected.file_id, "attempt": 4, "source": dict(source), "force": True}
    )
    again = pipeline.outcome(rejected.file_id, f"{rejected.file_id}-r5")
    assert records(again) == records(third)
    assert again.item["corrected_count"] == 2


def _report(pipeline: Pipeline, file: FileOutcome) -> bytes:
    stack = Stack(pipeline.deployment)
    return report_of(stack, read_details(stack, read_target(file.file_id)))


def test_a_header_that_the_contract_does_not_allow_is_in_the_report(pipeline: Pipeline) -> None:
    fields = [{"name": name} for name in ("id", "name", "city", "n")]
    pipeline.put_contract("corrected-header", {"schema": {"fields": fields}})
    failed = pipeline.run(b"id,name,city,m\n1,a,b,2\n", dataset="corrected-header")
    assert failed.run.failure is not None
    assert failed.run.failure.code == "HeaderMismatch"
    text = read(_report(pipeline, failed)).text
    assert "Extra: 1 In the header, but not in the contract.m" in text
    assert "Missing: 1 In the contract, but not in the header.n" in text
    assert pipeline.outputs["InputBucketName"] in text


def test_corrections_of_a_failed_file_add_up_until_it_succeeds(pipeline: Pipeline) -> None:
    contract = {**INTEGERS, "pipeline": {"maxRejectCount": 1}}
    pipeline.put_contract("corrected-failed", contract)
    failed = pipeline.run(b"id,n\n1,x\n2,y\n3,z\n4,4\n5,5\n", dataset="corrected-failed")
    assert failed.run.failure is not None
    assert failed.run.failure.code == "TooManyRejects"
    report = read(_report(pipeline, failed))
    assert "3 faults in 3 rejected records" in report.text
    assert [row[2:4] for row in report.tables["wrong"][1:]] == [["5", "3"]]
    assert "The header has 2 columns: exactly those of the contract." in report.text
    header = b"_row,id,n\n"

    wrong = pipeline.correct(failed, header + b"4,4,5\n")
    assert wrong.run.failure is not None
    assert wrong.run.failure.code == "InvalidCorrections"
    assert "Line 2: its `_row` is not that of a rejected row" in pipeline.cause(wrong)

    still = pipeline.correct(failed, header + b"1,1,1\n", attempt=3)
    assert still.run.failure is not None
    assert still.run.failure.code == "TooManyRejects"

    done = pipeline.correct(failed, header + b"2,2,2\n", attempt=4)
    assert records(done) == [(1, 1, 1), (2, 2, 2), (4, 4, 4), (5, 5, 5)]
    assert rejects(done) == {3: ["type-error"]}


def test_corrections_apply_in_every_split(pipeline: Pipeline) -> None:
    contract = {"schema": {"fields": INTEGERS["schema"]["fields"]}, "pipeline": {}}
    pipeline.put_contract("corrected-splits", contract)
    lines = [f"{n},x" if n % 5_000 == 17 else f"{n},{n}" for n in range(1, 20_001)]
    large = pipeline.run("\n".join(["id,n", *lines, ""]).encode(), dataset="corrected-splits")
    table = to_correct(large)
    wrong = [int(row[0]) for row in table[1:]]
    assert wrong == [17, 5_017, 10_017, 15_017]
    for row in table[1:3] + table[4:]:
        row[3] = "-1"
    done = pipeline.correct(large, saved(table))
    assert rejects(done) == {10_017: ["type-error"]}
    assert [record for record in records(done) if record[2] == -1] == [
        (17, 17, -1),
        (5_017, 5_017, -1),
        (15_017, 15_017, -1),
    ]


def test_corrections_of_an_earlier_version_are_history(pipeline: Pipeline) -> None:
    pipeline.put_contract("corrected-versions", INTEGERS)
    first = pipeline.run(b"id,n\n1,x\n2,2\n", dataset="corrected-versions")
    second = pipeline.run(b"id,n\n1,y\n3,3\n", dataset="corrected-versions")
    late = pipeline.correct(first, b"_row,id,n\n1,1,1\n")
    assert late.execution.status == "succeeded"
    assert late.item["status"] == "superseded"
    assert records(pipeline.outcome(second.file_id)) == [(2, 3, 3)]


def test_corrections_of_no_known_file_are_a_dead_letter(pipeline: Pipeline) -> None:
    key = f"corrections/nothing/{'0' * 32}.csv"
    bucket = pipeline.outputs["InputBucketName"]
    pipeline.deployment.client("s3").put_object(Bucket=bucket, Key=key, Body=b"_row,a\n1,2\n")
    keys = [
        unquote_plus(record["s3"]["object"]["key"])
        for body in pipeline.wait_for_dead_letter("Records")
        for record in body["Records"]
    ]
    assert key in keys
