"""The recorded run is still what the stack does, and its policies allow all of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipectl.embedded.process import StackProcess
from tests.end_to_end import recording
from tests.end_to_end.pipeline import Pipeline

pytestmark = pytest.mark.long  # a separate stack, without the calls of other tests


@pytest.fixture(scope="module")
def stack() -> Iterator[StackProcess]:
    with StackProcess(parameters=recording.PARAMETERS) as stack:
        recording.run(Pipeline(stack))
        yield stack


def test_nothing_is_refused(stack: StackProcess) -> None:
    assert [refusal.remedy for refusal in stack.refusals()] == []


def test_the_recording_is_what_the_stack_does(stack: StackProcess) -> None:
    """Otherwise write it again with `make rights`."""
    assert recording.written(stack.calls()) == recording.RECORDING.read_text(encoding="utf-8")
