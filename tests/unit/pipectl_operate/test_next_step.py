"""What to do about a failed execution: a command where one helps, otherwise an instruction."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipectl.operate.details import ExecutionDetails
from pipectl.operate.next_step import NextStep, next_step
from pipectl.operate.rerun_plan import RerunPlan
from tests.unit.pipectl_views.histories import FILE_ID, failed, view_of


def planned(plan: RerunPlan | None) -> ExecutionDetails:
    """A failed execution whose file is to be rerun by this plan."""
    return replace(view_of(failed(), "failed").found, rerun_plan=plan)


@pytest.mark.parametrize(
    ("plan", "target", "text"),
    [
        (RerunPlan("redrive", "it can"), FILE_ID, "(a redrive)"),
        (RerunPlan("new_attempt", "it is too old"), None, "(a new attempt: it is too old)"),
    ],
)
def test_a_rerun_is_a_command(plan: RerunPlan, target: str | None, text: str) -> None:
    found = planned(plan)
    command = f"pipectl rerun {target or found.source.file_id}"
    assert next_step(found) == NextStep("Rerun with", text, command)
    assert str(next_step(found)) == f"{command}  {text}"


@pytest.mark.parametrize(
    ("plan", "instruction"),
    [
        (
            RerunPlan("upload", "no rerun can succeed after EmptyFile", "skipped"),
            "Upload a corrected file. Reason: no rerun can succeed after EmptyFile.",
        ),
        (
            RerunPlan("follow", "it is already running: f-r2"),
            "Wait for the file's execution: it is already running: f-r2.",
        ),
        (RerunPlan("none", "it has succeeded"), "There is nothing to do: it has succeeded."),
    ],
)
def test_where_no_rerun_helps_it_is_an_instruction(plan: RerunPlan, instruction: str) -> None:
    step = next_step(planned(plan))
    assert step == NextStep("Next step", instruction)
    assert str(step) == instruction


def test_an_execution_that_needs_no_rerun_has_none() -> None:
    assert next_step(planned(None)) is None
