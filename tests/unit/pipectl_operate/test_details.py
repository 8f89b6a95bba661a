"""Details that are read from an execution's history besides its states."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from pipectl.client.history import Run, Visit
from pipectl.operate.details import CATALOGUE_STATE, catalogue_problems
from shared.steps import CHAIN

AT = datetime(2026, 3, 1, 8, tzinfo=UTC)


def run(*returned: str | None) -> Run:
    """A run that visited the step once for each of these outputs, and another one."""
    visits = [Visit(CATALOGUE_STATE, AT, returned=one) for one in returned]
    return Run("SUCCEEDED", [*visits, Visit("Notify", AT, returned="{}")])


def test_the_problems_are_those_of_the_last_visit() -> None:
    earlier, later = (
        json.dumps({"catalogue": {"problems": [f"The table has problem {n}."]}}) for n in (1, 2)
    )
    assert catalogue_problems(run(earlier, later)) == ["The table has problem 2."]


@pytest.mark.parametrize(
    "returned",
    [
        (),
        (None,),
        ('{"catalogue": {"Error": "InternalError", "Cause": "x"}}',),
        ('{"catalogue": {"problems": []}}',),
        ('{"catalogue": {"prob',),
    ],
)
def test_without_problems_nothing_is_shown(returned: tuple[str | None, ...]) -> None:
    assert catalogue_problems(run(*returned)) == []


def test_the_step_is_one_of_the_workflow() -> None:
    assert CATALOGUE_STATE in {step.state for step in CHAIN}
