"""Where an execution continues when it is redriven on the embedded AWS."""

from __future__ import annotations

import json
from typing import Any

from pipectl.embedded.moto_patches.redrive import ended_in

WORKFLOW: dict[str, Any] = {"StartAt": "Split", "States": {"Split": {}, "Join": {}}}


STARTED = {"executionStartedEventDetails": {"input": "0"}}


def entered(name: str, document: object) -> dict[str, Any]:
    return {"stateEnteredEventDetails": {"name": name, "input": json.dumps(document)}}


def exited(name: str) -> dict[str, Any]:
    return {"stateExitedEventDetails": {"name": name}}


def test_it_continues_in_the_state_that_did_not_end() -> None:
    history = [STARTED, entered("Split", 1), entered("InItsMap", 2), exited("InItsMap")]
    assert ended_in(history, WORKFLOW) == ("Split", 1)


def test_one_that_was_stopped_between_two_states_repeats_the_first_of_them() -> None:
    history = [STARTED, entered("Split", 1), exited("Split"), entered("Join", 2), exited("Join")]
    assert ended_in(history, WORKFLOW) == ("Join", 2)


def test_one_that_was_stopped_before_its_first_state_starts_with_its_input() -> None:
    assert ended_in([STARTED], WORKFLOW) == ("Split", 0)
