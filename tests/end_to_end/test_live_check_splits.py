"""`pipectl live-check` on a stack whose splits are small: its checks of Distributed Maps."""

from __future__ import annotations

import json
import threading

import pytest

from pipectl.commands.live_check import command
from tests.end_to_end.pipeline import Pipeline

pytestmark = pytest.mark.long

# `stop-in-map` too, unless the machine is so fast that the Map has ended first.
SPLIT_CHECKS = ("map-role", "map-results", "map-failure", "missing-version", "redrive-events")


def test_the_checks_of_maps_are_as_expected_and_leave_nothing(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipectl.signals.ending_signals", threading.Event)
    chosen = [part for name in (*SPLIT_CHECKS, "stop-in-map") for part in ("--only", name)]
    state_file = str(pipeline.stack.state_file)
    command.main([*chosen, "--json", "--state-file", state_file], standalone_mode=False)

    document = json.loads(capsys.readouterr().out)
    verdicts = {one["name"]: one["verdict"] for one in document["checks"]}
    assert verdicts.pop("stop-in-map") in ("ok", "not run")
    assert verdicts == dict.fromkeys(SPLIT_CHECKS, "ok"), document
    assert document["not_removed"] == []
    glue = pipeline.deployment.client("glue")
    tables = glue.get_tables(DatabaseName="analytics")["TableList"]
    assert [table["Name"] for table in tables if "live" in table["Name"]] == []
