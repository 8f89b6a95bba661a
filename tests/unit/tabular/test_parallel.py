"""Several processes write the same bytes as one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from pipectl.local import processes, worker
from pipectl.local.processes import transform_file
from tabular.errors import UnreadableFile
from tests.unit.tabular.engine import contract_of, layout_of

CONTRACT = contract_of({"name": "id", "type": "integer"}, {"name": "text", "type": "string"})
REPEATED = 60  # about 2.7 KB: six blocks of 500 bytes
CONTENT = b"id,text\n" + b'1,plain\n2,"two\nlines"\nx,bad\n3,"say ""hi"""\n\n4\n' * REPEATED


@pytest.fixture
def outputs_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(processes, "WORTHWHILE_BYTES", 0)
    source = tmp_path / "source.csv"
    source.write_bytes(CONTENT)

    def outputs(processes: int, block_bytes: int, contract: Any = CONTRACT) -> Any:
        folder = tmp_path / f"out-{processes}-{block_bytes}"
        folder.mkdir()
        names = ("processed", "rejected", "corrections")
        sinks: Any = {name: folder / name for name in names}
        part = transform_file(
            source,
            layout_of(CONTENT, contract),
            file_id="f",
            processed_at="now",
            processes=processes,
            block_bytes=block_bytes,
            **sinks,
        )
        return part, [(folder / name).read_bytes() for name in names]

    return outputs


@pytest.fixture
def shared_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first block is always another process's, however slowly that one starts.

    This process begins as soon as there is output: otherwise it could finish so small a file alone.
    """
    work = worker.work

    def work_second(job: Any, channels: Any, look_around: Any, *more: Any) -> Any:
        while not Path(job.processed).stat().st_size:
            look_around()
            sleep(0.005)
        part = work(job, channels, look_around)
        assert part.record_count < REPEATED * 6
        return part

    monkeypatch.setattr(worker, "work", work_second)


@pytest.mark.usefixtures("shared_work")
def test_two_processes_give_the_bytes_of_one(outputs_of: Any) -> None:
    alone, together = outputs_of(1, 8_000_000), outputs_of(2, 500)
    assert together == alone
    assert alone[0].record_count == REPEATED * 6


@pytest.mark.usefixtures("shared_work")
def test_three_processes_give_the_bytes_of_one(outputs_of: Any) -> None:
    assert outputs_of(3, 250) == outputs_of(1, 250)


@pytest.mark.usefixtures("shared_work")
def test_two_processes_write_flat_records_like_one(outputs_of: Any) -> None:
    flat = replace(CONTRACT, record="flat")
    alone, together = outputs_of(1, 8_000_000, flat), outputs_of(2, 500, flat)
    assert together == alone
    assert alone[1][0].startswith(b'{"_file_id":"f","_row":1,"id":1,"text":"plain"}\n')


def test_an_error_of_a_process_is_raised_under_its_name(
    outputs_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tabular.reading.blocks.MAX_LINE_BYTES", 1)
    with pytest.raises(UnreadableFile):
        outputs_of(2, 1)


def test_a_killed_process_is_detected(outputs_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    start = processes._start_helper

    def start_and_kill(job: Any, channels: Any) -> Any:
        helper = start(job, channels)
        # It ends while it has the reading token, as if out of memory.
        token = channels.take_read(lambda: None)
        helper.kill()
        assert token.block == 0
        return helper

    monkeypatch.setattr(processes, "_start_helper", start_and_kill)
    with pytest.raises(processes.WorkerDied):
        outputs_of(2, 500)
