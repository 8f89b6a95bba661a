"""A step knows whether it runs for the first time in an execution."""

from __future__ import annotations

from shared.keys import Work
from tests.end_to_end.pipeline import FileOutcome, Pipeline

FILE = b"id,n\n1,1\n2,2\n"
WRITTEN = {"jsonl", "report.json"}
EMPTY = {"rejected.jsonl", "corrections.csv"}


def contents(pipeline: Pipeline, outcome: FileOutcome) -> set[str]:
    """The objects of the file's part. Only a first run leaves out those that are empty."""
    prefix = Work(outcome.file_id, outcome.execution.name).part(0, "")
    return {key.removeprefix(prefix) for key in pipeline.stack.output_keys(prefix)}


def test_a_first_run_is_known(pipeline: Pipeline) -> None:
    assert contents(pipeline, pipeline.run(FILE)) == WRITTEN


def test_a_retry_is_known(pipeline: Pipeline) -> None:
    pipeline.stack.add_fault("data-pipeline-transform-dev", "error500", 1)
    outcome = pipeline.run(FILE)
    assert outcome.execution.status == "succeeded"
    assert contents(pipeline, outcome) == WRITTEN | EMPTY


def test_a_redrive_is_known(pipeline: Pipeline) -> None:
    pipeline.stack.add_fault("data-pipeline-transform-dev", "SourceChanged", 1)
    outcome = pipeline.redrive(pipeline.run(FILE))
    assert outcome.execution.status == "succeeded"
    assert contents(pipeline, outcome) == WRITTEN | EMPTY
