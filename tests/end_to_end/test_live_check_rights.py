"""`pipectl live-check` with the rights that its page lists, on a stack whose splits are small."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from pipectl.commands.live_check import command
from tests.end_to_end.pipeline import Pipeline
from tests.infrastructure.test_policies_for_people import listed_actions

pytestmark = pytest.mark.long

# `stop-in-map` too, unless the machine is so fast that the Map has ended first.
CHECKS = (
    *("file-processed", "redrive-count", "redrive-continues", "redrive-events"),
    *("map-role", "map-results", "map-failure", "map-redrive", "missing-version"),
    *("timeout-name", "retry-count", "conditional-complete", "unquoted-etags"),
    "conditional-delete",
)


def state_file_of_checker(pipeline: Pipeline, folder: Path) -> str:
    """The state file of a user who may do exactly what docs/operating.md lists."""
    iam: Any = pipeline.stack.client("iam")
    actions = listed_actions("all", "`executions`", "`show`", "`smoke`", "`live-check`")
    statement = {"Effect": "Allow", "Action": sorted(actions), "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.create_user(UserName="Checker")
    iam.put_user_policy(UserName="Checker", PolicyName="live-check", PolicyDocument=policy)
    key = iam.create_access_key(UserName="Checker")["AccessKey"]["AccessKeyId"]
    state = json.loads(pipeline.stack.state_file.read_text(encoding="utf-8"))
    path = folder / "checker.json"
    path.write_text(json.dumps({**state, "access_key": key}), encoding="utf-8")
    return str(path)


def test_the_listed_rights_are_enough_and_nothing_is_left(
    pipeline: Pipeline,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("pipectl.signals.ending_signals", threading.Event)
    before = pipeline.stack.refusals()
    chosen = [part for name in (*CHECKS, "stop-in-map") for part in ("--only", name)]
    options = ["--invasive", "--json", "--state-file", state_file_of_checker(pipeline, tmp_path)]
    command.main([*chosen, *options], standalone_mode=False)

    document = json.loads(capsys.readouterr().out)
    verdicts = {one["name"]: one["verdict"] for one in document["checks"]}
    assert verdicts.pop("stop-in-map") in ("ok", "not run")
    assert verdicts == dict.fromkeys(CHECKS, "ok"), document
    assert document["not_removed"] == []
    assert [it for it in pipeline.stack.refusals() if it not in before] == []
    glue = pipeline.deployment.client("glue")
    tables = glue.get_tables(DatabaseName="analytics")["TableList"]
    assert [table["Name"] for table in tables if "live" in table["Name"]] == []
