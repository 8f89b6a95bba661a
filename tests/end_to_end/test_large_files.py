"""Files of several splits: the same result as if they had run alone, or a visible fall-back."""

from __future__ import annotations

import io
import json

import pytest

from tabular.layout import read_layout
from tabular.report import summarize
from tabular.statistics import merge
from tabular.transform import Split, transform
from tests.end_to_end.pipeline import Outcome, Pipeline

HEADER = b"id,amount,note\n"


def _orders(rows: int) -> bytes:
    notes = ["plain", '"two\nlines, and a comma"', "bad\xff", '"with ""quotes"""']
    lines = [
        f"{row},{'x' if row % 97 == 0 else row / 4},{notes[row % len(notes)]}\n"
        for row in range(rows)
    ]
    return HEADER + "".join(lines).encode("latin-1")


def _alone(body: bytes, outcome: Outcome) -> tuple[bytes, bytes, bytes, dict[str, object]]:
    """What the engine gives for the whole file at once."""
    layout = read_layout(body, size=len(body), name="file.csv", contract=None)
    split = Split.whole(layout)
    sinks = io.BytesIO(), io.BytesIO(), io.BytesIO()
    part = transform(
        [body[split.start :]],
        layout,
        split,
        file_id=outcome.file_id,
        processed_at=outcome.item["processed_at"],
        processed=sinks[0],
        rejected=sinks[1],
        rejected_csv=sinks[2],
    )
    summary = summarize(
        merge([part.statistics]),
        record_count=part.record_count,
        processed_count=part.processed_count,
        error_count=part.error_count,
        generated_at=outcome.item["processed_at"],
    )
    return sinks[0].getvalue(), sinks[1].getvalue(), sinks[2].getvalue(), summary


def test_splits_give_what_the_whole_file_gives_to_the_byte(pipeline: Pipeline) -> None:
    body = _orders(24_000)

    outcome = pipeline.run(body)

    assert outcome.states[:5] == [
        "ParseCsv",
        "HowManySplits",
        "MeasureSplits",
        "NumberSplits",
        "TransformSplits",
    ]
    processed, rejected, rejected_csv, summary = _alone(body, outcome)
    assert outcome.output("processed/", ".jsonl") == processed
    assert outcome.output("rejected/", ".jsonl") == rejected
    assert outcome.output("rejected/", ".csv") == rejected_csv
    written = json.loads(outcome.output("reports/", "_summary.json"))
    assert {name: written[name] for name in summary if name != "file"} == {
        name: value for name, value in json.loads(json.dumps(summary)).items() if name != "file"
    }


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
    pipeline.stack.faults.add("data-pipeline-transform-dev", "SourceChanged")

    outcome = pipeline.run(_orders(12_000))

    assert outcome.execution.status == "failed"
    assert outcome.run.failure is not None
    assert outcome.run.failure.code == "SourceChanged"
    assert outcome.item["error"]["code"] == "SourceChanged"
    assert outcome.item["error"]["state"] == "TransformSplits"
    assert "SplitFailure" in outcome.states


@pytest.mark.parametrize("fault", ["throttle", "crash"])
def test_a_split_is_tried_again_after_a_passing_fault(pipeline: Pipeline, fault: str) -> None:
    pipeline.stack.faults.add("data-pipeline-transform-dev", fault)

    outcome = pipeline.run(_orders(12_000))

    assert outcome.execution.status == "succeeded"
