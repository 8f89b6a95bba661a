"""Checks that Step Functions' answers are at least as recent as the event being handled.

DescribeExecution and GetExecutionHistory are eventually consistent: just after an execution has
ended, they can still show it as running. An outdated answer must never lead to the conclusion that
there is nothing to do, because nobody would then be notified of the failure.
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
    """Whether the execution was redriven after the event.

    `detail` is the event's detail, with the status and the redrive count of the run that ended.
    `described` and `history` (the newest events, in any order) are Step Functions' answers.
    Returns False if they show the same run, ended. Raises `TransientError` if they are older than
    the event.
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
        # None: the redrive is further back than the events that were read.
        and newest_redrive in {None, redrives}
    )
    if not is_present:
        raise TransientError(
            f"Step Functions does not show yet that the execution has ended as {detail['status']}. "
            "Retry later."
        )
    return False


def _newest_redrive(history: Sequence[Mapping[str, Any]]) -> int | None:
    counts = [
        int(event["executionRedrivenEventDetails"]["redriveCount"])
        for event in history
        if "executionRedrivenEventDetails" in event
    ]
    return max(counts, default=None)
