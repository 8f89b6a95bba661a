"""Every log line about a file names the file, the attempt and the execution."""

from __future__ import annotations

from typing import Any

import pytest

from failure_gate.app import handler as gate
from shared.errors import PipelineError
from shared.step import Task, step
from tests.unit.functions import documents
from tests.unit.functions.conftest import Logs
from tests.unit.functions.documents import FILE_ID

EXPECTED = {"file_id": FILE_ID, "attempt": 2, "execution": f"{FILE_ID}-r2"}


def keys_of(line: dict[str, Any]) -> dict[str, Any]:
    return {name: line.get(name) for name in EXPECTED}


def test_of_a_step(logs: Logs) -> None:
    @step()
    def handler(_task: Task) -> dict[str, Any]:
        return {}

    handler(documents.payload(documents.job(2)), None)
    assert [keys_of(line) for line in logs] == [EXPECTED]


def test_of_the_failure_gate(logs: Logs) -> None:
    failure = documents.failure("EmptyFile", attempt=2)
    document = documents.job(2, failure=failure)
    with pytest.raises(PipelineError):
        gate(documents.payload(document), None)
    gate(documents.payload(document, redrives=1), None)
    assert [keys_of(line) for line in logs] == [EXPECTED] * 2
