"""What every step has in common: its payload in, its errors out, and no data in between."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars
import pytest

from shared.errors import (
    InternalError,
    SettingsError,
    SourceNotFound,
    TransientError,
)
from shared.job import Job
from shared.settings import from_environment
from shared.step import Task, guarded, step
from tests.infrastructure import deployed
from tests.unit.functions import documents
from tests.unit.functions.conftest import Event, Logs

SECRET = "DE89 3704 0044 0532 0130 00"


class EngineError(Exception):
    """An error like the engine's, which a step passes on."""


def raising(error: BaseException, *passes: type[Exception]) -> Callable[..., Any]:
    @step(*passes)
    def handler(_task: Task) -> dict[str, Any]:
        raise error

    return handler


def test_the_task_is_what_the_workflow_sends(event: Event) -> None:
    task = Task.from_payload(event("parse-csv"))
    assert task.job.file_id == "9006f0067b929cd00488fb9b82e5fd9e"
    assert task.job.file_id == task.job.source.file_id
    assert task.job.attempt == 1
    assert task.job.results == {}
    assert task.job.failure is None
    assert task.execution.name == "9006f0067b929cd00488fb9b82e5fd9e"
    assert task.execution.start_time == "2026-03-01T08:00:02.114Z"
    assert task.execution.redrive_count == 0


class EngineErrorWithNumbers(EngineError):
    """An error like the engine's, with numbers."""

    details = {"rejected": 16, "limit_percent": 1.5}  # noqa: RUF012


def test_an_errors_numbers_reach_the_failure_lane() -> None:
    error = EngineErrorWithNumbers("16 records were rejected.")
    with pytest.raises(EngineErrorWithNumbers) as caught:
        raising(error, EngineError)(documents.payload(documents.job()), None)
    failure = documents.failure("EngineErrorWithNumbers", str(caught.value))
    read = Job.from_document(documents.job(failure=failure)).failure
    assert read is not None
    assert read.cause == "16 records were rejected."
    assert read.details == {"rejected": 16, "limit_percent": 1.5}


def test_parameters_of_a_state_are_in_the_payload() -> None:
    payload = documents.payload(documents.job(), redrives=2, outcome="failed")
    task = Task.from_payload(payload)
    assert task.payload["outcome"] == "failed"
    assert task.execution.redrive_count == 2


def test_the_result_is_returned_and_logged_with_the_file(logs: Logs) -> None:
    @step()
    def handler(task: Task) -> dict[str, Any]:
        return {"splits": 1, "file_id": task.job.file_id}

    result = handler(documents.payload(documents.job(2)), None)
    assert result == {"splits": 1, "file_id": documents.FILE_ID}
    assert logs[-1]["message"] == "step done"
    assert logs[-1]["result"] == result
    assert logs[-1]["file_id"] == documents.FILE_ID
    assert logs[-1]["attempt"] == 2
    assert logs[-1]["execution"] == f"{documents.FILE_ID}-r2"


@pytest.mark.parametrize("error", [SourceNotFound("gone"), TransientError("busy")])
def test_an_error_of_the_pipeline_keeps_its_name_and_message(error: Exception, logs: Logs) -> None:
    with pytest.raises(type(error), match=str(error)):
        raising(error)(documents.payload(documents.job()), None)
    assert logs[-1]["error"] == type(error).__name__


def test_an_error_that_the_step_declares_passes_too(logs: Logs) -> None:
    with pytest.raises(EngineError, match="header"):
        raising(EngineError("the header"), EngineError)(documents.payload(documents.job()), None)


@pytest.mark.parametrize(
    "error",
    [
        ValueError(f"could not convert string to float: '{SECRET}'"),
        KeyError(SECRET),
        EngineError(SECRET),
        polars.exceptions.ComputeError(SECRET),
        polars.exceptions.PanicException(SECRET),
    ],
    ids=lambda error: type(error).__name__,
)
def test_any_other_error_loses_its_message(error: BaseException, logs: Logs) -> None:
    with pytest.raises(InternalError) as caught:
        raising(error)(documents.payload(documents.job()), None)
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__
    assert SECRET not in json.dumps(logs)
    assert type(error).__name__ in str(caught.value)
    assert logs[-1]["error"] == type(error).__name__


def test_every_frame_is_named_by_file_line_and_function(logs: Logs) -> None:
    def read(text: str) -> dict[str, Any]:
        return dict(json.loads(text))

    @step()
    def handler(_task: Task) -> dict[str, Any]:
        return read(SECRET)

    frames = (
        r"functions/test_step\.py:\d+:handler, functions/test_step\.py:\d+:read, "
        r"json/__init__\.py:\d+:loads, json/decoder\.py:\d+:decode, "
        r"json/decoder\.py:\d+:raw_decode\.$"
    )
    with pytest.raises(InternalError, match=frames):
        handler(documents.payload(documents.job()), None)
    assert re.search(frames[:-3], logs[-1]["at"])


def test_an_endless_recursion_is_one_frame(logs: Logs) -> None:
    def recurse() -> dict[str, Any]:
        return recurse()

    @step()
    def handler(_task: Task) -> dict[str, Any]:
        return recurse()

    with pytest.raises(
        InternalError, match=r"RecursionError .*:recurse \(\d+ times\)\.$"
    ) as caught:
        handler(documents.payload(documents.job()), None)
    assert len(str(caught.value)) < 1000


def test_a_missing_setting_reaches_cause_and_log(logs: Logs) -> None:
    @dataclass(frozen=True)
    class Settings:
        output_bucket: str

    @step()
    def handler(_task: Task) -> dict[str, Any]:
        return vars(from_environment(Settings, {}))

    with pytest.raises(SettingsError, match="OUTPUT_BUCKET is not set"):
        handler(documents.payload(documents.job()), None)
    assert logs[-1]["error"] == "SettingsError"
    assert "OUTPUT_BUCKET is not set" in logs[-1]["reason"]


def test_a_guarded_handler_drops_a_librarys_message(logs: Logs) -> None:
    @guarded(EngineError)
    def handler(event: str, _context: object) -> None:
        raise EngineError(event) if event == "known" else ValueError(event)

    with pytest.raises(InternalError, match=r"Unexpected ValueError at .*:handler\.") as caught:
        handler(SECRET, None)
    assert SECRET not in str(caught.value) + json.dumps(logs)
    with pytest.raises(EngineError):
        handler("known", None)


@pytest.mark.parametrize("function", deployed.functions())
def test_every_function_raises_errors_of_the_pipeline_only(function: str) -> None:
    module, _, name = str(deployed.functions()[function]["Handler"]).rpartition(".")
    handler = getattr(importlib.import_module(module), name)
    # The outermost frame is the guard's, under any name.
    assert handler.__code__.co_filename == step.__code__.co_filename


def test_a_payload_that_is_not_a_task_is_an_internal_error(logs: Logs) -> None:
    with pytest.raises(
        InternalError, match=r"KeyError at shared/step\.py:\d+:handler, shared/step"
    ):
        raising(AssertionError())({"job": {"file_id": SECRET}}, None)
    assert SECRET not in json.dumps(logs)


def test_a_warm_function_does_not_log_the_previous_file(logs: Logs) -> None:
    handler = raising(TransientError("busy"))
    with pytest.raises(TransientError):
        handler(documents.payload(documents.job()), None)
    with pytest.raises(InternalError):
        handler({}, None)
    assert logs[-2]["file_id"] == documents.FILE_ID
    assert "file_id" not in logs[-1]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)])
def test_a_request_to_stop_is_not_an_error_of_the_step(error: BaseException, logs: Logs) -> None:
    with pytest.raises(type(error)):
        raising(error)(documents.payload(documents.job()), None)
