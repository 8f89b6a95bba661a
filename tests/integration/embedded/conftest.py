"""A small stack with functions for tests, on the embedded AWS; one for all tests here."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipectl.embedded.process import StackProcess

PROBE_TEMPLATE = Path(__file__).parent / "probe_stack" / "template.yaml"

Invoke = Callable[..., tuple[Any, str | None]]
Notes = Callable[..., list[Any]]


@pytest.fixture(scope="session")
def probe() -> Iterator[StackProcess]:
    """The stack of `probe_stack/`, in a separate process."""
    with StackProcess(PROBE_TEMPLATE, {"Greeting": "goodbye"}) as stack:
        yield stack


@pytest.fixture
def invoke(probe: StackProcess) -> Invoke:
    """Invoke a function with an event; gives the payload and the function error."""

    def call(event: Any, function: str = "probe-actor") -> tuple[Any, str | None]:
        answer = probe.client("lambda").invoke(
            FunctionName=function, Payload=json.dumps(event).encode()
        )
        return json.loads(answer["Payload"].read()), answer.get("FunctionError")

    return call


class Waiting:
    """Invocations that wait inside their function, where a test wants two things at once."""

    def __init__(self, probe: StackProcess, notes: Notes) -> None:
        self._probe, self._notes = probe, notes
        self._mark = str(uuid.uuid4())
        self.event = {"do": "wait", "mark": self._mark}

    def until_inside(self, count: int = 1) -> None:
        """Wait until this number of invocations with `event` are running at the same time."""
        assert len(self._notes("inside", self._mark, count=count, patience=50)) == count

    def release(self) -> None:
        """Let them, and all later ones, return the IDs of their processes."""
        bucket = self._probe.outputs["OutputBucketName"]
        self._probe.client("s3").put_object(Bucket=bucket, Key=f"go/{self._mark}", Body=b"")


@pytest.fixture
def waiting(probe: StackProcess, notes: Notes) -> Iterator[Waiting]:
    """Invocations that wait until the test, or its end, releases them."""
    waiting = Waiting(probe, notes)
    yield waiting
    waiting.release()


@pytest.fixture
def notes(probe: StackProcess) -> Notes:
    """Wait until functions have noted `count` documents with a text in them; gives them all."""

    def wait(kind: str, text: str, count: int = 1, patience: float = 20) -> list[Any]:
        deadline = time.monotonic() + patience
        found: list[str] = []
        while len(found) < count and time.monotonic() < deadline:
            noted = [probe.output(key).decode() for key in probe.output_keys(f"{kind}/")]
            found = [document for document in noted if text in document]
            time.sleep(0.05)
        return [json.loads(document) for document in found]

    return wait
