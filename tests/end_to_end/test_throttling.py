"""Throttled invocations wait for their turn: no file fails because an account is small."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pipectl.embedded.process import StackProcess
from tests.end_to_end.pipeline import Pipeline
from tests.end_to_end.samples import HEADER, orders

SMALL = orders(20)
SPLIT_SIZE_BYTES = 4096


@contextmanager
def small_account(concurrency: int, time_factor: float) -> Iterator[Pipeline]:
    parameters = {"SplitSizeBytes": str(SPLIT_SIZE_BYTES)}
    with StackProcess(
        parameters=parameters, concurrency=concurrency, time_factor=time_factor
    ) as stack:
        yield Pipeline(stack)


def of_splits(count: int) -> bytes:
    """A file that is cut into this number of splits."""
    rows = int(SPLIT_SIZE_BYTES * (count - 0.5)) // len(b"0000000,1.5,plain\n")
    return HEADER + b"".join(b"%07d,1.5,plain\n" % row for row in range(rows))


def run_at_once(pipeline: Pipeline, files: int, splits: int, patience: float) -> int:
    """Drop all files at once; returns how many invocations were throttled in all."""
    large = pipeline.drop(of_splits(splits))
    dropped = [large, *(pipeline.drop(SMALL) for _ in range(files))]
    deadline = time.monotonic() + patience
    throttled = 0
    for source in dropped:
        pipeline.source_of(source.file_id)  # waits until it has started
        execution = pipeline.wait(source.file_id, deadline - time.monotonic())
        assert execution.status == "succeeded"
        throttled += throttles(pipeline, execution.arn)
    assert pipeline.stack.dead_letters() == []
    assert pipeline.results(large.file_id)["parse"]["splits"] == splits
    return throttled


def throttles(pipeline: Pipeline, arn: str) -> int:
    client = pipeline.deployment.client("stepfunctions")
    pages: Any = client.get_paginator("get_execution_history").paginate(executionArn=arn)
    events = [event for page in pages for event in page["events"]]
    failures = [event.get("taskFailedEventDetails", {}) for event in events]
    return [failure.get("error") for failure in failures].count("Lambda.TooManyRequestsException")


@pytest.mark.slow  # a stack of its own
def test_files_wait_for_their_turn_on_a_small_account() -> None:
    with small_account(concurrency=2, time_factor=0.01) as pipeline:
        assert run_at_once(pipeline, files=3, splits=4, patience=120) > 0


@pytest.mark.long
def test_a_thousand_files_and_a_hundred_splits_on_a_new_account() -> None:
    # Shorter waits would only mean more attempts, each of which takes this machine time.
    with small_account(concurrency=10, time_factor=0.3) as pipeline:
        assert run_at_once(pipeline, files=1000, splits=100, patience=3600) > 1000
