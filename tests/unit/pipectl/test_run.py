"""`pipectl run`: its exit statuses, and which options go together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipectl.commands.run import command
from pipectl.embedded.rights.enforcement import Refusal
from pipectl.local import local_run
from tests.unit.pipectl.test_display import failed, succeeded

NOTHING = {"record_count": 5, "processed_count": 0, "error_count": 5}


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ([succeeded("a.csv")], 0),
        ([succeeded("a.csv"), replace(succeeded("b.csv"), metadata=NOTHING)], 3),
        ([failed("a.csv"), replace(succeeded("b.csv"), metadata=NOTHING)], 1),
    ],
)
def test_the_exit_status_separates_failed_from_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, results: list[Any], status: int
) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    logs = tmp_path if status == 1 else None
    monkeypatch.setattr(
        local_run, "run_files", lambda *_, **__: local_run.LocalRun(results, [], [], logs)
    )
    result = CliRunner().invoke(command, [str(tmp_path / "a.csv")])

    assert result.exit_code == status
    assert ("all records rejected" in result.output) == any(one.all_rejected for one in results)


def test_a_missing_permission_fails_a_run_and_is_named_with_the_statement_to_add(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    refusals = [Refusal("AccessDenied", f"User: {n} may not", f"Add: {n}", "s3") for n in range(7)]
    finished = local_run.LocalRun([succeeded("a.csv")], [], refusals, tmp_path)
    monkeypatch.setattr(local_run, "run_files", lambda *_, **__: finished)
    result = CliRunner().invoke(command, [str(tmp_path / "a.csv")])

    assert result.exit_code == 1
    assert "AccessDenied: User: 0 may not.\n  Add: 0\n" in result.output
    assert "Add: 5" not in result.output
    assert "There are 2 more refusals." in result.output


@pytest.mark.parametrize(("all_rejected", "fails"), [(False, False), (True, False), (True, True)])
def test_a_watched_folder_ends_with_the_same_statuses_and_names_the_logs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, all_rejected: bool, fails: bool
) -> None:
    finished = local_run.WatchedRun(all_rejected, [], tmp_path / "logs" if fails else None)
    monkeypatch.setattr(local_run, "watch_folder", lambda *_, **__: finished)
    monkeypatch.setattr("signal.signal", lambda *_: None)  # pytest keeps its own handlers
    result = CliRunner().invoke(command, ["--watch", str(tmp_path)])

    assert result.exit_code == (1 if fails else 3 if all_rejected else 0)
    assert (f"The functions' logs are in {tmp_path / 'logs'}" in result.output) == fails


@pytest.mark.parametrize(
    "arguments", [[], ["--watch", "nowhere"], ["--watch", ".", "a.csv"], ["--watch", ".", "--json"]]
)
def test_files_or_a_folder_to_watch_are_needed(arguments: list[str]) -> None:
    assert CliRunner().invoke(command, arguments).exit_code == 2


def test_a_run_that_would_wait_for_a_malware_scan_is_refused() -> None:
    arguments = ["a.csv", "--parameter", "StartOnScanResult=true"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert "nothing scans files on this machine" in result.output
