"""What moto's Step Functions engine is made to do otherwise."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext
from moto.stepfunctions.parser.asl.eval.program_state import ProgramError, ProgramStopped

from pipectl.embedded.moto_patches.engine import aborted_stays_aborted

ERROR: Any = {"error": "States.Runtime", "cause": "No state may follow."}


def running() -> Environment:
    nothing: Any = None
    context: Any = {"Execution": {"Input": {}}}
    environment = Environment(
        aws_execution_details=nothing,
        execution_type=nothing,
        context=context,
        event_history_context=EventHistoryContext.of_program_start(),
        cloud_watch_logging_session=nothing,
        activity_store={},
    )
    environment.next_state_name = "First"
    return environment


def test_an_execution_that_was_stopped_is_not_failed_by_the_end_of_its_last_state() -> None:
    environment = running()
    with aborted_stays_aborted():
        environment.set_stop(datetime.now(UTC), None, None)
        environment.set_error(ERROR)
    assert isinstance(environment.program_state(), ProgramStopped)


def test_an_execution_that_runs_is_failed_by_an_error() -> None:
    environment = running()
    with aborted_stays_aborted():
        environment.set_error(ERROR)
    assert isinstance(environment.program_state(), ProgramError)
