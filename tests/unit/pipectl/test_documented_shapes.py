"""What `check --json` and `run --json` print has the keys that docs/local.md shows."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipectl.client.file_results import FileResult
from pipectl.client.history import ExecutionFailure, Run
from pipectl.client.step_functions import DescribedExecution
from pipectl.client.uploads import PlannedUpload
from pipectl.commands.check import command as check

STARTED = datetime(2026, 3, 1, tzinfo=UTC)

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "local.md").read_text(encoding="utf-8")


def documented(command: str) -> dict[str, Any]:
    [block] = re.findall(rf"<!-- json: {command} -->\n```json\n(.+?)\n```", PAGE, re.DOTALL)
    document = json.loads(block)
    assert isinstance(document, dict)
    return document


@pytest.fixture
def checked() -> dict[str, Any]:
    """What `check` prints of the sample that the page is about."""
    sample = ROOT / "events" / "orders-2026-03.csv"
    contract = ROOT / "events" / "orders.contract.json"
    arguments = [str(sample), "--contract", str(contract), "--json", "--limit", "1"]
    document = json.loads(CliRunner().invoke(check, arguments).stdout)
    assert isinstance(document, dict)
    return document


def test_check_prints_what_the_page_shows(checked: dict[str, Any]) -> None:
    shown = documented("check")
    shown["files"][0]["source"] = checked["files"][0]["source"]

    assert checked == shown


def test_run_prints_the_keys_that_the_page_shows() -> None:
    execution = DescribedExecution("arn:x", "f1", "failed", STARTED, document={"file_id": "f1"})
    result = FileResult(
        PlannedUpload(Path("a.csv"), "raw/orders/a.csv"),
        execution,
        Run("failed"),
        ExecutionFailure("EmptyFile", "It is empty.", "ParseCsv"),
        {"file_id": "f1"},
        {"subject": "s", "message": "m", "attributes": {}, "document": {}},
        dict.fromkeys(("processed", "rejected", "summary", "report")),
    ).document()
    [shown] = documented("run")["files"]

    assert list(result) == list(shown)
    for part in ("outputs", "execution", "notification"):
        assert list(result[part]) == list(shown[part])
    assert list(result["error"]) == ["code", "message", "state"]
