"""Several processes write the same bytes as one."""

from __future__ import annotations

import signal
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import sleep
from typing import Any
from unittest.mock import Mock

import pytest

from pipectl.local import processes, worker
from pipectl.local.process_channels import Channels, ReadToken
from pipectl.local.processes import Helpers, helpers_for, transform_file
from tabular.errors import UnreadableFile
from tests.unit.tabular.engine import contract_of, layout_of

CONTRACT = contract_of({"name": "id", "type": "integer"}, {"name": "text", "type": "string"})
REPEATED = 60  # about 2.7 KB: six blocks of 500 bytes
CONTENT = b"id,text\n" + b'1,plain\n2,"two\nlines"\nx,bad\n3,"say ""hi"""\n\n4\n' * REPEATED


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(processes, "WORTHWHILE_BYTES", 1)
    path = tmp_path / "source.csv"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def outputs_of(source: Path, tmp_path: Path) -> Any:
    def outputs(processes: int, block_bytes: int, contract: Any = CONTRACT) -> Any:
        folder = tmp_path / f"out-{processes}-{block_bytes}"
        folder.mkdir()
        names = ("processed", "rejected", "corrections")
        sinks: Any = {name: folder / name for name in names}
        with helpers_for(source, processes=processes) as helpers:
            part = transform_file(
                source,
                layout_of(CONTENT, contract),
                helpers,
                file_id="f",
                processed_at="now",
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
    def give_and_kill(helpers: Helpers, job: Any) -> None:
        give(helpers, job)
        helpers.running[0].kill()

    give = Helpers.give
    monkeypatch.setattr(Helpers, "give", give_and_kill)
    # It ends while it has the reading token, as if out of memory.
    monkeypatch.setattr(Channels, "give_read", lambda *_: None)
    with pytest.raises(processes.WorkerDied):
        outputs_of(2, 500)


def test_a_process_that_is_killed_before_it_has_a_job_is_detected(
    outputs_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill_and_give(helpers: Helpers, job: Any) -> None:
        helpers.running[0].kill()
        helpers.running[0].wait()
        give(helpers, job)

    give = Helpers.give
    monkeypatch.setattr(Helpers, "give", kill_and_give)
    with pytest.raises(processes.WorkerDied):
        outputs_of(2, 500)


def test_helpers_end_if_the_layout_cannot_be_read(source: Path) -> None:
    started = []
    with suppress(UnreadableFile), helpers_for(source, processes=3) as helpers:
        started += helpers.running
        raise UnreadableFile
    assert [helper.returncode for helper in started] == [-signal.SIGKILL] * 2


def test_helpers_end_if_the_contract_needs_one_process(source: Path) -> None:
    unique = replace(CONTRACT, unique_keys=(("id",),))
    with helpers_for(source, processes=2) as helpers:
        started = list(helpers.running)
        layout = layout_of(CONTENT, unique)
        transform_file(source, layout, helpers, file_id="f", processed_at="now")
        assert [helper.returncode for helper in started] == [-signal.SIGKILL]


def test_a_helper_ends_if_its_parent_does_before_it_has_a_job(source: Path) -> None:
    with helpers_for(source, processes=2) as helpers:
        (helper,) = helpers.running
        assert helper.stdin is not None
        helper.stdin.close()
        assert helper.wait(timeout=60) == 1


def test_small_files_have_no_helpers(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "WORTHWHILE_BYTES", len(CONTENT) // 2)
    with helpers_for(source, processes=9) as helpers:
        assert len(helpers.running) == 2
    monkeypatch.setattr(processes, "WORTHWHILE_BYTES", len(CONTENT) + 1)
    with helpers_for(source, processes=9) as helpers:
        assert not helpers.running


def test_the_last_blocks_are_small() -> None:
    sizes = []
    offset, job = 0, Mock(block_bytes=8_000_000)
    job.layout.size = 30_000_000
    while offset < job.layout.size:
        sizes.append(worker._block_bytes(job, ReadToken(0, offset, 1, 1), 2))
        offset += sizes[-1]
    assert sizes[:3] == [8_000_000, 8_000_000, 7_000_000]
    assert sizes[3:] == [3_500_000, *[worker._LAST_BLOCK_BYTES] * 2]
