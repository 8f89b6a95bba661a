"""Names and ARNs of the workflow's executions."""

from __future__ import annotations

import re

# The starter names an execution after its file and attempt. Others can have any name.
_ATTEMPT_NAME = re.compile(r"([0-9a-f]{32})(?:-r(\d+))?")


def attempt_name(file_id: str, attempt: int) -> str:
    """The name of an attempt's execution: the file's id, and `-r2` and so on from the second."""
    return file_id if attempt == 1 else f"{file_id}-r{attempt}"


def attempt_of(name: str) -> tuple[str, int] | None:
    """File and attempt of an execution's name; None for a name that the starter did not give."""
    found = _ATTEMPT_NAME.fullmatch(name)
    return (found[1], int(found[2] or 1)) if found else None


def execution_arn(state_machine_arn: str, name: str) -> str:
    """The ARN of a state machine's execution."""
    return f"{state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
