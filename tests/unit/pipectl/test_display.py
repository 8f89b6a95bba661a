"""The table at the end of a run."""

from __future__ import annotations

import io
import json
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pipectl.client.file_results import FileResult
from pipectl.client.history import ExecutionFailure, read_history
from pipectl.client.step_functions import DescribedExecution
from pipectl.client.uploads import PlannedUpload
from pipectl.local.display import RunProgress, WatchedFolder, show_table

STARTED = datetime(2026, 3, 1, tzinfo=UTC)
NOTHING = dict.fromkeys(("processed", "rejected", "summary", "report"))


def succeeded(name: str) -> FileResult:
    """A file with 1,234 records, of which one was rejected."""
    return FileResult(
        PlannedUpload(Path(name), f"raw/{name}"),
        DescribedExecution("arn", "f1", "succeeded", STARTED, document={"file_id": "f1"}),
        read_history([], "succeeded"),
        None,
        {"record_count": 1234, "processed_count": 1233, "error_count": 1},
        None,
        {**NOTHING, "processed": Path("out/processed/default/f1.jsonl")},
    )


def failed(name: str) -> FileResult:
    """A file whose header is wrong."""
    failure = ExecutionFailure("HeaderMismatch", "Column [id] is missing.", "ParseCsv")
    return FileResult(
        PlannedUpload(Path(name), f"raw/{name}"), None, None, failure, None, None, NOTHING
    )


def test_the_table_shows_the_outcome_of_each_file() -> None:
    console = Console(file=io.StringIO(), width=100)
    show_table(console, [succeeded("a.csv"), failed("[b].csv")])
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    lines = [line.split() for line in shown.splitlines()]
    assert ["a.csv", "succeeded", "1,234", "1,233", "1", "-"] in lines
    assert ["[b].csv", "failed", "-", "-", "-", "-"] in lines
    assert "  processed out/processed/default/f1.jsonl" in shown
    assert "  HeaderMismatch in ParseCsv: Column [id] is missing." in shown


def test_a_file_without_any_processed_record_is_not_shown_as_a_plain_success() -> None:
    nothing = {"record_count": 5, "processed_count": 0, "error_count": 5}
    result = replace(succeeded("a.csv"), metadata=nothing)
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system="standard")
    show_table(console, [result])
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert result.all_rejected
    assert "\x1b[31msucceeded, all records rejected\x1b[0m" in shown
    empty = {"record_count": 0, "processed_count": 0, "error_count": 0}
    assert not replace(result, metadata=empty).all_rejected
    assert not succeeded("b.csv").all_rejected


def shown(results: list[FileResult], width: int = 80) -> str:
    """What the table at the end of a run prints."""
    console = Console(file=io.StringIO(), width=width)
    show_table(console, results)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def with_rejects(folder: Path, *rules: dict[str, Any]) -> FileResult:
    """A file with a summary of these rules, and one rejected record."""
    folder.mkdir(exist_ok=True)
    defaults = {"checked": 9, "failed": 3, "failure_rate": 33.33, "faults": 3, "first_rows": [7]}
    summary, rejected = folder / "f_summary.json", folder / "f.jsonl"
    by_rule = [defaults | rule for rule in rules]
    summary.write_text(json.dumps({"rejects": {"by_rule": by_rule}}))
    errors = [
        {
            "field": (rule["field"] or "").title() or None,
            "code": rule["code"],
            "rule": rule["rule"],
            "message": f"not {rule['rule']}",
            "value": rule.get("value"),
        }
        for rule in rules
    ]
    rejected.write_text(json.dumps({"row": 7, "errors": errors}) + "\n")
    outputs = {**NOTHING, "summary": summary, "rejected": rejected, "report": folder / "f.html"}
    return replace(succeeded("a.csv"), outputs=outputs)


TYPE = {"field": "amount", "code": "type-error", "rule": "type", "value": "x\x1b[2J"}


def test_each_broken_rule_is_a_line_with_an_example(tmp_path: Path) -> None:
    result = with_rejects(
        tmp_path,
        TYPE,
        {"field": None, "code": "source-error", "rule": "quoteChar"},
        *[
            {"field": name, "code": "missing-cell", "rule": None}
            for name in ("amount", "state", "note")
        ],
        {"field": "state", "code": "type-error", "rule": "type", "first_rows": []},
    )
    lines = [" ".join(line.split()) for line in shown([result]).splitlines()]
    assert lines[lines.index("a.csv") + 1 :] == [
        "FIELD RULE RECORDS FOR EXAMPLE",
        "amount type 3 row 7: 'x\\x1b[2J'",
        "whole record quoteChar 3 row 7: not quoteChar",
        "amount and 2 more missing-cell 3 row 7: not None",
        "state type 3 -",
        f"rejected {tmp_path / 'f.jsonl'}",
        f"report {tmp_path / 'f.html'}",
    ]


def test_long_examples_are_cut_to_the_terminal(tmp_path: Path) -> None:
    result = with_rejects(tmp_path, TYPE | {"value": "x" * 300, "field": "f" * 90})
    lines = shown([result], width=60).splitlines()
    assert max(len(line) for line in lines if not line.lstrip().startswith("re")) <= 60


def test_many_rules_are_counted(tmp_path: Path) -> None:
    rules = [TYPE | {"field": f"f{n}", "rule": f"r{n}"} for n in range(14)]
    assert "and 4 more rules: see the report" in shown([with_rejects(tmp_path, *rules)])


def test_totals_are_the_last_row() -> None:
    lines = [line.split() for line in shown([succeeded("a.csv"), succeeded("b.csv")]).splitlines()]
    assert ["2", "files", "succeeded", "2,468", "2,466", "2"] in lines


def test_sixty_files_end_in_one_screen(tmp_path: Path) -> None:
    clean = replace(
        succeeded("clean.csv"),
        metadata={"record_count": 10, "processed_count": 10, "error_count": 0},
    )
    rejects = with_rejects(tmp_path, *[TYPE | {"rule": f"r{n}"} for n in range(20)])
    text = shown([*[clean] * 50, rejects, rejects, *[failed(f"{n}.csv") for n in range(8)]])
    assert len(text.splitlines()) <= 50
    assert "50 more files" in text
    assert ["60", "files", "8", "failed", "2,968", "2,966", "2"] in [
        line.split() for line in text.splitlines()
    ]


def test_a_watched_file_is_a_line_with_its_counts() -> None:
    console = Console(file=io.StringIO(), width=20)
    progress = WatchedFolder(console, total=0)
    progress.finish(succeeded("a.csv"))
    progress.finish(failed("[b].csv"))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line[9:] if line[:1].isdigit() else line for line in lines] == [
        "a.csv succeeded, 1234 records, 1233 processed, 1 rejected",
        "  processed out/processed/default/f1.jsonl",
        "[b].csv failed: HeaderMismatch. Column [id] is missing.",
    ]


def test_without_a_terminal_each_file_is_a_line_when_it_is_done() -> None:
    console = Console(file=io.StringIO(), width=20)
    progress = RunProgress(console, total=2)
    with progress.shown():
        progress.finish(succeeded("a-name-that-is-long.csv"))
        progress.finish(failed("b.csv"))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert shown == "1/2 a-name-that-is-long.csv succeeded\n2/2 b.csv failed\n"


def test_the_log_of_a_ci_job_is_plain_even_if_it_is_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CI", "true")
    console = Console(file=io.StringIO(), width=80, force_terminal=True, no_color=True)
    progress = RunProgress(console, total=1)
    with progress.shown():
        progress.finish(succeeded("a.csv"))
    assert console.file.getvalue() == "1/1 a.csv succeeded\n"  # type: ignore[attr-defined]


def lines_of(progress: RunProgress, monkeypatch: pytest.MonkeyPatch, most: int) -> list[str]:
    """The first lines, `most` at most, that are printed of a run in which nothing happens."""
    lines: list[str] = []
    printed = threading.Event()

    def take(line: object, **_: object) -> None:
        lines.append(str(line))
        if len(lines) >= most:
            printed.set()

    monkeypatch.setattr("pipectl.local.display.SECONDS_OF_SILENCE", 0.02)
    monkeypatch.setattr(progress.console, "print", take)
    with progress.as_lines():
        printed.wait(10 if most else 0.2)
    return lines[:most] if most else lines


def test_without_a_terminal_a_silent_run_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    progress = RunProgress(Console(file=io.StringIO()), total=6)
    assert lines_of(progress, monkeypatch, 2) == ["Starting the embedded AWS, 0 s"] * 2
    progress.phase = "Running"
    progress.done = [succeeded("a.csv"), failed("b.csv")]
    progress.running = {
        PlannedUpload(Path(name), f"raw/{name}"): state
        for name, state in {
            "c\x1b[31m.csv": "TransformSplits, 1 of 4 splits, 25%, 9 records/s",
            "d.csv": "Transform",
            "e.csv": "ParseCsv",
            "f.csv": "uploaded, waiting to start",
        }.items()
    }
    assert lines_of(progress, monkeypatch, 1) == [
        "Running, 0 s, 2/6 files done, 1 failed; c\\x1b[31m.csv: TransformSplits, 1 of 4 splits,"
        " 25%, 9 records/s; d.csv: Transform; e.csv: ParseCsv; and 1 more"
    ]


def test_a_watched_folder_is_silent_between_files(monkeypatch: pytest.MonkeyPatch) -> None:
    progress = WatchedFolder(Console(file=io.StringIO()), total=0, phase="Running")
    assert lines_of(progress, monkeypatch, 0) == []
    progress.running = {PlannedUpload(Path("a.csv"), "raw/a.csv"): "Transform"}
    assert lines_of(progress, monkeypatch, 1) == ["Running; a.csv: Transform"]


def test_in_a_terminal_the_running_files_are_shown_with_their_states() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    progress = RunProgress(console, total=20, phase="Running")
    progress.running = {
        PlannedUpload(Path(f"{number}.csv"), f"raw/{number}.csv"): "Transform"
        for number in range(15)
    }
    progress.finish(failed("b.csv"))
    console.print(progress._render())
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "Running  1/20 files, 1 failed" in shown
    assert "Transform" in shown
    assert "and 3 more" in shown
