"""The recorded run is still what the stack does, and its policies allow all of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipectl.embedded.process import StackProcess
from tests.end_to_end import recording
from tests.end_to_end.pipeline import Pipeline

pytestmark = pytest.mark.long  # a separate stack, without the calls of other tests


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackProcess]:
    with StackProcess(parameters=recording.PARAMETERS) as stack:
        pipeline = Pipeline(stack)
        recording.run(pipeline)
        recording.run_as_people(pipeline, tmp_path_factory.mktemp("people"))
        yield stack


def test_nothing_is_refused_but_processed_records_to_operators(stack: StackProcess) -> None:
    remedies = [refusal.remedy for refusal in stack.refusals()]
    assert [it for it in remedies if "Operator" not in it or "/processed/" not in it] == []


def test_the_recording_is_what_the_stack_does(stack: StackProcess) -> None:
    """Otherwise write it again with `make rights`."""
    now = _lasting(recording.written(stack.calls()))
    before = _lasting(recording.RECORDING.read_text(encoding="utf-8"))
    assert sorted(now - before) == []
    assert sorted(before - now) == []


def _lasting(text: str) -> set[str]:
    """The calls without those about the smoke test's file, which it may remove at any step."""
    return {line.rstrip(",") for line in text.splitlines() if "smoke-0" not in line}
