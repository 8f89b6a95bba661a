"""The data of an execution's page: Map runs and log lines, on the embedded AWS and on AWS."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from botocore.exceptions import ClientError

from pipectl.operate.details import ExecutionDetails
from pipectl.operate.execution_view import MapCounts, read_execution_view
from tests.unit.pipectl_views.histories import DEFINITION, FILE_ID, START, History, failed, view_of

MAP_RUN = "arn:aws:states:us-east-1:123456789012:mapRun:data-pipeline-dev/MeasureSplits:1"


class FakeStack:
    """Answers what the view asks; `log_folder` is set on an embedded stack."""

    def __init__(self, history: History, log_folder: Path | None = None) -> None:
        self.emulated = log_folder is not None
        self.log_folder = log_folder
        self.history = history
        self.asked: list[tuple[str, Any]] = []
        self.map_runs: list[Any] = []

    def output(self, _name: str) -> str:
        return "arn:machine"

    def client(self, _name: str) -> Any:
        return self

    def get_paginator(self, _name: str) -> Any:
        return self

    def paginate(self, **_: Any) -> list[Any]:
        return [{"events": self.history.events}]

    def describe_state_machine_for_execution(self, **_: Any) -> Any:
        return {"definition": json.dumps(DEFINITION)}

    def describe_map_run(self, **asked: Any) -> Any:
        self.asked.append(("map", asked["mapRunArn"]))
        counts = dict.fromkeys(("pending", "running", "timedOut", "aborted"), 1)
        return {"itemCounts": {**counts, "succeeded": 7, "failed": 2, "total": 14}}

    def list_map_runs(self, **_: Any) -> Any:
        return {"mapRuns": self.map_runs}

    def list_executions(self, **_: Any) -> Any:
        late = {"executionArn": "arn:late", "name": "late", "stopDate": START + timedelta(1)}
        return {"executions": [late, {**late, "executionArn": "arn:early", "stopDate": START}]}

    def describe_execution(self, **asked: Any) -> Any:
        return {"input": json.dumps({"split": {"index": asked["executionArn"].count("early") + 3}})}

    def filter_log_events(self, **asked: Any) -> Any:
        self.asked.append(("logs", asked))
        if "writeoutput" not in asked["logGroupName"]:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "FilterLogEvents")
        return {"events": [{"message": "a line\n"}]}


def details_of(history: History, stack: FakeStack) -> ExecutionDetails:
    return replace(view_of(history, "failed").found, stack=cast("Any", stack))


def read(history: History, log_folder: Path | None = None) -> tuple[Any, FakeStack]:
    stack = FakeStack(history, log_folder)
    return read_execution_view(cast("Any", stack), details_of(history, stack)), stack


def mapped() -> History:
    history = History().enter("MeasureSplits", "Map")
    history.events.append(
        {
            "id": 99,
            "type": "MapRunStarted",
            "timestamp": START,
            "mapRunStartedEventDetails": {"mapRunArn": MAP_RUN},
        }
    )
    return history


def test_a_map_is_counted_and_its_first_failure_named() -> None:
    view, stack = read(mapped())
    assert stack.asked == [("map", MAP_RUN)]
    assert view.maps == {0: MapCounts(done=7, running=2, failed=4, first_failed="split 4")}


def test_the_embedded_aws_does_not_list_the_items_of_a_map(tmp_path: Path) -> None:
    view, _ = read(mapped(), tmp_path)
    assert view.maps[0].first_failed is None


def test_the_log_of_each_failed_step_is_read_from_cloudwatch() -> None:
    view, stack = read(failed())
    names = [visit.name for visit in view.found.run.visits]
    lines = {names[number]: found for number, found in view.logs.items()}
    assert lines == {"WriteOutput": ["a line"], "FailureGate": []}
    asked = next(asked for kind, asked in stack.asked if "writeoutput" in asked["logGroupName"])
    assert asked["filterPattern"] == f'"{FILE_ID}"'
    assert asked["startTime"] < asked["endTime"]
