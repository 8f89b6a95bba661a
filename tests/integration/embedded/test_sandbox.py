"""A worker has the memory, storage and file system of Lambda's execution environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from pipectl.embedded.process import StackProcess
from pipectl.options import PROJECT
from tests.integration.embedded.conftest import Invoke

# The Actor has 300 MB of memory and the default 512 MB of storage.
MEMORY, STORAGE = 300, 512

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")


def last_lines(probe: StackProcess, count: int) -> list[str]:
    return probe.logs()["probe-actor"].splitlines()[-count:]


def test_a_function_that_uses_its_memory_is_not_killed(invoke: Invoke) -> None:
    megabytes = MEMORY // 2
    assert invoke({"do": "allocate", "megabytes": megabytes}) == (megabytes * 1024 * 1024, None)


def test_a_worker_has_not_loaded_what_lambda_does_not_have(invoke: Invoke) -> None:
    modules, _ = invoke({"do": "modules"})
    assert not {name.partition(".")[0] for name in modules} & {"moto", "werkzeug", "samtranslator"}


def test_a_function_with_too_much_memory_is_killed(probe: StackProcess, invoke: Invoke) -> None:
    payload, error = invoke({"do": "allocate", "megabytes": MEMORY + 1})
    assert error == "Unhandled"
    assert payload["errorType"] == "Runtime.ExitError"
    assert re.fullmatch(
        "RequestId: [0-9a-f-]{36} Error: Runtime exited with error: signal: killed",
        payload["errorMessage"],
    )
    assert '"errorType": "Runtime.ExitError"' in last_lines(probe, 1)[0]
    assert invoke({"do": "echo"}) == ({"do": "echo"}, None)


def test_the_log_says_how_much_memory_was_used(probe: StackProcess, invoke: Invoke) -> None:
    invoke({"do": "allocate", "megabytes": 100})
    report = last_lines(probe, 1)[0]
    used = re.search(r"\tMemory Size: 300 MB\tMax Memory Used: (\d+) MB$", report)
    assert used is not None
    assert 100 < int(used[1]) < MEMORY


@needs_proc
def test_temporary_files_are_deleted_with_their_worker(invoke: Invoke) -> None:
    stored, _ = invoke({"do": "store", "reserved": 1, "written": 1})
    assert Path(stored).stat().st_size == 1024 * 1024
    invoke({"do": "kill"})
    assert not Path(stored).exists()


@needs_proc
@pytest.mark.parametrize("seconds", [0, 1], ids=["found in the end", "found while it runs"])
def test_a_function_that_stores_too_much_fails_like_a_write_to_a_full_disk(
    probe: StackProcess, invoke: Invoke, seconds: int
) -> None:
    payload, error = invoke(
        {"do": "store", "reserved": STORAGE - 1, "written": 2, "seconds": seconds}
    )
    assert error == "Unhandled"
    assert payload["errorType"] == "OSError"
    assert payload["errorMessage"] == "[Errno 28] No space left on device"
    assert '"[Errno 28] No space left on device"' in last_lines(probe, 1)[0]
    assert invoke({"do": "echo"}) == ({"do": "echo"}, None)


@needs_proc
def test_no_file_is_created_on_a_full_disk(invoke: Invoke) -> None:
    payload, _ = invoke({"do": "store", "reserved": STORAGE, "written": 1})
    assert re.fullmatch(
        r"\[Errno 28\] No space left on device: '/.*/probe-actor-.*'", payload["errorMessage"]
    )
    invoke({"do": "kill"})


@needs_proc
def test_no_more_space_than_available_can_be_reserved(invoke: Invoke) -> None:
    payload, _ = invoke({"do": "reserve", "megabytes": STORAGE + 1})
    assert payload["errorMessage"] == "[Errno 28] No space left on device"
    assert invoke({"do": "reserve", "megabytes": STORAGE // 2}) == (None, None)


def test_only_the_folder_for_temporary_files_can_be_written(invoke: Invoke) -> None:
    for path in (Path(__file__).parent / "new", Path(tempfile.gettempdir()) / "new"):
        payload, _ = invoke({"do": "write", "path": str(path)})
        assert payload["errorMessage"] == f"[Errno 30] Read-only file system: '{path}'"
        assert not path.exists()
    assert invoke({"do": "write", "path": "/dev/null"}) == (None, None)


def test_there_is_no_shared_memory(invoke: Invoke) -> None:
    for name in ("Lock", "Queue", "Pool", "SharedMemory"):
        payload, _ = invoke({"do": "use", "name": name})
        assert payload["errorMessage"] == "[Errno 38] Function not implemented"
    payload, _ = invoke({"do": "write", "path": "/dev/shm/new"})
    assert payload["errorMessage"].startswith("[Errno 2] No such file or directory")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ("mkdir", "new"),
        ("rmdir", "there"),
        ("unlink", "file"),
        ("rename", "file"),
        ("symlink", "new"),
        ("chmod", "file"),
        ("utime", "file"),
        ("truncate", "file"),
        ("link to a file outside", "link"),
    ],
)
def test_nothing_else_on_the_disk_can_be_changed(
    invoke: Invoke, tmp_path: Path, change: str, path: str
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "file").write_text("text", encoding="utf-8")
    before: Any = sorted(tmp_path.rglob("*"))
    payload, _ = invoke({"do": "change", "how": change, "path": str(tmp_path / path)})
    assert payload["errorMessage"].startswith("[Errno 30] Read-only file system")
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text(encoding="utf-8") == "text"


def transformed(megabytes: int, disk: int) -> str:
    """What `full_disk.py` says of a file of unique numbers."""
    command = [sys.executable, "-m", "tests.integration.embedded.full_disk"]
    answer = subprocess.run(
        [*command, str(megabytes), str(disk)],
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT / "functions")},
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    return answer.stdout


FULL = re.compile(r"FileTooLarge: The keys of the contract's unique fields need more disk space .*")


@needs_proc
def test_unique_values_that_do_not_fit_on_the_disk_fail_the_file() -> None:
    assert FULL.match(transformed(4, disk=4))


@needs_proc
@pytest.mark.long
def test_a_gigabyte_of_unique_values_does_not_fit_on_the_smallest_disk() -> None:
    assert FULL.match(transformed(1024, disk=512))
