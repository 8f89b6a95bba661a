"""`pipectl live-check` passes against the embedded AWS, and leaves nothing there."""

from __future__ import annotations

import threading

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
    assert done.document["not_removed"] == []
