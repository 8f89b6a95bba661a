"""Faults that a scenario puts into the stack, whichever engine runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

When = Literal["outside the lane", "in the lane", "for one split", "before it is outdated"]

# At which calls of its function a fault is, as an expression of the handler's event. Notify's and
# RecordMetadata's functions are called in the failure lane too, ParseCsv's by PlanOneSplit.
_CONDITIONS: dict[When, str] = {
    "outside the lane": 'event.get("outcome") != "failed"',
    "in the lane": 'event.get("outcome") == "failed"',
    "for one split": '"one_split" in event',
    # So that the second pass, to which the workflow's Catch leads, succeeds.
    "before it is outdated": '"outdated" not in event["job"]',
}

# Faults that are not an error of the function.
CRASH, THROTTLE, GONE = "crash", "throttle", "gone"

# Names a list of items that does not exist, in the function's result.
LOST_ITEMS = {"ParseCsvFunction": "splits_key", "NumberSplitsFunction": "numbered_splits_key"}
LOSE_ITEMS = "lose items"


@dataclass(frozen=True)
class StepFault:
    """How a function fails at every call: by its logical ID, and with an error of this class.

    Instead of an error, `crash` ends the function's process, `throttle` sets its concurrency to
    zero, and `lose items` lets its result name a list of splits that does not exist. `gone` deletes
    a queue, by its logical ID, until the execution has ended.
    """

    function: str
    error: str
    when: When = "outside the lane"


def faulty_module(fault: StepFault, handler: str) -> str:
    """A module whose `handler` fails as the fault says, and calls the function's own otherwise."""
    return _FAULTY.format(
        condition=_CONDITIONS[fault.when],
        crashes=fault.error == CRASH,
        error=fault.error,
        handler=handler,
        lost=LOST_ITEMS[fault.function] if fault.error == LOSE_ITEMS else "",
    )


_FAULTY = """
import importlib, os
ERROR, HANDLER, LOST = {error!r}, {handler!r}, {lost!r}

def handler(event, context):
    if not ({condition}):
        return original(event, context)
    if {crashes}:
        os._exit(1)
    if LOST:
        result = original(event, context)
        return {{**result, LOST: result[LOST] + ".lost"}}
    raise type(ERROR, (Exception,), {{}})("injected")

def original(event, context):
    module, name = HANDLER.rsplit(".", 1)
    return getattr(importlib.import_module(module), name)(event, context)
"""
