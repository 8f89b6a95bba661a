"""Writes the retriers of `shared/steps.py` into the state machine's definition.

`make retries` does it after a change of the registry, so that a change of the retry policy is made
in one place.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from shared.steps import RETRIES
from tests.infrastructure import workflow
from tests.infrastructure.deployed import ROOT

DEFINITION = ROOT / "statemachine" / "pipeline.asl.json"


def with_retries(definition: dict[str, Any]) -> dict[str, Any]:
    """The definition, changed in place, with the retriers that the registry has for each state."""
    for name, state in workflow.states(definition):
        if name in RETRIES and isinstance(state, dict):
            state["Retry"] = [retry.definition() for retry in RETRIES[name]]
    return definition


def as_text(definition: dict[str, Any]) -> str:
    """The definition as it is written in the repository."""
    return json.dumps(definition, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Rewrite the definition and print its name, if a retrier has changed."""
    text = DEFINITION.read_text(encoding="utf-8")
    if text != (new := as_text(with_retries(json.loads(text)))):
        DEFINITION.write_text(new, encoding="utf-8")
        sys.stdout.write(f"{DEFINITION.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
