"""Files of which every record is rejected take little more than the same bytes all good."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.benchmarks.measure import CommandFailed, measure
from tests.benchmarks.shapes import ShapeRun, measured_run, memory_of
from tests.benchmarks.shapes_worker import SHAPES, make


def run(tmp_path: Path, shape: str, megabytes: float) -> ShapeRun:
    folder = tmp_path / shape.replace(" ", "-")
    folder.mkdir()
    make(folder, shape, megabytes)
    return measured_run(shape, "Transform", "transform", str(folder), "jsonl")


def test_a_process_beyond_its_memory_is_killed() -> None:
    command = [sys.executable, "-c", "import time; a = b'1' * 300_000_000; time.sleep(60)"]
    with pytest.raises(CommandFailed, match="MB of memory, of 100"):
        measure(command, environment={}, limit_bytes=100_000_000)


def test_the_limits_are_those_of_the_template() -> None:
    assert memory_of("Transform") == 1769


@pytest.mark.long
@pytest.mark.parametrize("shape", [name for name, shape in SHAPES.items() if shape.good])
def test_a_file_all_rejected_takes_a_bounded_multiple_of_memory_and_time(
    tmp_path: Path, shape: str
) -> None:
    good, bad = run(tmp_path, str(SHAPES[shape].good), 6), run(tmp_path, shape, 6)
    assert good.found["rejected"] == 0
    # The first record of a key is good.
    assert bad.found["rejected"] >= bad.found["records"] - 1
    assert bad.peak_mb <= 2 * good.peak_mb
    # Processor time of so short a run varies by a fifth.
    assert bad.found["cpu_seconds"] <= 3 * 1.2 * good.found["cpu_seconds"]
