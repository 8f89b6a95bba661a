"""What an operator does next about a failed execution: a command to run, or an instruction."""

from __future__ import annotations

from dataclasses import dataclass

from pipectl.operate.details import ExecutionDetails


@dataclass(frozen=True)
class NextStep:
    """A label, and after it a command with a remark or, without a command, an instruction.

    For example, `Rerun with`, `pipectl rerun 7fa2` and `(a redrive)`; or `Next step` and `Upload a
    corrected file. Reason: no rerun can succeed after EmptyFile; --new tries anyway.`
    """

    label: str
    text: str
    command: str | None = None

    def __str__(self) -> str:
        return f"{self.command}  {self.text}" if self.command else self.text


def next_step(found: ExecutionDetails) -> NextStep | None:
    """What to do about the execution's file; None if the execution needs no rerun."""
    plan = found.rerun_plan
    if plan is None:
        return None
    if plan.how == "redrive":
        return NextStep("Rerun with", "(a redrive)", f"pipectl rerun {found.execution.name}")
    if plan.how == "new_attempt":
        text = f"(a new attempt: {plan.reason})"
        return NextStep("Rerun with", text, f"pipectl rerun {found.source.file_id}")
    if plan.how == "upload":
        return NextStep("Next step", f"Upload a corrected file. Reason: {plan.reason}.")
    if plan.how == "follow":
        return NextStep("Next step", f"Wait for the file's execution: {plan.reason}.")
    return NextStep("Next step", f"There is nothing to do: {plan.reason}.")
