"""Patches that copy JSON documents quickly.

moto's Step Functions engine makes some 200 deep copies of the state document per file. What
`copy.deepcopy` does for arbitrary objects makes it ten times as slow as JSON needs.
"""

from __future__ import annotations

import copy
from datetime import datetime
from types import NoneType, SimpleNamespace
from typing import Any

from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.component.common.string import string_expression
from moto.stepfunctions.parser.asl.component.state.exec import execute_state
from moto.stepfunctions.parser.asl.component.state.exec.state_map import state_map
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service,
)
from moto.stepfunctions.parser.asl.eval import environment, states
from moto.stepfunctions.parser.asl.eval.event import event_manager

from pipectl.embedded.moto_patches.table import PatchSettings, replaces

_UNCHANGEABLE = frozenset((str, int, float, bool, NoneType, datetime))


def copied(value: Any) -> Any:
    """A copy that has no list and no dictionary in common with the value."""
    kind = type(value)
    if kind in _UNCHANGEABLE:
        return value
    if kind is dict:
        return {name: copied(item) for name, item in value.items()}
    if kind is list:
        return [copied(item) for item in value]
    return copy.deepcopy(value)


def _quickly(_original: Any, _settings: PatchSettings) -> Any:
    return SimpleNamespace(deepcopy=copied)


for _module in (
    environment,
    event_manager,
    execute_state,
    result_path,
    state_map,
    state_task_service,
    states,
    string_expression,
):
    replaces(_module, "copy", "copy")(_quickly)
