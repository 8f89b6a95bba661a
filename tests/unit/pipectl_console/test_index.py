"""The list of files is read once, and after that only what has changed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from botocore.client import BaseClient

from pipectl.client.stack_choice import Stack
from pipectl.console.index import ExecutionIndex
from tests.unit.pipectl.test_hostile_text import (
    ARN,
    MACHINE,
    NOW,
    OUTPUTS,
    SOURCE,
    item,
    serialized,
)
from tests.unit.pipectl_console.world import PATIENCE, browser, console, deployment


@dataclass
class Many:
    """An AWS with many executions, newest first; `calls` counts by operation."""

    executions: list[dict[str, Any]] = field(default_factory=list)
    calls: dict[str, int] = field(default_factory=dict)

    def add(self, number: int, status: str = "SUCCEEDED") -> dict[str, Any]:
        """A new execution, the newest one."""
        name = f"{number:032x}"
        execution = {
            "executionArn": f"{ARN.rpartition(':')[0]}:{name}",
            "stateMachineArn": MACHINE,
            "name": name,
            "status": status,
            "startDate": NOW + timedelta(seconds=number),
            "stopDate": NOW + timedelta(seconds=number + 5),
            "redriveCount": 0,
        }
        self.executions.insert(0, execution)
        return execution

    def answer(self, operation: str, request: Mapping[str, Any]) -> Any:
        """Answer an API call."""
        self.calls[operation] = self.calls.get(operation, 0) + 1
        return getattr(self, operation)(request)

    def DescribeStacks(self, _: Any) -> Any:  # noqa: N802  # as AWS names it
        outputs = [{"OutputKey": name, "OutputValue": value} for name, value in OUTPUTS.items()]
        return {"Stacks": [{"Outputs": outputs}]}

    def ListExecutions(self, request: Any) -> Any:  # noqa: N802
        wanted = request.get("statusFilter")
        found = [one for one in self.executions if wanted in (None, one["status"])]
        start, size = int(request.get("nextToken", 0)), request["maxResults"]
        answer: dict[str, Any] = {"executions": found[start : start + size]}
        return answer | ({"nextToken": str(start + size)} if start + size < len(found) else {})

    def BatchGetItem(self, request: Any) -> Any:  # noqa: N802
        keys = [key["file_id"]["S"] for key in request["RequestItems"]["metadata"]["Keys"]]
        arn = ARN.rpartition(":")[0]
        one = {**item(SOURCE, "succeeded"), "error_count": 0}
        items = [{**one, "file_id": key, "execution_arn": f"{arn}:{key}"} for key in keys]
        return {"Responses": {"metadata": [serialized(one) for one in items]}}

    def DescribeExecution(self, request: Any) -> Any:  # noqa: N802
        return next(
            one | {"input": "{}"}
            for one in self.executions
            if one["executionArn"] == request["executionArn"]
        )

    def GetExecutionHistory(self, _: Any) -> Any:  # noqa: N802
        entered = {"name": "Transform"}
        event = {"type": "TaskStateEntered", "timestamp": NOW, "stateEnteredEventDetails": entered}
        return {"events": [event]}


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> Many:
    many = Many()
    monkeypatch.setattr(
        BaseClient,
        "_make_api_call",
        lambda _client, operation, request: many.answer(operation, request),
    )
    for number in range(300):
        many.add(number)
    return many


def index() -> ExecutionIndex:
    return ExecutionIndex(Stack(deployment()), patience=PATIENCE)


def test_a_refresh_without_changes_takes_two_calls(many: Many) -> None:
    found = index()
    assert len(found.look()) == 300
    many.calls.clear()
    assert found.look() == set()
    assert many.calls == {"ListExecutions": 2}


def test_a_new_execution_is_the_first_and_its_end_is_noticed(many: Many) -> None:
    found = index()
    found.look()
    running = many.add(1000, "RUNNING")
    assert found.look() == {running["name"]}
    assert found.known_files()[0].execution.running
    running["status"] = "FAILED"
    assert found.look() == {running["name"]}
    assert found.known_files()[0].status == "failed"


def test_a_redrive_of_an_old_execution_is_noticed(many: Many) -> None:
    found = index()
    found.look()
    old = many.executions[-1]
    old.update(status="RUNNING", redriveCount=1, redriveDate=NOW + timedelta(days=1))
    assert found.look() == {old["name"]}
    # It is the latest that something has happened to.
    assert found.known_files()[0].execution.name == old["name"]
    old["status"] = "SUCCEEDED"
    assert found.look() == {old["name"]}


def test_only_the_newest_are_kept_and_the_page_says_so(many: Many) -> None:
    found = ExecutionIndex(Stack(deployment()), most=100, patience=PATIENCE)
    found.look()
    assert len(found.known_files()) == 100
    assert found.truncated
    assert found.known_files()[0].execution.name == many.executions[0]["name"]


def test_a_page_has_fifty_rows_and_leads_to_the_others(many: Many) -> None:
    client = browser(console())
    text = client.get("/").text
    assert text.count('<tr id="row-') == 50
    assert "page 1 of 6" in text
    assert client.get("/?page=6").text.count('<tr id="row-') == 50
    assert client.get("/?page=999999").text.count('<tr id="row-') == 50


def test_a_running_file_shows_its_step(many: Many) -> None:
    many.add(1000, "RUNNING")
    assert "in Transform" in browser(console()).get("/").text


def test_a_stack_that_cannot_be_read_is_an_answer(
    many: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise ConnectionError("no network")

    shown = console()
    client = browser(shown)
    assert client.get("/").status_code == 200
    monkeypatch.setattr(shown.index._executions, "listed", refuse)
    shown.index.outdate()
    text = client.get("/").text
    assert "can&#39;t be read" in text or "can't be read" in text
    assert '<tr id="row-' in text


@pytest.mark.long
def test_a_page_of_ten_thousand_executions_takes_less_than_a_third_of_a_second(many: Many) -> None:
    for number in range(300, 10_000):
        many.add(number)
    shown = console()
    client = browser(shown)
    client.get("/")
    times = []
    for path in ("/", "/?status=clean&page=150", "/?q=march", "/datasets"):
        many.ListObjectsV2 = lambda _: {"KeyCount": 0}  # type: ignore[attr-defined]
        shown.index.outdate()
        started = time.perf_counter()
        assert client.get(path).status_code == 200
        times.append(time.perf_counter() - started)
    assert max(times) < 0.3, times
