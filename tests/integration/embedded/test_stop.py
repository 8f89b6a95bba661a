"""The stack ends within seconds, even while executions wait."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pipectl.embedded.process import StackProcess
from tests.integration.embedded.conftest import PROBE_TEMPLATE

EXECUTIONS = 500


@pytest.fixture
def busy() -> Iterator[StackProcess]:
    """A stack in which every execution waits 30 seconds and more for its next attempt."""
    with StackProcess(PROBE_TEMPLATE, time_factor=1) as stack:
        stack.add_fault("probe-actor", "throttle", times=100 * EXECUTIONS)
        client: Any = stack.client("stepfunctions")

        def start(number: int) -> None:
            client.start_execution(
                stateMachineArn=stack.outputs["StateMachineArn"],
                name=str(number),
                input=json.dumps({"do": "echo"}),
            )

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(start, range(EXECUTIONS)))
        yield stack


@pytest.mark.long
def test_a_stack_with_many_waiting_executions_ends_within_seconds(busy: StackProcess) -> None:
    started = time.monotonic()
    printed = busy.terminate()
    assert time.monotonic() - started < 20
    assert printed == ["Starting the embedded AWS ...", "Stopped."]
