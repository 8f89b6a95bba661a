"""Changes to the behaviour of moto's Step Functions engine."""

from __future__ import annotations

import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest
from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component import eval_component
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.common.retry.max_attempts_decl import MaxAttemptsDecl
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_manager import (
    EventHistoryContext,
    EventManager,
)
from moto.stepfunctions.parser.asl.eval.program_state import ProgramError, ProgramStopped
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils.boto_client import boto_client_for

from pipectl.embedded.clock import StackClock
from pipectl.embedded.limits import HISTORY
from pipectl.embedded.moto_patches.account import MotoAccount
from pipectl.embedded.moto_patches.all_patches import applied
from pipectl.embedded.moto_patches.engine import acting_as
from pipectl.embedded.moto_patches.sizes import HistoryFullError
from pipectl.embedded.moto_patches.table import PatchSettings
from pipectl.embedded.rights.enforcement import Rights

SETTINGS = PatchSettings(
    endpoint=lambda _service: "http://127.0.0.1:1",
    clock=StackClock(0),
    invoke=lambda _function, _payload: None,
    changed=lambda: None,
    serve=lambda _session: None,
    rights=Rights(MotoAccount()),
    stacks=Mock(),
)
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


def test_the_end_of_the_stack_ends_the_waits_of_retries() -> None:
    clock = StackClock(1)
    threading.Timer(0.1, clock.close).start()
    with applied(replace(SETTINGS, clock=clock)), pytest.raises(SystemExit):
        retrier_decl.time.sleep(3600)  # type: ignore[attr-defined]  # the module's import of it


def test_an_execution_calls_nothing_after_the_end_of_the_stack() -> None:
    clock = StackClock(1)
    with applied(replace(SETTINGS, clock=clock)), acting_as("arn:aws:iam::123456789012:role/a"):
        boto_client_for("us-east-1", "lambda")
        clock.close()
        with pytest.raises(SystemExit):
            boto_client_for("us-east-1", "lambda")


def test_executions_share_the_states_of_their_definition_but_not_its_maps() -> None:
    processor = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
    states = {
        "First": {"Type": "Pass", "Next": "Map"},
        "Map": {"Type": "Map", "ItemProcessor": processor, "End": True},
    }
    definition = json.dumps({"StartAt": "First", "States": states})
    with applied(SETTINGS):
        programs: Any = [AmazonStateLanguageParser.parse(definition)[0] for _ in range(2)]
    one, other = programs
    assert one._get_state("First") is other._get_state("First")
    assert one._get_state("Map") is one._get_state("Map")
    assert one._get_state("Map") is not other._get_state("Map")
    with pytest.raises(ValueError, match="No such state"):
        one._get_state("Unknown")


def test_a_retrier_counts_under_one_key_if_two_children_fail_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = threading.Barrier(2, timeout=10)
    numbers = itertools.count()

    def slowly() -> str:
        both.wait()  # until both have found that there is no key yet
        return str(next(numbers))

    monkeypatch.setattr(eval_component, "long_uid", slowly)
    attempts = MaxAttemptsDecl(1)
    with applied(SETTINGS), ThreadPoolExecutor(2) as pool:
        keys = set(pool.map(lambda _: attempts.heap_key, range(2)))
        keys.add(attempts.heap_key)
    assert len(keys) == 1


def test_an_execution_that_was_stopped_is_not_failed_by_the_end_of_its_last_state() -> None:
    environment = running()
    with applied(SETTINGS):
        environment.set_stop(datetime.now(UTC), None, None)
        environment.set_error(ERROR)
    assert isinstance(environment.program_state(), ProgramStopped)


def test_an_error_fails_a_running_execution() -> None:
    environment = running()
    with applied(SETTINGS):
        environment.set_error(ERROR)
    assert isinstance(environment.program_state(), ProgramError)


def test_a_full_history_takes_the_end_of_its_execution_only() -> None:
    manager, context = EventManager(), EventHistoryContext.of_program_start()
    event: Any = {}
    manager._history_event_list.extend([event] * (HISTORY.most - 2))
    with applied(SETTINGS):
        manager.add_event(context, HistoryEventType.PassStateEntered)
        with pytest.raises(HistoryFullError) as full:
            manager.add_event(context, HistoryEventType.PassStateExited)
        manager.add_event(context, HistoryEventType.ExecutionFailed)
    assert len(manager.get_event_history()) == HISTORY.most
    assert full.value.get_execution_failed_event_details() == {
        "error": "States.Runtime",
        "cause": "The execution reached the maximum number of history events (25000).",
    }
