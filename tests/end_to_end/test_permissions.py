"""The recorded run is still what the stack does, and its policies allow all of it."""

from __future__ import annotations

import pytest

from pipectl.embedded.rights.enforcement import Call, Refusal
from tests.end_to_end import recording

pytestmark = pytest.mark.long  # separate stacks, without the calls of other tests

Recorded = tuple[set[Call], list[Refusal]]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return recording.record(tmp_path_factory.mktemp("people"))


def test_nothing_is_refused_but_processed_records_to_operators(recorded: Recorded) -> None:
    # The run takes the permission to report an ended execution away once.
    refused = [it for it in recorded[1] if "lambda:InvokeFunction" not in it.message]
    assert len(refused) == len(recorded[1]) - 1
    remedies = [refusal.remedy for refusal in refused]
    assert [it for it in remedies if "Operator" not in it or "/processed/" not in it] == []


def test_the_recording_is_what_the_stack_does(recorded: Recorded) -> None:
    """Otherwise write it again with `make rights`."""
    now = _lasting(recording.written(recorded[0]))
    before = _lasting(recording.RECORDING.read_text(encoding="utf-8"))
    assert sorted(now - before) == []
    assert sorted(before - now) == []


def _lasting(text: str) -> set[str]:
    """The calls without those about the smoke test's file, which it may remove at any step."""
    return {line.rstrip(",") for line in text.splitlines() if "smoke-0" not in line}
