"""Executions that end without a Catch, and files that were deleted or changed."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from pipectl.client.dead_letter_queue import DeadLetterQueue
from pipectl.client.stack_choice import Stack
from shared.executions import attempt_name
from tests.end_to_end.pipeline import Pipeline
from tests.end_to_end.samples import orders

FILE = orders(200)


def test_an_aborted_execution_is_queued_notified_recorded_and_can_be_redriven(
    pipeline: Pipeline,
) -> None:
    source = pipeline.drop_and_stop(FILE)

    outcome = pipeline.wait_for_failure(source.file_id)

    assert outcome.execution.status == "aborted"
    assert outcome.item["status"] == "failed"
    assert outcome.item["error"]["code"] == "Aborted"
    [document] = pipeline.dead_letters(source.file_id)
    assert document["file_id"] == source.file_id
    assert document["failure"]["caught"]["Error"] == "Aborted"
    [notification] = pipeline.notifications(source.file_id)
    assert notification["attributes"]["error"] == "Aborted"
    again = pipeline.redrive(outcome)
    assert again.item["status"] == "succeeded"
    assert again.item["redrive_count"] == 1


@pytest.mark.parametrize("call", ["DescribeExecution", "GetExecutionHistory"])
def test_an_end_that_step_functions_does_not_show_yet_is_not_lost(
    pipeline: Pipeline, call: str
) -> None:
    fault = f"stepfunctions:{call}@functions"
    pipeline.stack.add_fault(fault, "stale")
    source = pipeline.drop_and_stop(FILE)

    outcome = pipeline.wait_for_failure(source.file_id)

    assert pipeline.stack.unused_faults(fault) == 0

    assert outcome.item["error"]["code"] == "Aborted"
    assert len(pipeline.dead_letters(source.file_id)) == 1
    assert len(pipeline.notifications(source.file_id)) == 1


def test_an_event_that_can_not_be_delivered_is_in_the_dead_letter_queue(
    pipeline: Pipeline,
) -> None:
    with pipeline.without_reports_of_ends():
        source = pipeline.drop_and_stop(FILE)
        pipeline.wait_for_dead_letter("detail-type", source.file_id)

    letters = DeadLetterQueue(Stack(pipeline.deployment)).peek()
    [found] = [it.invocation for it in letters if it.invocation and source.file_id in it.body]
    assert (found.function, found.code) == ("data-pipeline-uncaught-dev", "NO_PERMISSIONS")
    assert found.about.endswith(f":{source.file_id}")
    assert pipeline.item(source.file_id) == {}

    # The next one is reported again.
    other = pipeline.drop_and_stop(FILE)
    assert pipeline.wait_for_failure(other.file_id).item["error"]["code"] == "Aborted"


@pytest.mark.parametrize("step", ["notify", "archive-source"])
def test_an_execution_aborted_after_its_record_is_recorded_again_when_it_is_redriven(
    pipeline: Pipeline, step: str
) -> None:
    source = pipeline.drop_and_stop(b"a\n1\n", step)
    outcome = pipeline.wait_for_failure(source.file_id)
    assert outcome.item["error"]["code"] == "Aborted"

    again = pipeline.redrive(outcome)

    assert again.execution.status == "succeeded"
    assert again.item["status"] == "succeeded"
    statuses = [note["attributes"]["status"] for note in pipeline.notifications(source.file_id)]
    assert sorted(statuses) == ["failed", "succeeded"]
    assert "archive" in again.item


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_file_whose_version_is_gone_is_source_not_found(
    pipeline: Pipeline, attempts: int
) -> None:
    # It waits until the version is deleted.
    pipeline.stack.add_fault("data-pipeline-parse-csv-dev", "throttle", attempts)
    source = pipeline.drop(b"a\n1\n")
    pipeline.delete(source)

    outcome = pipeline.outcome(source.file_id)

    assert outcome.run.failure is not None
    assert outcome.run.failure.code == "SourceNotFound"
    assert outcome.objects == {}


def test_content_that_is_not_the_announced_one_is_source_changed(pipeline: Pipeline) -> None:
    source = pipeline.drop(b"a,a\n1,2\n")
    before = pipeline.outcome(source.file_id)
    announced = asdict(replace(source, etag="0" * 32))

    pipeline.send({"file_id": source.file_id, "attempt": 1, "source": announced, "force": True})

    outcome = pipeline.outcome(source.file_id, attempt_name(source.file_id, 2))
    assert outcome.run.failure is not None
    assert outcome.run.failure.code == "SourceChanged"
    assert outcome.objects == before.objects
