from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.truth.faults import LOSE_ITEMS, StepFault, When, faulty_module


@pytest.fixture(autouse=True)
def _own_handler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function whose faults are tried: its result is the list that it has written."""
    text = 'def handler(event, context):\n    return {"splits_key": "splits.json"}\n'
    (tmp_path / "own_step.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "own_step", raising=False)


def _call(fault: StepFault, event: dict[str, Any]) -> Any:
    module: dict[str, Any] = {}
    exec(faulty_module(fault, "own_step.handler"), module)
    return module["handler"](event, None)


STEP: dict[str, Any] = {"job": {}}
LANE = {"job": {}, "outcome": "failed"}
ONE_SPLIT = {"job": {}, "one_split": True}
OUTDATED: dict[str, Any] = {"job": {"outdated": {}}}


@pytest.mark.parametrize(
    ("when", "failing", "working"),
    [
        ("outside the lane", STEP, LANE),
        ("in the lane", LANE, STEP),
        ("for one split", ONE_SPLIT, STEP),
        ("before it is outdated", STEP, OUTDATED),
    ],
)
def test_a_function_fails_at_the_calls_that_the_fault_is_for(
    when: When, failing: dict[str, Any], working: dict[str, Any]
) -> None:
    fault = StepFault("NotifyFunction", "SourceChanged", when)

    assert _call(fault, working) == {"splits_key": "splits.json"}
    with pytest.raises(Exception, match="injected") as raised:
        _call(fault, failing)
    assert type(raised.value).__name__ == "SourceChanged"


def test_items_are_lost_by_naming_a_list_that_does_not_exist() -> None:
    found = _call(StepFault("ParseCsvFunction", LOSE_ITEMS), STEP)

    assert found == {"splits_key": "splits.json.lost"}
