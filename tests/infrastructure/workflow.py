"""Finds defects in a state machine's definition (ASL with JSONPath) that no linter finds.

The rules are those of https://states-language.net and of the Step Functions developer guide, and
beyond them the project's own: every Task has a time limit, a Retry and a Catch.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

# Raised by Step Functions, or by Lambda through it. States.Runtime and States.DataLimitExceeded
# are not here: States.ALL does not match them, and naming the first one has no effect.
AWS_ERRORS = frozenset(
    {
        "Function.Unknown",
        "Lambda.AWSLambdaException",
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.SdkClientException",
        "Lambda.ServiceException",
        "Lambda.TooManyRequestsException",
        "Lambda.Unknown",
        "Runtime.ExitError",
        "Runtime.OutOfMemory",
        "Runtime.Unknown",
        "Sandbox.Failure",
        "Sandbox.Timedout",
        "States.ALL",
        "States.ExceedToleratedFailureThreshold",
        "States.HeartbeatTimeout",
        "States.ItemReaderFailed",
        "States.Permissions",
        "States.ResultWriterFailed",
        "States.TaskFailed",
        "States.Timeout",
    }
)
# State -> why it has no Catch.
WITHOUT_CATCH = {
    "FailureGate": "It fails the execution under its true error, so nothing may catch that.",
    "MeasureSplit": "The Map around it catches, after all splits have ended.",
    "TransformSplit": "The Map around it catches, after all splits have ended.",
}

_COMMON = {"Type", "Comment", "InputPath", "OutputPath"}
_FLOW = {"Next", "End"}
_RESULT = {"Parameters", "ResultSelector", "ResultPath", "Retry", "Catch"}
_FIELDS = {
    "Choice": _COMMON | {"Choices", "Default"},
    "Fail": {"Type", "Comment", "Error", "ErrorPath", "Cause", "CausePath"},
    "Map": _COMMON
    | _FLOW
    | _RESULT
    | {
        "ItemBatcher",
        "ItemProcessor",
        "ItemReader",
        "ItemSelector",
        "ItemsPath",
        "Label",
        "MaxConcurrency",
        "MaxConcurrencyPath",
        "ResultWriter",
        "ToleratedFailureCount",
        "ToleratedFailurePercentage",
    },
    "Parallel": _COMMON | _FLOW | _RESULT | {"Branches"},
    "Pass": _COMMON | _FLOW | {"Parameters", "Result", "ResultPath"},
    "Succeed": _COMMON,
    "Task": _COMMON
    | _FLOW
    | _RESULT
    | {"Resource", "TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds", "Credentials"},
    "Wait": _COMMON | _FLOW | {"Seconds", "SecondsPath", "Timestamp", "TimestampPath"},
}
_RETRY_FIELDS = {
    "BackoffRate",
    "Comment",
    "ErrorEquals",
    "IntervalSeconds",
    "JitterStrategy",
    "MaxAttempts",
    "MaxDelaySeconds",
}
_CATCH_FIELDS = {"Comment", "ErrorEquals", "Next", "ResultPath"}
# Least and greatest value that Step Functions takes.
_RETRY_NUMBERS = {
    "BackoffRate": (1, float("inf")),
    "IntervalSeconds": (1, 99_999_999),
    "MaxAttempts": (0, 99_999_999),
    "MaxDelaySeconds": (1, 31_622_399),
}
_SUBSTITUTION = re.compile(r"\$\{(\w+)\}")


def defects(definition: Mapping[str, Any], errors: Collection[str]) -> list[str]:
    """All defects of a definition, one sentence each.

    `errors` are the names that the steps themselves can raise.
    """
    return list(_machine_defects("the workflow", definition, AWS_ERRORS | set(errors)))


def substitutions(definition_text: str) -> set[str]:
    """The names of all `${...}` in a definition's text."""
    return set(_SUBSTITUTION.findall(definition_text))


def states(machine: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All states by name, those inside Map and Parallel too."""
    for name, state in machine["States"].items():
        yield name, state
        for inner in _inner_machines(state):
            yield from states(inner)


@cache
def error_classes(folder: Path) -> set[str]:
    """The names of all exception classes that are declared in the Python files of a folder."""
    bases: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = {ast.unparse(base) for base in node.bases}
    known = {"Exception"}
    while found := {name for name, parents in bases.items() if parents & known} - known:
        known |= found
    return known - {"Exception"}


def _machine_defects(
    place: str, machine: Mapping[str, Any], errors: Collection[str]
) -> Iterator[str]:
    named = machine["States"]
    for source, target in _transitions(machine):
        if target not in named:
            yield f"{source} leads to {target}, which is no state of {place}"
    for name in sorted(set(named) - _reachable(machine)):
        yield f"{name} can't be reached"
    if not any(_ends(state) for state in named.values()):
        yield f"{place} has no state that ends it"
    for name, state in named.items():
        yield from _state_defects(name, state, errors)
        for inner in _inner_machines(state):
            yield from _machine_defects(name, inner, errors)


def _state_defects(name: str, state: Mapping[str, Any], errors: Collection[str]) -> Iterator[str]:
    kind = state.get("Type")
    if kind not in _FIELDS:
        yield f"{name} has the unknown type {kind}"
        return
    for field in sorted(set(state) - _FIELDS[kind]):
        yield f"{name} has the field {field}, which a {kind} does not know"
    if "Next" in _FIELDS[kind] and len(_FLOW & set(state)) != 1:
        yield f"{name} needs exactly one of Next and End"
    yield from _path_defects(name, state)
    yield from _handler_defects(name, state, errors)
    if kind == "Task":
        yield from _task_defects(name, state)


def _task_defects(name: str, state: Mapping[str, Any]) -> Iterator[str]:
    required = {"Resource", "TimeoutSeconds", "Retry", "Catch"}
    if name in WITHOUT_CATCH:
        required.remove("Catch")
    for field in sorted(required - set(state)):
        yield f"{name} has no {field}"
    if name in WITHOUT_CATCH and "Catch" in state:
        yield f"{name} has a Catch, so the execution would not fail"


def _path_defects(name: str, state: Mapping[str, Any]) -> Iterator[str]:
    for field in ("InputPath", "OutputPath", "ResultPath", "ItemsPath"):
        path = state.get(field)
        if path is not None and not str(path).startswith("$"):
            yield f"{name}: {field} {path} does not begin with $"
    for field in ("Parameters", "ResultSelector", "ItemSelector"):
        yield from _template_defects(f"{name}: {field}", state.get(field, {}))


def _template_defects(place: str, value: Any) -> Iterator[str]:
    """Check a payload template: a value that is a path needs a name that ends in `.$`."""
    if isinstance(value, list):
        for item in value:
            yield from _template_defects(place, item)
    if not isinstance(value, Mapping):
        return
    for field, item in value.items():
        computed = isinstance(item, str) and item.startswith(("$.", "$$.", "States."))
        if field.endswith(".$") and not (computed or item == "$"):
            yield f"{place}: {field} is neither a path nor an intrinsic function"
        if computed and not field.endswith(".$"):
            yield f"{place}: {field} would be the literal text {item}; call it {field}.$"
        yield from _template_defects(place, item)


def _handler_defects(name: str, state: Mapping[str, Any], errors: Collection[str]) -> Iterator[str]:
    for field in ("Retry", "Catch"):
        rules = state.get(field, [])
        for position, rule in enumerate(rules):
            place = f"{name}: {field} {position}"
            yield from _error_name_defects(place, rule, errors, last=position == len(rules) - 1)
            yield from (
                _retry_defects(place, rule) if field == "Retry" else _catch_defects(place, rule)
            )


def _error_name_defects(
    place: str, rule: Mapping[str, Any], errors: Collection[str], *, last: bool
) -> Iterator[str]:
    names = rule.get("ErrorEquals", [])
    if not names:
        yield f"{place} names no error"
    for error in sorted(set(names) - set(errors)):
        yield f"{place} names {error}, which nothing raises"
    if "States.ALL" in names and not (last and len(names) == 1):
        yield f"{place}: States.ALL must be alone and last"


def _retry_defects(place: str, rule: Mapping[str, Any]) -> Iterator[str]:
    for field in sorted(set(rule) - _RETRY_FIELDS):
        yield f"{place} has the unknown field {field}"
    for field, (least, greatest) in _RETRY_NUMBERS.items():
        if field in rule and not least <= rule[field] <= greatest:
            yield f"{place}: {field} must be from {least} to {greatest}"
    if rule.get("MaxDelaySeconds", float("inf")) <= rule.get("IntervalSeconds", 1):
        yield f"{place}: MaxDelaySeconds must be greater than IntervalSeconds"
    if rule.get("JitterStrategy") != "FULL":
        yield f"{place}: JitterStrategy must be FULL, or all that failed together retry together"


def _catch_defects(place: str, rule: Mapping[str, Any]) -> Iterator[str]:
    for field in sorted(set(rule) - _CATCH_FIELDS):
        yield f"{place} has the unknown field {field}"
    path = str(rule.get("ResultPath", "$"))
    if not path.startswith("$."):
        yield f"{place}: without a ResultPath such as $.failure the error replaces the document"


def _transitions(machine: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "StartAt", machine["StartAt"]
    for name, state in machine["States"].items():
        for target in _targets(state):
            yield name, target


def _targets(state: Mapping[str, Any]) -> list[str]:
    rules = [*state.get("Choices", []), *state.get("Catch", [])]
    targets = [rule["Next"] for rule in rules if "Next" in rule]
    return targets + [state[field] for field in ("Next", "Default") if field in state]


def _reachable(machine: Mapping[str, Any]) -> set[str]:
    reached: set[str] = set()
    waiting = [machine["StartAt"]]
    while waiting:
        name = waiting.pop()
        if name not in reached and name in machine["States"]:
            reached.add(name)
            waiting += _targets(machine["States"][name])
    return reached


def _ends(state: Mapping[str, Any]) -> bool:
    return state.get("End") is True or state.get("Type") in {"Succeed", "Fail"}


def _inner_machines(state: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [
        *state.get("Branches", []),
        *([state["ItemProcessor"]] if "ItemProcessor" in state else []),
    ]
