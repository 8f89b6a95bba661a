"""`pipectl run` and `pipectl up` as a person starts them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipectl.client.state_file import RunningStack
from pipectl.options import PROJECT
from tests.integration.embedded.conftest import PROBE_TEMPLATE

SAMPLE = """name,email,amount,date
John Doe,john@example.com,100.50,2024-01-15
Jane Smith,jane@example.com,250.00,2024-01-16
Bob Wilson,bob@example.com,75.25,2024-01-17
Alice Brown,alice@example.com,many,2024-01-18
"""


def command(*arguments: str | Path) -> list[str]:
    """The command line of pipectl."""
    return [sys.executable, "-m", "pipectl", *map(str, arguments)]


@pytest.mark.slow
def test_a_run_prints_one_json_document_and_mirrors_the_outputs(tmp_path: Path) -> None:
    good, twin, empty = (tmp_path / name for name in ("a/x.csv", "b/x.csv", "empty.csv"))
    for path in (good, twin, empty):
        path.parent.mkdir(exist_ok=True)
    good.write_text(SAMPLE)
    twin.write_text(SAMPLE.replace("many", "1"))
    empty.touch()
    process = subprocess.run(
        command("run", good, twin, empty, "--json", "--dataset", "people", "--out", "out"),
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    assert process.returncode == 1, process.stderr
    assert "Traceback" not in process.stderr
    document = json.loads(process.stdout)
    assert document.keys() == {"files", "dead_letter_queue"}

    first, second, third = document["files"]
    assert [file["source"] for file in document["files"]] == [str(good), str(twin), str(empty)]
    assert {file["dataset"] for file in document["files"]} == {"people"}
    counts = [
        (file["record_count"], file["processed_count"], file["error_count"])
        for file in (first, second)
    ]
    assert counts == [(4, 3, 1), (4, 4, 0)]
    assert first["file_id"] != second["file_id"]
    processed = tmp_path / first["outputs"]["processed"]
    assert processed.parent == tmp_path / "out" / "processed" / "people"
    assert len(processed.read_text().splitlines()) == 3
    assert (tmp_path / first["outputs"]["rejected"]).exists()
    assert second["outputs"]["rejected"] is None
    assert json.loads((tmp_path / second["outputs"]["summary"]).read_text())["total_processed"] == 4
    assert "All 4 records were published." in (tmp_path / second["outputs"]["report"]).read_text()
    names = [state["name"] for state in second["execution"]["states"]]
    assert names[0] == "ParseCsv"
    assert {"Transform", "WriteOutput", "Summarize", "RecordMetadata", "Notify"} <= set(names)
    assert {state["status"] for state in second["execution"]["states"]} == {"succeeded"}
    assert second["metadata"]["status"] == "succeeded"
    assert second["notification"]["attributes"]["file_id"] == second["file_id"]
    assert second["error"] is None

    assert third["status"] == "failed"
    assert (third["error"]["code"], third["error"]["state"]) == ("EmptyFile", "ParseCsv")
    assert set(third["outputs"].values()) == {None}
    (letter,) = document["dead_letter_queue"]
    assert letter["file_id"] == third["file_id"]


def test_up_prints_how_to_reach_it_and_ends_cleanly(tmp_path: Path) -> None:
    state_file = tmp_path / "embedded.json"
    process = subprocess.Popen(
        command("up", "--port", "0", "--template", PROBE_TEMPLATE, "--state-file", state_file),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    )
    try:
        deadline = time.monotonic() + 60
        while not state_file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        running = json.loads(state_file.read_text())
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(signal.SIGINT)
        output, problems = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, problems
    assert running["endpoint"] in output
    assert f'aws --endpoint-url {running["endpoint"]} "$@"; }}' in output
    assert "awslocal s3 cp events/orders-2026-03.csv s3://probe-drops/raw/orders/" in output
    # The state file still names the stack.
    assert RunningStack.find(state_file) is None
    assert json.loads(state_file.read_text())["endpoint"] == running["endpoint"]
    assert "Traceback" not in problems
    # The fork server, and with it all workers, ends when this process does.
    assert children
    assert not any(alive(int(child)) for child in children)


def alive(pid: int, patience: float = 30) -> bool:
    """Whether a process is still there after a while."""
    deadline = time.monotonic() + patience
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return Path(f"/proc/{pid}").exists()
