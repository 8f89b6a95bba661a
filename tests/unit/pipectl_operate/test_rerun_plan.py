"""How files are rerun: one plan for each."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipectl.client.starter_messages import starter_message
from pipectl.client.step_functions import DescribedExecution
from pipectl.operate.failed_files import DEFINITION_CHANGED, FailedFile, Resolution, last_attempt_in
from pipectl.operate.rerun_candidates import (
    RerunCandidate,
    candidate_from_execution,
    candidate_from_failure,
)
from pipectl.operate.rerun_options import RerunOptions
from pipectl.operate.rerun_plan import RerunPlan, plan_rerun, plan_reruns
from shared.job import Source
from shared.remedies import REMEDIES, remedy_of

NOW = datetime.now(UTC)
SOURCE = Source("in", "raw/orders/a.csv", "v1", "e1", 10, "0055", "2026-03-01T08:00:00Z", "orders")
ARN = f"arn:aws:states:eu-central-1:1:execution:data-pipeline-dev:{SOURCE.file_id}"
EXECUTION = DescribedExecution(
    arn=ARN,
    name=SOURCE.file_id,
    status="failed",
    started_at=NOW - timedelta(days=1),
    ended_at=NOW - timedelta(days=1),
    redrivable=True,
    error="TooManyRejects",
)
FAILED = RerunCandidate(SOURCE, attempts=1, execution_arn=ARN)
SUPERSEDED = replace(FAILED, superseded=True)
SUCCEEDED = replace(FAILED, succeeded=True)


def decide(candidate: RerunCandidate, **options: Any) -> RerunPlan:
    return plan_rerun(candidate, RerunOptions(**options))


def candidate(
    execution: DescribedExecution | None = EXECUTION,
    *,
    attempts: int = 1,
    present_definition: bool = True,
    **item: Any,
) -> RerunCandidate:
    return candidate_from_execution(
        SOURCE,
        execution,
        item or None,
        attempts=attempts,
        running=None,
        versions=[],
        has_present_definition=lambda _: present_definition,
    )


def test_a_failed_execution_is_redriven() -> None:
    assert decide(candidate()) == RerunPlan("redrive", "it can continue at the failed step")


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (candidate(present_definition=False), DEFINITION_CHANGED),
        (candidate(None), "its execution no longer exists"),
        (candidate(None, attempts=0), "no execution of it was started"),
        (
            candidate(replace(EXECUTION, ended_at=NOW - timedelta(days=15))),
            "it ended more than 14 days ago",
        ),
        (
            candidate(replace(EXECUTION, redrivable=False, redrive_reason="Event limit exceeded")),
            "Event limit exceeded",
        ),
        (
            candidate(replace(EXECUTION, redrivable=False, status="aborted")),
            "its execution is aborted",
        ),
    ],
)
def test_if_a_redrive_is_impossible_a_new_attempt_is_made(
    found: RerunCandidate, reason: str
) -> None:
    assert decide(found) == RerunPlan("new_attempt", reason)


def test_the_definition_is_read_only_of_executions_that_could_be_redriven() -> None:
    def fail(_: str) -> bool:
        raise AssertionError

    succeeded = replace(EXECUTION, redrivable=False, status="succeeded")
    found = candidate_from_execution(
        SOURCE,
        succeeded,
        {"status": "succeeded"},
        attempts=1,
        running=None,
        versions=[],
        has_present_definition=fail,
    )
    assert decide(found).status == "succeeded"


def test_a_later_version_that_has_succeeded_supersedes_the_file() -> None:
    later = {"status": "succeeded", "sequencer": "0056", "uploaded_at": "2026-03-02T08:00:00Z"}
    for version, superseded in ((later, True), ({**later, "sequencer": "0054"}, False)):
        found = candidate_from_execution(
            SOURCE,
            EXECUTION,
            None,
            attempts=1,
            running=None,
            versions=[version],
            has_present_definition=lambda _: True,
        )
        assert found.superseded is superseded


def test_a_new_attempt_is_made_on_request() -> None:
    assert decide(FAILED, new=True) == RerunPlan("new_attempt", "--new was given")


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("force", [True, False])
def test_a_running_file_is_followed_whatever_the_options(new: bool, force: bool) -> None:
    running = candidate(replace(EXECUTION, status="running", redrivable=False))
    assert decide(running, new=new, force=force).how == "follow"


def test_a_file_that_has_succeeded_is_rerun_by_force_only() -> None:
    assert decide(SUCCEEDED).status == "succeeded"
    assert decide(SUCCEEDED, new=True).how == "none"
    assert decide(SUCCEEDED, force=True).how == "new_attempt"


@pytest.mark.parametrize("new", [True, False])
def test_a_superseded_file_is_left_alone(new: bool) -> None:
    plan = decide(SUPERSEDED, new=new)
    assert (plan.how, plan.status) == ("none", "superseded")
    assert "whose output stays" in plan.reason


@pytest.mark.parametrize("error", [error for error in REMEDIES if remedy_of(error) == "upload"])
def test_a_file_that_no_rerun_can_fix_is_skipped(error: str) -> None:
    plan = decide(replace(FAILED, error=error))
    assert (plan.how, plan.status) == ("upload", "skipped")
    assert error in plan.reason
    assert decide(replace(FAILED, error=error), new=True).how == "new_attempt"


@pytest.mark.parametrize("error", ["TransientError", "TooManyRejects", "Timeout", None])
def test_after_any_other_error_it_is_redriven(error: str | None) -> None:
    assert decide(replace(FAILED, error=error)).how == "redrive"


def failure(**more: Any) -> FailedFile:
    at = "2026-03-01T08:00:00.000Z"
    given: dict[str, Any] = {
        "source": SOURCE,
        "code": "TooManyRejects",
        "message": "",
        "state": "WriteOutput",
        "failed_at": at,
        "failing_since": at,
        "attempts": 1,
        "last_attempt": 3,
        "redrives": 0,
        "execution_arn": ARN,
        "started_at": at,
        "known_from": "metadata",
        **more,
    }
    return FailedFile(**given)


@pytest.mark.parametrize(
    ("listed", "plan"),
    [
        (failure(redrivable=True), "redrive"),
        (failure(not_redrivable_reason=DEFINITION_CHANGED), "new_attempt"),
        (failure(running="x-r2", not_redrivable_reason="it is running"), "follow"),
        (failure(code="EmptyFile"), "upload"),
        (failure(resolved_by=Resolution("attempt", "f1", "2026-03-02")), "none"),
        (failure(resolved_by=Resolution("version", "f2", "2026-03-02")), "none"),
    ],
)
def test_a_listed_failure_is_planned_by_the_same_rules(listed: FailedFile, plan: str) -> None:
    found = candidate_from_failure(listed)
    assert found.attempts == 3
    assert decide(found).how == plan


def several(*errors: str) -> list[RerunCandidate]:
    return [
        replace(FAILED, source=replace(SOURCE, key=f"raw/{number}.csv"), error=error)
        for number, error in enumerate(errors)
    ]


def test_skipped_files_count_neither_towards_the_limit_nor_as_canaries() -> None:
    found = several("EmptyFile", "TooManyRejects", "TooManyRejects", "TooManyRejects")
    reruns = plan_reruns(found, RerunOptions(all_failed=True, limit=2))
    assert [one.status for one in reruns] == ["skipped", "planned", "planned"]
    assert [one.canary for one in reruns] == [False, True, False]


def test_named_files_have_no_canary() -> None:
    reruns = plan_reruns(several("TooManyRejects"), RerunOptions())
    assert [one.canary for one in reruns] == [False]


def test_the_last_attempt_is_the_highest_in_the_history() -> None:
    runs = {
        key: {"execution_arn": f"arn:aws:states:eu-central-1:1:execution:m:{name}"}
        for key, name in {
            "1.0": SOURCE.file_id,
            "3.0": f"{SOURCE.file_id}-r3",
            "by-hand.0": "by-hand",
        }.items()
    }
    assert last_attempt_in({"attempt": 1, "history": runs}) == 3


def test_the_starters_message_is_a_state_document_with_permissions() -> None:
    document = {"file_id": SOURCE.file_id, "attempt": 2, "source": asdict(SOURCE)}
    assert json.loads(json.dumps(starter_message(SOURCE, 2))) == document
    assert starter_message(SOURCE, 2, force=True) == {**document, "force": True}
