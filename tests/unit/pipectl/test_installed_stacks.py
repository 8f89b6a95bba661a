"""The stacks of a process are looked through while requests delete them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from pipectl.embedded.installed import Stacks


def test_a_stack_may_be_deleted_while_the_alarms_of_all_are_evaluated() -> None:
    site: Any = None
    stacks = Stacks(site)

    def running(name: str) -> Any:
        def evaluate(_now: float) -> dict[str, str]:
            stacks.remove("first")
            return {f"alarm of {name}": "OK"}

        return SimpleNamespace(watch=SimpleNamespace(evaluate=evaluate), remove=lambda: None)

    stacks._running = {name: running(name) for name in ("first", "second")}

    assert stacks.evaluate_alarms(0.0) == {"alarm of first": "OK", "alarm of second": "OK"}
