"""Whether Step Functions' answers are as recent as the event that asks for them.

DescribeExecution and GetExecutionHistory are eventually consistent: just after an execution has
ended, they may still show it running. What an old answer says must never decide that there is
nothing to do, for then nobody would ever hear of the failure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.errors import TransientError

# The events with which a run of an execution ends.
_ENDS = frozenset(
    {"ExecutionAborted", "ExecutionFailed", "ExecutionSucceeded", "ExecutionTimedOut"}
)


def redriven_since(
    detail: Mapping[str, Any], described: Mapping[str, Any], history: Sequence[Mapping[str, Any]]
) -> bool:
    """Whether the execution has been redriven since the event.

    `detail` is the event's, which has the status and the number of redrives of the run that ended;
    `described` and `history` (its newest events, in any order) are Step Functions' answers.
    Returns False where they show the same run, ended. Raises `TransientError` where they are from
    before the event.
    """
    redrives = int(detail["redriveCount"])
    newest_redrive = _newest_redrive(history)
    if max(int(described.get("redriveCount", 0)), newest_redrive or 0) > redrives:
        return True
    last = max(history, key=lambda event: int(event["id"]), default=None)
    is_present = (
        described["status"] == detail["status"]
        and int(described.get("redriveCount", 0)) == redrives
        and last is not None
        and last["type"] in _ENDS
        # The redrive itself may be further back than the events that were read.
        and newest_redrive in {None, redrives}
    )
    if not is_present:
        raise TransientError(
            f"Step Functions does not show yet that the execution has ended as {detail['status']}; "
            "it is tried again."
        )
    return False


def _newest_redrive(history: Sequence[Mapping[str, Any]]) -> int | None:
    counts = [
        int(event["executionRedrivenEventDetails"]["redriveCount"])
        for event in history
        if "executionRedrivenEventDetails" in event
    ]
    return max(counts, default=None)
