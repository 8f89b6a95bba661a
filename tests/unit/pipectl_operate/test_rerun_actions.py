"""Planned reruns of files whose state has changed since the plan was made."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipectl.client.step_functions import DescribedExecution
from pipectl.operate import rerun_actions
from pipectl.operate.rerun_actions import RerunActions
from pipectl.operate.rerun_candidates import RerunCandidate
from pipectl.operate.rerun_options import RerunOptions
from pipectl.operate.rerun_plan import FileRerun, plan_reruns
from shared.job import Source

SOURCE = Source("in", "raw/a.csv", "v1", "e1", 10, "0055", "2026-03-01T08:00:00Z", "default")
FIRST = SOURCE.file_id
SECOND = f"{FIRST}-r2"
FAILED = DescribedExecution(FIRST, FIRST, "failed", datetime(2026, 3, 1, tzinfo=UTC))


class FakeStepFunctions:
    """Executions by name, which is also their ARN; redrives are refused on request."""

    def __init__(self) -> None:
        self.executions = {FIRST: FAILED}
        self.after_refusal: DescribedExecution | None = None
        self.is_refusing = False
        self.redriven: list[str] = []

    def arn(self, name: str) -> str:
        return name

    def describe(self, name: str) -> DescribedExecution | None:
        return self.executions.get(name)

    def redrive(self, arn: str) -> None:
        if self.is_refusing:
            if self.after_refusal is not None:
                self.executions[arn] = self.after_refusal
            response: Any = {"Error": {"Code": "ExecutionNotRedrivable"}}
            raise ClientError(response, "RedriveExecution")
        self.redriven.append(arn)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeStepFunctions:
    found = FakeStepFunctions()
    monkeypatch.setattr(rerun_actions, "Executions", lambda _: found)
    for name in ("MetadataItems", "DeadLetterQueue"):
        monkeypatch.setattr(rerun_actions, name, lambda _: None)
    return found


def start(**options: Any) -> tuple[FileRerun, list[dict[str, Any]]]:
    """Plan and start a rerun of a failed file; also returns the messages to the starter."""
    sent: list[dict[str, Any]] = []
    sqs = SimpleNamespace(send_message=lambda **call: sent.append(json.loads(call["MessageBody"])))
    stack: Any = SimpleNamespace(client=lambda _: sqs, output=lambda _: "queue", emulated=True)
    chosen = RerunOptions(**options)
    candidate = RerunCandidate(SOURCE, attempts=1, execution_arn=FIRST)
    [rerun] = plan_reruns([candidate], chosen)
    RerunActions(stack, chosen).start([rerun])
    return rerun, sent


def test_a_redrive_counts_from_the_next_redrive_on(fake: FakeStepFunctions) -> None:
    fake.executions[FIRST] = replace(FAILED, redrive_count=2)
    rerun, sent = start()
    assert (rerun.how, rerun.status, rerun.from_redrive) == ("redrive", "started", 3)
    assert (fake.redriven, sent) == ([FIRST], [])


@pytest.mark.parametrize("status", ["running", "succeeded"])
def test_an_execution_that_someone_else_redrove_is_followed(
    fake: FakeStepFunctions, status: str
) -> None:
    fake.executions[FIRST] = replace(FAILED, status=status, redrive_count=1)
    rerun, sent = start()
    assert (rerun.how, rerun.execution_arn, rerun.from_redrive) == ("follow", FIRST, 1)
    assert (fake.redriven, sent) == ([], [])


def test_a_redrive_that_lost_a_race_follows_the_winner(fake: FakeStepFunctions) -> None:
    fake.is_refusing = True
    fake.after_refusal = replace(FAILED, status="running", redrive_count=1)
    rerun, sent = start()
    assert (rerun.how, sent) == ("follow", [])


def test_a_refused_redrive_becomes_a_new_attempt(fake: FakeStepFunctions) -> None:
    fake.is_refusing = True
    rerun, [message] = start()
    assert (rerun.how, rerun.execution_arn, rerun.from_redrive) == ("new_attempt", SECOND, 0)
    assert (message["file_id"], message["attempt"]) == (FIRST, 1)


def test_a_new_attempt_takes_the_next_free_name(fake: FakeStepFunctions) -> None:
    fake.executions[SECOND] = replace(FAILED, arn=SECOND, name=SECOND)
    rerun, [message] = start(new=True)
    assert (rerun.execution_arn, message["attempt"]) == (f"{FIRST}-r3", 1)


def test_a_number_is_not_used_again_after_its_execution_expired(fake: FakeStepFunctions) -> None:
    fake.executions.clear()
    rerun, [message] = start(new=True)
    assert (rerun.execution_arn, message["attempt"]) == (SECOND, 2)


@pytest.mark.parametrize("status", ["running", "succeeded"])
def test_an_attempt_that_someone_else_started_is_followed(
    fake: FakeStepFunctions, status: str
) -> None:
    fake.executions[SECOND] = replace(FAILED, arn=SECOND, name=SECOND, status=status)
    rerun, sent = start(new=True)
    assert (rerun.how, rerun.execution_arn, sent) == ("follow", SECOND, [])
