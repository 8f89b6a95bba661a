"""Reads a state machine's definition as a graph of states and the transitions between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

Kind = Literal["next", "choice", "catch"]

_OPERATORS = {
    "Equals": "=",
    "LessThan": "<",
    "GreaterThan": ">",
    "LessThanEquals": "\u2264",
    "GreaterThanEquals": "\u2265",
    "Matches": "is like",
}
_TYPES = ("String", "Numeric", "Boolean", "Timestamp")
_IS = {
    "IsPresent": ("{} is there", "no {}"),
    "IsNull": ("{} is null", "{} is not null"),
}


@dataclass(frozen=True)
class State:
    """A state. `rules` are a Choice's conditions in words, in order; the last one is the default.

    `items` are the states inside a Map or a Parallel state.
    """

    name: str
    type: str
    comment: str = ""
    rules: tuple[str, ...] = ()
    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class Edge:
    """A transition between two states; `rules` are the numbers, from 1, of a Choice's rules."""

    source: str
    target: str
    kind: Kind
    rules: tuple[int, ...] = ()


@dataclass(frozen=True)
class Graph:
    """The states in the definition's order, and all transitions between them."""

    start: str
    states: Mapping[str, State]
    edges: tuple[Edge, ...]

    @cached_property
    def main(self) -> frozenset[str]:
        """The states that are reached without an error; the others are the failure lane."""
        found, waiting = {self.start}, [self.start]
        while waiting:
            name = waiting.pop()
            for edge in self.edges:
                if edge.source == name and edge.kind != "catch" and edge.target not in found:
                    found.add(edge.target)
                    waiting.append(edge.target)
        return frozenset(found)

    @cached_property
    def lane(self) -> frozenset[str]:
        """The states that are only reached after an error."""
        return frozenset(self.states) - self.main

    def edge(self, source: str, target: str, *, failed: bool = False) -> Edge | None:
        """The transition between two states; after a failure that of a Catch, if there is one."""
        found = [edge for edge in self.edges if (edge.source, edge.target) == (source, target)]
        found.sort(key=lambda edge: (edge.kind == "catch") != failed)
        return found[0] if found else None


def read_graph(definition: Mapping[str, Any]) -> Graph:
    """The graph of a state machine's definition in Amazon States Language."""
    states = {name: _state(name, state) for name, state in definition["States"].items()}
    edges: dict[tuple[str, str, Kind], Edge] = {}
    for name, state in definition["States"].items():
        for edge in _edges(name, state):
            key = (edge.source, edge.target, edge.kind)
            known = edges.get(key)
            rules = (*known.rules, *edge.rules) if known else edge.rules
            edges[key] = Edge(*key, rules)
    return Graph(definition["StartAt"], states, tuple(edges.values()))


def _state(name: str, state: Mapping[str, Any]) -> State:
    inner = [state.get("ItemProcessor", state.get("Iterator", {})), *state.get("Branches", ())]
    rules = [in_words(choice) for choice in state.get("Choices", ())]
    if "Default" in state:
        rules.append("otherwise")
    return State(
        name,
        state["Type"],
        state.get("Comment", ""),
        tuple(rules),
        tuple(item for one in inner for item in one.get("States", {})),
    )


def _edges(name: str, state: Mapping[str, Any]) -> Iterator[Edge]:
    if "Next" in state:
        yield Edge(name, state["Next"], "next")
    choices = state.get("Choices", ())
    for number, choice in enumerate(choices, 1):
        yield Edge(name, choice["Next"], "choice", (number,))
    if "Default" in state:
        yield Edge(name, state["Default"], "choice", (len(choices) + 1,))
    for catch in state.get("Catch", ()):
        yield Edge(name, catch["Next"], "catch")


def in_words(rule: Mapping[str, Any]) -> str:
    """A Choice's rule as a short text: `parse.splits = 1`, `no measure`, `x is A, B`."""
    if "Condition" in rule:  # JSONata
        return str(rule["Condition"]).removeprefix("{%").removesuffix("%}").strip()
    if "Not" in rule:
        return _negated(rule["Not"])
    for joint in ("And", "Or"):
        if joint in rule:
            return _joined(rule[joint], joint.lower())
    name = _short(str(rule.get("Variable", "")))
    operator = next((key for key in rule if key not in ("Variable", "Next", "Comment")), "")
    value = rule.get(operator)
    if operator == "StringEquals" and value == "":
        return f"{name} is empty"
    if operator in _IS:
        return _IS[operator][0 if value else 1].format(name)
    written = _short(str(value)) if operator.endswith("Path") else _value(value)
    bare = operator.removesuffix("Path")
    for kind in _TYPES:
        bare = bare.removeprefix(kind)
    return f"{name} {_OPERATORS.get(bare, bare)} {written}"


def _negated(rule: Mapping[str, Any]) -> str:
    operator = next((key for key in rule if key in _IS), None)
    if rule.get("StringEquals") == "":
        return f"{_short(str(rule['Variable']))} is not empty"
    if operator is None:
        return f"not ({in_words(rule)})"
    return in_words({**rule, operator: not rule[operator]})


def _joined(rules: list[Mapping[str, Any]], word: str) -> str:
    same = {(rule.get("Variable"), "StringEquals" in rule) for rule in rules}
    if word == "and" and len(rules) == 2:
        present, other = rules
        if present.get("IsPresent") is True and _is_value(other, str(present.get("Variable"))):
            return f"{_short(str(present['Variable']))} is set"
    if word == "or" and len(same) == 1 and next(iter(same))[1]:
        name = _short(str(rules[0]["Variable"]))
        return f"{name} is {', '.join(str(rule['StringEquals']) for rule in rules)}"
    return f" {word} ".join(map(in_words, rules))


def _is_value(rule: Mapping[str, Any], variable: str) -> bool:
    """Whether the rule says that the variable is not null."""
    inner = rule.get("Not", rule)
    return inner.get("Variable") == variable and inner.get("IsNull") is ("Not" in rule)


def _short(path: str) -> str:
    return path.removeprefix("$.")


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
