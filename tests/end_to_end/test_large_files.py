"""Files of several splits: the same result as if they had run alone, or a visible fall-back."""

from __future__ import annotations

import json

import pytest

from tests.end_to_end.pipeline import Pipeline
from tests.end_to_end.samples import HEADER, expected, orders


def test_splits_give_what_the_whole_file_gives_to_the_byte(pipeline: Pipeline) -> None:
    body = orders(24_000)

    outcome = pipeline.run(body)

    assert outcome.states[:6] == [
        "ParseCsv",
        "IsSuperseded",
        "HowManySplits",
        "MeasureSplits",
        "NumberSplits",
        "TransformSplits",
    ]
    alone = expected(body, file_id=outcome.file_id, processed_at=outcome.item["processed_at"])
    assert outcome.output("processed/", ".jsonl") == alone.processed
    assert outcome.output("rejected/", ".jsonl") == alone.rejected
    written = json.loads(outcome.output("reports/", "_summary.json"))
    # What Summarize adds says where the file is from and how it was processed.
    of_records = json.loads(json.dumps(alone.summary))
    del of_records["file"]
    assert {name: written[name] for name in of_records} == of_records


def test_a_footer_is_left_out_of_a_file_of_several_splits(pipeline: Pipeline) -> None:
    body = orders(4_000)
    names = HEADER.decode().strip().split(",")
    schema = {"fields": [{"name": name, "type": "any"} for name in names]}
    settings = {"dialect": {"footerRows": 3}, "encoding": "utf-8", "schema": schema}
    pipeline.put_contract("with-footer", settings)

    outcome = pipeline.run(body + b'Total,"9\n",\nSum\nEnd', dataset="with-footer")

    assert "TransformSplits" in outcome.states
    records = outcome.output("processed/", ".jsonl").splitlines()
    rejects = outcome.output("rejected/", ".jsonl").splitlines()
    assert len(records) + len(rejects) == 4_000
    assert b"Total" not in rejects[-1]
    written = json.loads(outcome.output("reports/", "_summary.json"))
    assert (written["total_input_rows"], written["footer_rows"]) == (4_000, 3)


def test_cells_that_look_like_records_lead_to_the_visible_fall_back(pipeline: Pipeline) -> None:
    # The windows in which the splits are planned see nothing but lines of three cells.
    looks_like_records = b"1,2,3\n" * 60_000
    body = HEADER + b"1,2,x\n" + b'2,3,"' + looks_like_records + b'"\n' + b"3,4,y\n"

    outcome = pipeline.run(body)

    assert "PlanOneSplit" in outcome.states
    records = [json.loads(line) for line in outcome.output("processed/", ".jsonl").splitlines()]
    assert [record["data"]["id"] for record in records] == ["1", "2", "3"]
    assert records[1]["data"]["note"] == looks_like_records.decode().strip()


def test_a_split_that_fails_gives_the_execution_its_own_error(pipeline: Pipeline) -> None:
    pipeline.stack.add_fault("data-pipeline-transform-dev", "SourceChanged")

    outcome = pipeline.run(orders(12_000))

    assert outcome.execution.status == "failed"
    assert outcome.run.failure is not None
    assert outcome.run.failure.code == "SourceChanged"
    assert outcome.item["error"]["code"] == "SourceChanged"
    assert outcome.item["error"]["state"] == "TransformSplits"
    assert "SplitFailure" in outcome.states

    # A redrive that fails again is reported under the newest Map Run's error.
    pipeline.stack.add_fault("data-pipeline-transform-dev", "SourceNotFound")
    outcome = pipeline.redrive(outcome)
    assert outcome.item["error"]["code"] == "SourceNotFound"
    assert outcome.item["error"]["state"] == "TransformSplits"


@pytest.mark.parametrize("fault", ["throttle", "crash"])
def test_a_split_is_tried_again_after_a_passing_fault(pipeline: Pipeline, fault: str) -> None:
    pipeline.stack.add_fault("data-pipeline-transform-dev", fault)

    outcome = pipeline.run(orders(12_000))

    assert outcome.execution.status == "succeeded"
