"""The workflow's definition: payloads that states send, results they keep, and next states.

Reads the definition that is deployed, as far as these tests need it: `Parameters`,
`ResultSelector`, `ResultPath` and Choice rules on one variable.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipectl.scale.choices import chosen_state

DEFINITION = Path(__file__).parents[3] / "statemachine" / "pipeline.asl.json"
STATES: dict[str, Any] = json.loads(DEFINITION.read_text())["States"]


def function(state: Mapping[str, Any]) -> Any:
    """The handler that a Task invokes, found by the name that the template gives to it."""
    name = state["Parameters"]["FunctionName"].removeprefix("${").removesuffix("FunctionArn}")
    package = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    return importlib.import_module(f"{package}.app").handler


def child(state: str) -> dict[str, Any]:
    """The only Task inside a Map."""
    (task,) = STATES[state]["ItemProcessor"]["States"].values()
    return dict(task)


def child_payload(
    state: str, item: Any, document: Mapping[str, Any], execution: Mapping[str, Any]
) -> Any:
    """What the Task inside a Map sends to its function, for one item."""
    values = {"$": document, "$$.Execution": execution, "$$.Map.Item.Value": item}
    selected = _filled(STATES[state]["ItemSelector"], values)
    inner = {f"$.{name}": value for name, value in selected.items()}
    return _filled(child(state)["Parameters"]["Payload"], inner)


def payload(
    state: str,
    document: Mapping[str, Any],
    execution: Mapping[str, Any],
    *,
    retry_count: int = 0,
) -> Any:
    """The payload that a Task sends to its function, with its state document as input."""
    template = STATES[state]["Parameters"]["Payload"]
    values = {"$": document, "$$.Execution": execution, "$$.State.RetryCount": retry_count}
    return _filled(template, values)


def keep(state: str, document: Mapping[str, Any], returned: Mapping[str, Any]) -> dict[str, Any]:
    """The document after a Task, from what its function has returned."""
    selected = selector(state)
    missing = {
        path for path in selected.values() if _is_path(path) and _field(path) not in returned
    }
    assert not missing, f"{state} selects {missing}, which is not returned"
    result = {
        name.removesuffix(".$"): returned[_field(value)] if _is_path(value) else value
        for name, value in selected.items()
    }
    *parents, last = STATES[state]["ResultPath"].removeprefix("$.").split(".")
    after: dict[str, Any] = json.loads(json.dumps(document))
    place = after
    for parent in parents:
        place = place[parent]
    place[last] = result
    return after


def selector(state: str) -> dict[str, str]:
    """A state's ResultSelector, as the definition has it."""
    return dict(STATES[state]["ResultSelector"])


def selected_fields(state: str) -> set[str]:
    """The fields of a function's return value that a state selects."""
    return fields(selector(state))


def fields(selector: Mapping[str, str]) -> set[str]:
    """The fields of a function's return value that a ResultSelector reads."""
    return {_field(path) for path in selector.values() if _is_path(path)}


def next_task(choice: str, document: Mapping[str, Any], states: Mapping[str, Any] = STATES) -> str:
    """The first state that is no Choice, starting at one, for a document."""
    name = choice
    while states[name]["Type"] == "Choice":
        name = chosen_state(states[name], document)
    return name


def walk(
    start: str,
    document: Mapping[str, Any],
    results: Mapping[str, Any],
    errors: Mapping[str, str],
    states: Mapping[str, Any] = STATES,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each Task and Map on a file's way to success, with the document that it is entered with.

    `results` gives a state's result where a later choice depends on it. `errors` gives the error
    that a state raises instead; the state's Catch for it says where that leads.
    """
    name, document = next_task(start, document, states), dict(document)
    while states[name]["Type"] != "Succeed":
        yield name, dict(document)
        state = states[name]
        if name in errors:
            state = next(rule for rule in state["Catch"] if errors[name] in rule["ErrorEquals"])
        document[state["ResultPath"].removeprefix("$.")] = results.get(name, {})
        name = next_task(state["Next"], document, states)


def _filled(template: Any, values: Mapping[str, Any]) -> Any:
    if not isinstance(template, dict):
        return template
    return {
        name.removesuffix(".$"): values[value] if name.endswith(".$") else _filled(value, values)
        for name, value in template.items()
    }


def _is_path(value: str) -> bool:
    return value.startswith("$.Payload.")


def _field(path: str) -> str:
    return path.removeprefix("$.Payload.")
