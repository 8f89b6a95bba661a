"""Corrections of rejected rows are linked to their file, and never in the output twice."""

from __future__ import annotations

import json

from tests.end_to_end.pipeline import Outcome, Pipeline

FILE = b"name,amount\na,1\nb,x\nc,3\n"


def test_a_correction_is_published_beside_the_file_and_a_second_one_replaces_it(
    pipeline: Pipeline,
) -> None:
    file = pipeline.run(FILE)
    assert file.output("rejected/", ".csv") == b"name,amount\nb,x\n"

    first = _correct(pipeline, file, b"name,amount\nb,20\n")
    second = _correct(pipeline, file, b"name,amount\nb,2\n")

    assert first.item["correction_of"] == second.item["replay_of"] == file.file_id
    assert first.item["output_key"] == second.item["output_key"]
    outputs = pipeline.outcome(file.file_id)
    assert _amounts(outputs, f"{file.file_id}.jsonl") == [1, 3]
    assert _amounts(outputs, "-mended.jsonl") == [2]


def test_a_full_success_of_the_file_supersedes_its_correction(pipeline: Pipeline) -> None:
    file = pipeline.run(FILE)
    correction = _correct(pipeline, file, b"name,amount\nb,2\n")
    lenient = {"schema": {"fields": [{"name": "name"}, {"name": "amount"}]}}
    pipeline.put_contract(file.item["dataset"], lenient)
    source = file.execution.source

    pipeline.send({"file_id": file.file_id, "attempt": 1, "source": source, "force": True})
    again = pipeline.outcome(file.file_id, f"{file.file_id}-r2")

    assert [key for key in again.objects if "-mended" in key] == []
    assert _amounts(again, ".jsonl") == ["1", "x", "3"]
    late = _correct(pipeline, file, b"name,amount\nb,2\n")
    assert late.file_id != correction.file_id
    assert late.run.failure is not None
    assert late.run.failure.code == "SourceChanged"
    assert _amounts(pipeline.outcome(file.file_id, f"{file.file_id}-r2"), ".jsonl") == [
        "1",
        "x",
        "3",
    ]


def _correct(pipeline: Pipeline, file: Outcome, body: bytes) -> Outcome:
    return pipeline.run(body, name=f"{file.file_id}.csv", dataset=file.item["dataset"])


def _amounts(outcome: Outcome, suffix: str) -> list[object]:
    lines = outcome.output("processed/", suffix).splitlines()
    return [json.loads(line)["data"]["amount"] for line in lines]
