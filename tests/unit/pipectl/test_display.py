"""The table at the end of a run."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from pipectl.client.file_results import FileResult
from pipectl.client.history import ExecutionFailure, read_history
from pipectl.client.step_functions import DescribedExecution
from pipectl.client.uploads import Upload
from pipectl.local.display import Progress, WatchedFolder, show_table

STARTED = datetime(2026, 3, 1, tzinfo=UTC)
NOTHING = dict.fromkeys(("processed", "rejected", "summary", "report"))


def succeeded(name: str) -> FileResult:
    """A file with 1,234 records, of which one was rejected."""
    return FileResult(
        Upload(Path(name), f"raw/{name}"),
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
    return FileResult(Upload(Path(name), f"raw/{name}"), None, None, failure, None, None, NOTHING)


def test_the_table_says_what_became_of_each_file() -> None:
    console = Console(file=io.StringIO(), width=100)
    show_table(console, [succeeded("a.csv"), failed("[b].csv")])
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    lines = [line.split() for line in shown.splitlines()]
    assert ["a.csv", "succeeded", "1,234", "1,233", "1", "-"] in lines
    assert ["[b].csv", "failed", "-", "-", "-", "-"] in lines
    assert "  processed out/processed/default/f1.jsonl" in shown
    assert "  HeaderMismatch in ParseCsv: Column [id] is missing." in shown


def test_a_file_without_any_good_record_is_no_plain_success() -> None:
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
    progress = Progress(console, total=2)
    with progress.shown():
        progress.finish(succeeded("a-name-that-is-long.csv"))
        progress.finish(failed("b.csv"))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert shown == "1/2 a-name-that-is-long.csv succeeded\n2/2 b.csv failed\n"


def test_in_a_terminal_the_running_files_are_shown_with_their_states() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    progress = Progress(console, total=20, phase="Running")
    progress.running = {
        Upload(Path(f"{number}.csv"), f"raw/{number}.csv"): "Transform" for number in range(15)
    }
    progress.finish(failed("b.csv"))
    console.print(progress._render())
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "Running  1/20 files, 1 failed" in shown
    assert "Transform" in shown
    assert "and 3 more" in shown
