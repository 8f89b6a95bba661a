"""How a file is run again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipectl.client.executions import Described
from pipectl.operate.failures import DEFINITION_CHANGED
from pipectl.operate.plan import Plan, Standing, attempts_in, message, plan
from pipectl.operate.rerun import told
from shared.job import Source
from shared.remedies import REMEDIES, remedy_of

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
SOURCE = Source("in", "raw/orders/a.csv", "v1", "e1", 10, "0055", "2026-03-01T08:00:00Z", "orders")
EXECUTION = Described(
    arn=f"arn:aws:states:eu-central-1:1:execution:data-pipeline-dev:{SOURCE.file_id}",
    name=SOURCE.file_id,
    status="failed",
    started_at=NOW - timedelta(days=1),
    ended_at=NOW - timedelta(days=1),
    redrive_count=0,
    redriven_at=None,
    redrivable=True,
)
FAILED = Standing(SOURCE, attempts=1, execution=EXECUTION)


SUPERSEDED = replace(FAILED, superseded=True)


def decide(standing: Standing, *, new: bool = False, force: bool = False) -> Plan:
    return plan(standing, new=new, force=force, now=NOW)


def test_a_failed_execution_is_redriven() -> None:
    assert decide(FAILED).how == "redrive"


@pytest.mark.parametrize(
    ("standing", "because"),
    [
        (replace(FAILED, present_definition=False), DEFINITION_CHANGED),
        (replace(FAILED, execution=None), "its execution is no longer there"),
        (replace(FAILED, execution=None, attempts=0), "no execution of it was started"),
        (
            replace(FAILED, execution=replace(EXECUTION, ended_at=NOW - timedelta(days=15))),
            "it ended more than 14 days ago",
        ),
        (
            replace(
                FAILED,
                execution=replace(
                    EXECUTION,
                    redrivable=False,
                    redrive_reason="Execution history event limit exceeded",
                ),
            ),
            "Execution history event limit exceeded",
        ),
    ],
)
def test_where_a_redrive_is_not_possible_a_new_attempt_is_made(
    standing: Standing, because: str
) -> None:
    assert decide(standing) == Plan("new_attempt", because)


def test_a_new_attempt_is_made_where_it_is_asked_for() -> None:
    assert decide(FAILED, new=True) == Plan("new_attempt", "asked for with --new")


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("force", [True, False])
def test_a_running_file_is_followed_whatever_is_asked_for(new: bool, force: bool) -> None:
    assert decide(replace(FAILED, running="x-r2"), new=new, force=force).how == "follow"


def test_a_file_that_has_succeeded_is_run_by_force_only() -> None:
    succeeded = replace(FAILED, succeeded=True)
    assert decide(succeeded).how == "none"
    assert decide(succeeded, new=True).how == "none"
    assert decide(succeeded, force=True).how == "new_attempt"


def test_the_message_is_a_state_document_with_its_identity_only() -> None:
    document = {"file_id": SOURCE.file_id, "attempt": 2, "source": vars(SOURCE)}
    assert message(FAILED, 2, force=False) == document
    assert message(FAILED, 2, force=True) == {**document, "force": True}


def test_the_last_attempt_is_told_by_the_history_too() -> None:
    runs = {
        key: {"execution_arn": f"arn:aws:states:eu-central-1:1:execution:m:{name}"}
        for key, name in {
            "1.0": SOURCE.file_id,
            "3.0": f"{SOURCE.file_id}-r3",
            "by-hand.0": "by-hand",
        }.items()
    }
    assert attempts_in({"attempt": 1, "history": runs}) == 3


@pytest.mark.parametrize("new", [True, False])
def test_a_superseded_file_is_left_alone(new: bool) -> None:
    decided = decide(SUPERSEDED, new=new)
    assert (decided.how, decided.superseded) == ("none", True)
    assert "--force" in decided.because


def test_a_superseded_file_runs_where_that_is_asked_for() -> None:
    assert decide(SUPERSEDED, force=True).how == "new_attempt"
    allowed = plan(SUPERSEDED, new=False, force=False, superseded=True, now=NOW)
    assert allowed.how == "redrive"


def test_a_message_says_what_the_starter_may_do() -> None:
    plain = message(FAILED, 1, force=False)
    assert not {"force", "superseded"} & plain.keys()
    assert message(FAILED, 1, force=False, superseded=True) == plain | {"superseded": True}


@pytest.mark.parametrize("error", [error for error in REMEDIES if remedy_of(error) == "upload"])
def test_after_an_error_that_no_rerun_helps_the_file_has_to_be_uploaded(error: str) -> None:
    decided = decide(replace(FAILED, error=error))
    assert decided.how == "upload"
    assert error in decided.because
    assert decide(replace(FAILED, error=error), new=True).how == "new_attempt"
    assert told("f1", "s3://in/a.csv", decided).status == "left"


@pytest.mark.parametrize("error", ["TransientError", "TooManyRejects", "Timeout", None])
def test_after_any_other_error_it_is_redriven(error: str | None) -> None:
    assert decide(replace(FAILED, error=error)).how == "redrive"
