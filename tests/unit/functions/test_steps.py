"""The registry of the steps and the state machine's definition agree."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from failure_gate.gate import error_to_raise, resumed
from shared.job import Failure
from shared.remedies import REMEDIES
from shared.steps import CHAIN, LAST_RESUMABLE, RETRIES, Step, failed_state
from tests.infrastructure import workflow as asl
from tests.unit.functions import documents, workflow

DEFINITION = json.loads(workflow.DEFINITION.read_text())
SEVERAL = {"splits": 3}
ONE = {"splits": 1}
ARCHIVED = {"archive_source": "true"}
SUPERSEDED = {"superseded_by": {"file_id": "later", "execution": "later"}}
CATALOGUED = {"glue_database": "analytics"}
WITHOUT_CATALOGUE = {"glue_database": ""}
# Results and errors that decide which way a file goes; together they lead through every step.
ROUTES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "one split": ({"ParseCsv": ONE, "Summarize": CATALOGUED, "Notify": ARCHIVED}, {}),
    "no catalogue": ({"ParseCsv": ONE, "Summarize": WITHOUT_CATALOGUE, "Notify": ARCHIVED}, {}),
    "several splits": ({"ParseCsv": SEVERAL, "Summarize": CATALOGUED, "Notify": ARCHIVED}, {}),
    "superseded before it was read": (
        {"ParseCsv": {**ONE, **SUPERSEDED}, "WriteOutput": SUPERSEDED, "Notify": ARCHIVED},
        {},
    ),
    "superseded while it was processed": (
        {"ParseCsv": SEVERAL, "WriteOutput": SUPERSEDED, "Notify": ARCHIVED},
        {},
    ),
    "misaligned splits": (
        {
            "ParseCsv": SEVERAL,
            "PlanOneSplit": ONE,
            "Summarize": CATALOGUED,
            "Notify": ARCHIVED,
        },
        {"NumberSplits": "MisalignedSplits"},
    ),
}

Failed = tuple[str, dict[str, Any]]
"""A state that failed, and the document that it was entered with."""


def failed_documents(states: Mapping[str, Any] = workflow.STATES) -> list[Failed]:
    return [
        failed
        for results, errors in ROUTES.values()
        for failed in workflow.walk("ParseCsv", documents.job(), results, errors, states)
    ]


def resumed_at(failed: Failed, states: Mapping[str, Any] = workflow.STATES) -> str:
    """Where a redrive continues after a failure that a second try resolves."""
    state, document = failed
    failure = Failure("InternalError", "", state, 0)
    return workflow.next_task("ResumeAt", resumed(document, failure), states)


def expected(state: str, chain: Sequence[Step] = CHAIN) -> str:
    (resumable,) = {step.resumable for step in chain if step.state == state}
    return state if resumable else "RecordMetadata"


FAILED = failed_documents()


def test_the_routes_lead_through_exactly_the_registered_steps() -> None:
    assert {state for state, _ in FAILED} == {step.state for step in CHAIN}


@pytest.mark.parametrize("step", CHAIN, ids=lambda step: step.state)
def test_a_steps_result_has_its_registered_name(step: Step) -> None:
    assert workflow.STATES[step.state]["ResultPath"] == f"$.{step.result}"


@pytest.mark.parametrize("failed", FAILED, ids=lambda failed: failed[0])
def test_the_state_that_failed_is_known_from_the_document(failed: Failed) -> None:
    state, document = failed
    assert failed_state(document) == state


@pytest.mark.parametrize("failed", FAILED, ids=lambda failed: failed[0])
def test_a_redrive_continues_at_the_step_that_failed(failed: Failed) -> None:
    assert resumed_at(failed) == expected(failed[0])


def test_the_last_resumable_step_is_the_one_that_records_success() -> None:
    assert CHAIN[LAST_RESUMABLE].state == "RecordMetadata"


def test_a_step_that_resume_at_does_not_know_is_found() -> None:
    states = copy.deepcopy(workflow.STATES)
    states["Enrich"] = {**states["Summarize"], "ResultPath": "$.enriched", "Next": "WriteOutput"}
    for name in ("Transform", "TransformSplits"):
        states[name]["Next"] = "Enrich"
    failed = [(state, doc) for state, doc in failed_documents(states) if state == "Enrich"]
    assert {resumed_at(one, states) for one in failed} == {"WriteOutput"}


@pytest.mark.parametrize("rule", range(1, 6))
def test_a_rule_that_is_missing_in_resume_at_is_found(rule: int) -> None:
    states = copy.deepcopy(workflow.STATES)
    del states["ResumeAt"]["Choices"][rule]
    assert not all(is_resumed_right(one, states) for one in failed_documents(states))


def is_resumed_right(failed: Failed, states: dict[str, Any]) -> bool:
    try:
        return resumed_at(failed, states) == expected(failed[0])
    except ValueError:
        # A choice compares a value that the document does not have: the execution would fail.
        return False


def test_every_state_with_retries_is_registered_with_exactly_these() -> None:
    defined = {name: state["Retry"] for name, state in asl.states(DEFINITION) if "Retry" in state}
    assert defined == {
        name: [retry.definition() for retry in retries] for name, retries in RETRIES.items()
    }


def test_every_task_and_map_has_retries() -> None:
    can_fail = {name for name, state in asl.states(DEFINITION) if state["Type"] in {"Task", "Map"}}
    assert can_fail == RETRIES.keys()


def test_throttling_is_matched_before_anything_else() -> None:
    first = {retries[0].errors for name, retries in RETRIES.items() if invokes_a_function(name)}
    assert first == {("Lambda.TooManyRequestsException",)}


def invokes_a_function(name: str) -> bool:
    state = dict(asl.states(DEFINITION))[name]
    return str(state.get("Resource")).endswith(":states:::lambda:invoke")


def test_a_throttled_step_is_retried_for_hours() -> None:
    throttled = RETRIES["ParseCsv"][0]
    assert throttled.mean_seconds >= 3 * 3600
    assert throttled.longest <= 300


def test_a_throttled_step_and_its_failure_lane_fit_in_the_workflows_time() -> None:
    waiting = ("TransformSplit", "SplitFailure", "NotifyFailure", "RecordFailure", "FailureGate")
    seconds = sum(RETRIES[name][0].mean_seconds for name in waiting)
    assert seconds < DEFINITION["TimeoutSeconds"]


def test_a_history_has_room_for_the_retries_of_every_state() -> None:
    # TaskScheduled, TaskStarted and TaskFailed, of each attempt.
    events = 3 * sum(retry.attempts + 1 for retries in RETRIES.values() for retry in retries)
    assert events < 25_000 / 2  # and for those of a redrive


GATE_ERRORS = {name for retry in RETRIES["FailureGate"] for name in retry.errors}


@pytest.mark.parametrize("name", sorted({*GATE_ERRORS, "TransientError"}))
def test_the_gate_raises_nothing_that_it_would_retry(name: str) -> None:
    raised = error_to_raise(Failure(name, "", "ParseCsv", 0))
    assert type(raised).__name__ not in GATE_ERRORS


def test_a_file_succeeds_without_its_optional_steps() -> None:
    optional = {step.state: step for step in CHAIN if step.optional}
    assert optional.keys() == {"UpdateCatalogue"}
    for name, step in optional.items():
        state = workflow.STATES[name]
        [caught] = state["Catch"]
        assert caught["ErrorEquals"] == ["States.ALL"]
        assert caught["ResultPath"] == f"$.{step.result}"
        assert caught["Next"] == state["Next"]


def test_starting_over_begins_with_the_first_step() -> None:
    assert workflow.STATES["StartOver"]["Next"] == CHAIN[0].state


@pytest.mark.parametrize(
    "name", [name for name, remedy in REMEDIES.items() if remedy == "start_over"]
)
def test_a_redrive_starts_over_wherever_such_an_error_was_raised(name: str) -> None:
    for state, document in FAILED:
        after = resumed(document, Failure(name, "", state, 0))
        assert workflow.next_task("ResumeAt", after) == "StartOver"


PLANNED = {"parse": documents.PARSE}
MANY: dict[str, Any] = {"parse": {**documents.PARSE, "splits": 3}}
MEASURED = {**MANY, "measure": {}}
NUMBERED = {**MEASURED, "numbers": {}}
LATE = {"output": documents.OUTPUT, "summary": documents.SUMMARY}


@pytest.mark.parametrize(
    ("results", "state"),
    [
        ({}, "ParseCsv"),
        (PLANNED, "Transform"),
        ({**PLANNED, "transform": {}}, "WriteOutput"),
        ({**PLANNED, "transform": {}, "output": documents.OUTPUT}, "Summarize"),
        ({**PLANNED, "transform": {}, **LATE}, "RecordMetadata"),
        ({**PLANNED, "transform": {}, **LATE, "summary": CATALOGUED}, "UpdateCatalogue"),
        (
            {**PLANNED, "transform": {}, **LATE, "summary": CATALOGUED, "catalogue": {}},
            "RecordMetadata",
        ),
        ({**MANY}, "MeasureSplits"),
        ({**MEASURED}, "NumberSplits"),
        ({**NUMBERED}, "TransformSplits"),
        ({**NUMBERED, "transform": {}}, "WriteOutput"),
        ({**MEASURED, "misaligned": {}}, "PlanOneSplit"),
        ({**MEASURED, "misaligned": {}, "parse": documents.PARSE}, "Transform"),
        (
            {**MEASURED, "misaligned": {}, "parse": documents.PARSE, "transform": {}},
            "WriteOutput",
        ),
    ],
)
def test_the_state_that_failed_is_where_the_workflow_resumes(
    results: dict[str, Any], state: str
) -> None:
    document = {**documents.job(), **results}
    assert failed_state(document) == state
    resumed = {**document, "resumed": {"error": "InternalError", "state": state}}
    assert workflow.next_task("ResumeAt", resumed) == state


@pytest.mark.parametrize(
    ("results", "state"),
    [
        ({"record": {}}, "Notify"),
        ({"record": {}, "notification": {}}, "ArchiveSource"),
        ({"record": {}, "notification": {}, "archive": {}}, "Done"),
    ],
)
def test_the_last_states_are_distinguished(results: dict[str, Any], state: str) -> None:
    assert failed_state({**documents.finished(), **results}) == state
