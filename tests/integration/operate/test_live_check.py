"""`pipectl live-check` passes against the embedded AWS, and leaves nothing there."""

from __future__ import annotations

import sys
import threading
import time
from functools import partial

import pytest

from pipectl.operate.live_check.registry import CHECKS
from tests.integration.operate.conftest import Command, DatasetFolder

# They need one small file or none.
QUICK = (
    *("file-processed", "redrive-count", "redrive-continues", "error-name", "missing-object"),
    *("conditional-complete", "unquoted-etags", "conditional-delete", "event-identity"),
)


@pytest.fixture(autouse=True)
def _own_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipectl.signals.ending_signals", threading.Event)


def test_the_quick_checks_are_as_expected_and_leave_nothing(
    dataset: DatasetFolder, command: Command
) -> None:
    done = command("live-check", "--json", *(part for name in QUICK for part in ("--only", name)))

    found = {one["name"]: (one["verdict"], one["seen"]) for one in done.document["checks"]}
    assert {name: seen for name, seen in found.items() if seen[0] != "ok"} == {}
    assert found.keys() == set(QUICK)
    assert (done.exit_code, done.document["not_removed"]) == (0, [])
    s3 = dataset.stack.deployment.client("s3")
    keys = [
        one["Key"]
        for bucket in ("InputBucketName", "OutputBucketName")
        for page in s3.get_paginator("list_object_versions").paginate(
            Bucket=dataset.stack.outputs[bucket]
        )
        for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
    ]
    assert [key for key in keys if "live-check" in key] == []


@pytest.mark.long
def test_no_check_differs(command: Command) -> None:
    done = command("live-check", "--json", "--invasive")

    found = {one["name"]: (one["verdict"], one["seen"]) for one in done.document["checks"]}
    assert [one for one in found.items() if one[1][0] == "differs"] == []
    assert found.keys() == {one.name for one in CHECKS}
    assert found["timeout-name"] == ("ok", "Sandbox.Timedout, 2 attempts")
    assert found["retry-count"] == ("ok", "Transform saw 0, 1")
    assert done.document["not_removed"] == []


@pytest.mark.long
def test_a_setting_is_restored_if_the_user_ends_the_check_that_changes_it(
    dataset: DatasetFolder, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = threading.Event()
    monkeypatch.setattr("pipectl.signals.ending_signals", lambda: ending)
    # It would end the process of the tests.
    monkeypatch.setattr("pipectl.cli._end_interrupted", partial(sys.exit, 130))
    client = dataset.stack.deployment.client("lambda")
    transform = {"FunctionName": "data-pipeline-transform-dev"}
    before = client.get_function_configuration(**transform)["Timeout"]
    seen: list[int | None] = []

    def end_when_it_is_changed() -> None:
        deadline = time.monotonic() + 60
        while not seen and time.monotonic() < deadline:
            timeout = client.get_function_configuration(**transform)["Timeout"]
            seen.extend([timeout] if timeout != before else [])
        ending.set()

    watching = threading.Thread(target=end_when_it_is_changed)
    watching.start()
    done = command("live-check", "--json", "--invasive", "--only", "timeout-name")
    watching.join()

    assert seen == [1]
    assert client.get_function_configuration(**transform)["Timeout"] == before
    assert (done.exit_code, done.document["interrupted"]) == (130, True)
    assert (done.document["checks"], done.document["not_removed"]) == ([], [])
