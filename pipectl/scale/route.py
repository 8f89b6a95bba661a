"""The states that a file passes, read from the workflow's definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipectl.scale.choices import chosen_state

# The failure lane ends here: the state fails the execution.
FAILURE_GATE = "FailureGate"

# History events of a state that is entered and left, by its type and whether it calls a service.
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
_EVENTS = {"Task": 5, "Map": 6, "Choice": 2, "Pass": 2, "Succeed": 2}
# An execution's start and end.
_OWN_EVENTS = 2


@dataclass(frozen=True)
class Route:
    """The states entered, in order, and those that each of a Map's children enters."""

    states: tuple[str, ...]
    children: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fails_at: str | None = None

    def transitions(self, splits: int) -> int:
        """State transitions of the execution and its children, a child's start counted as one.

        Step Functions bills each state that is entered. Whether the start of a Distributed Map's
        child is one more could not be looked up: it is counted.
        """
        return len(self.states) + splits * sum(1 + len(states) for states in self.children.values())

    def events(self, definition: Mapping[str, Any]) -> int:
        """The events in the execution's own history, of which there may be 25,000.

        Each child of a Map has its own history.
        """
        kinds = [definition["States"][state]["Type"] for state in self.states]
        failed = 0
        if self.fails_at is not None:
            # The gate is not left, and so has no exit.
            failed = -1
        return _OWN_EVENTS + sum(_EVENTS[kind] for kind in kinds) + failed


def route(definition: Mapping[str, Any], *, splits: int, fails_at: str | None = None) -> Route:
    """The path of a file with this number of splits, up to the state `fails_at` if one is named.

    Raises ValueError if a file with this number of splits doesn't reach that state.
    """
    document: dict[str, Any] = {"parse": {"splits": splits}}
    states: list[str] = []
    children: dict[str, tuple[str, ...]] = {}
    name = str(definition["StartAt"])
    failing = False
    while True:
        state = definition["States"][name]
        states.append(name)
        if state["Type"] == "Map":
            children[name] = _children(state)
        if name == fails_at:
            failing = True
            name = _catch_all(state)
        elif name == FAILURE_GATE:
            return Route(tuple(states), children, fails_at)
        elif state["Type"] == "Succeed" or state.get("End"):
            break
        else:
            _keep_result(state, document)
            name = _next(state, document)
    if fails_at is not None and not failing:
        raise ValueError(f"A file of {splits} splits does not reach the state {fails_at}.")
    return Route(tuple(states), children)


def _children(state: Mapping[str, Any]) -> tuple[str, ...]:
    """The states of a Map's child, one after the other."""
    processor = state["ItemProcessor"]
    return route(processor, splits=1).states


def _catch_all(state: Mapping[str, Any]) -> str:
    return next(str(c["Next"]) for c in state["Catch"] if "States.ALL" in c["ErrorEquals"])


def _keep_result(state: Mapping[str, Any], document: dict[str, Any]) -> None:
    """Put a placeholder in the place of a step's result, with the literals that it selects."""
    *parents, last = state.get("ResultPath", "$").removeprefix("$").strip(".").split(".")
    if parents or not last:
        return
    selected = state.get("ResultSelector", {})
    literals = {name: value for name, value in selected.items() if not name.endswith(".$")}
    document.setdefault(last, {}).update(literals)


def _next(state: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    if state["Type"] != "Choice":
        return str(state["Next"])
    return chosen_state(state, document)
