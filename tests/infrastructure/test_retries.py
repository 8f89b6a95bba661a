"""`make retries` makes the registry's retriers those of the workflow."""

from __future__ import annotations

import json

from shared.steps import RETRIES
from tests.infrastructure import workflow
from tests.infrastructure.retries import DEFINITION, as_text, with_retries

TEXT = DEFINITION.read_text(encoding="utf-8")


def test_it_changes_nothing_where_they_agree() -> None:
    assert as_text(with_retries(json.loads(TEXT))) == TEXT, "run `make retries`"


def test_it_restores_a_retrier_in_every_state() -> None:
    changed = json.loads(TEXT)
    for _, state in workflow.states(changed):
        for retrier in state.get("Retry", []):
            retrier["MaxAttempts"] = 99

    restored = dict(workflow.states(with_retries(changed)))

    assert {name: restored[name]["Retry"] for name in RETRIES} == {
        name: [retry.definition() for retry in retries] for name, retries in RETRIES.items()
    }
