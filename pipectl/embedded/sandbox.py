"""What an execution environment of Lambda has and has not, as far as a worker can emulate it.

Inside the worker, `restrict` makes the file system read-only except for the folder of `TMPDIR`, and
takes shared memory away. From outside, `resident_bytes` and `stored_bytes` say how much memory and
storage a worker uses, so that the process that controls it can end it.

Memory is measured, not limited: `RLIMIT_AS` limits addresses, of which Polars and each thread
reserve gigabytes that they never touch, while Lambda limits the pages that are resident. A limit of
those needs a cgroup, and so root.
"""

# Paths are texts here, as audit events have them. A Path would cost more than the check itself.
# ruff: noqa: PTH100, PTH109, PTH115, PTH116, PTH118, PTH119, PTH208

from __future__ import annotations

import errno
import importlib
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

EXECUTION_ENVIRONMENT = f"AWS_Lambda_python3.{sys.version_info.minor}"
"""The variable AWS_EXECUTION_ENV, which boto3 repeats in the header User-Agent."""

# In seconds: how often a running invocation is looked at. Reading /proc takes 0.1 ms, while `ps`,
# which other systems have, is a process each time. A peak in between is found in the end.
WATCH_SECONDS = 0.05 if sys.platform == "linux" else 1.0

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

# Where each event of Python's audit table that changes the file system has the paths that it
# writes, each with the place of the folder's descriptor that the path is relative to.
# https://docs.python.org/3/library/audit_events.html
_CHANGES: dict[str, tuple[tuple[int, int | None], ...]] = {
    "os.chmod": ((0, 2),),
    "os.chown": ((0, 3),),
    "os.link": ((1, 3),),
    "os.mkdir": ((0, 2),),
    "os.remove": ((0, 1),),
    "os.removexattr": ((0, None),),
    "os.rename": ((0, 2), (1, 3)),
    "os.rmdir": ((0, 1),),
    "os.setxattr": ((0, None),),
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),),
    "os.utime": ((0, 3),),
}
# These are about a name in a folder, even if it is a link. The others follow links.
_OF_NAMES = frozenset({"os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink"})
_SHARED_MEMORY = "/dev/shm"  # noqa: S108  # the path that doesn't exist on Lambda


# Seen from outside.


def resident_bytes(process: int) -> int:
    """The most memory that a process has had at once; without /proc, what it has now.

    All resident pages count, those of shared libraries too, as on Lambda. 0 if it has ended.
    """
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0 if sys.platform == "linux" else _resident_by_ps(process)
    return next(
        (int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")),
        0,
    )


def _resident_by_ps(process: int) -> int:
    command = ["/bin/ps", "-o", "rss=", "-p", str(process)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # a number
    return int(answer.stdout or 0) * 1024


def most_resident_bytes() -> int:
    """The most memory that this process has had at once."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def stored_bytes(folder: str, process: int | str) -> int:
    """The size of all files in a worker's folder.

    It includes deleted files that the process still has open where /proc shows them.
    """
    files = [*_files(folder), *_open_files(f"/proc/{process}/fd", folder)]
    return sum({(one.st_dev, one.st_ino): _size(one) for one in files}.values())


def _size(file: os.stat_result) -> int:
    """What a file takes: less than its length where it has holes."""
    return min(file.st_size, file.st_blocks * 512)


def _files(folder: str) -> Iterator[os.stat_result]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _files(entry.path)
                else:
                    yield entry.stat(follow_symlinks=False)
    except FileNotFoundError:  # deleted in the meantime
        return


def _open_files(descriptors: str, folder: str) -> Iterator[os.stat_result]:
    try:
        names = os.listdir(descriptors)
    except OSError:  # there is no /proc, or the process has ended
        return
    for name in names:
        try:
            descriptor = f"{descriptors}/{name}"
            path = os.readlink(descriptor)
            found = os.stat(descriptor) if _is_below(path, folder) else None
        except OSError:  # closed in the meantime
            continue
        if found is not None and stat.S_ISREG(found.st_mode):
            yield found


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + os.sep)


# Inside the worker.


def restrict(folder: str, storage: int) -> None:
    """Let this process write to `folder` only, at most `storage` bytes, and share no memory.

    It applies to what Python code does, for as long as the process lives. Native code of libraries
    that opens files by itself isn't noticed.
    """
    home = os.path.realpath(folder)
    sys.addaudithook(_ReadOnlyDisk(home, storage))
    _take_shared_memory()
    _limit_reservations(home, storage)


class _ReadOnlyDisk:
    """An audit hook that refuses to change files outside a folder, as a read-only disk does."""

    def __init__(self, folder: str, storage: int) -> None:
        self._folder = folder
        self._storage = storage

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if not isinstance(path, int):
                self._check_open(os.fsdecode(path), flags)
        elif event in _CHANGES:
            for place, descriptor in _CHANGES[event]:
                if not isinstance(arguments[place], int):
                    base = -1 if descriptor is None else arguments[descriptor]
                    path = os.path.join(_path_of(base), os.fsdecode(arguments[place]))
                    self._check_change(path, follow=event not in _OF_NAMES)

    def _check_open(self, path: str, flags: int) -> None:
        if _is_below(path, _SHARED_MEMORY):
            raise _error(errno.ENOENT, path)
        if not flags & _WRITING or path == os.devnull:
            return
        self._check_change(os.path.abspath(path), follow=True)
        if stored_bytes(self._folder, "self") >= self._storage:
            raise _error(errno.ENOSPC, path)

    def _check_change(self, path: str, *, follow: bool) -> None:
        folder, name = os.path.split(path)
        if os.path.basename(folder) == "__pycache__":
            # A deployment package has its modules compiled already. Here, the import does it.
            return
        real = os.path.realpath(path if follow else folder)
        if not _is_below(real if follow else os.path.join(real, name), self._folder):
            raise _error(errno.EROFS, path)


def _path_of(descriptor: int) -> str:
    """The path of an open file or folder; -1 is the current folder."""
    if descriptor == -1:
        return os.getcwd()
    if sys.platform == "darwin":
        import fcntl

        return os.fsdecode(fcntl.fcntl(descriptor, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0"))
    return os.readlink(f"/proc/self/fd/{descriptor}")


def _error(number: int, path: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), path)


def _take_shared_memory() -> None:
    """Fail to make semaphores and shared memory, which need /dev/shm: Lambda doesn't have it.

    So `multiprocessing`'s Lock, Queue and Pool fail, while Process and Pipe work.
    """
    # Private to the standard library: its public classes exist once per way to start processes.
    semaphores: Any = importlib.import_module("_multiprocessing")
    memory: Any = importlib.import_module("_posixshmem")

    def refuse(*_arguments: object, **_options: object) -> NoReturn:
        raise _error(errno.ENOSYS)

    semaphores.SemLock = type("SemLock", (semaphores.SemLock,), {"__new__": refuse})
    memory.shm_open = refuse


def _limit_reservations(folder: str, storage: int) -> None:
    """Refuse to reserve more space in the folder than is left."""
    reserve: Callable[[int, int, int], None] | None = getattr(os, "posix_fallocate", None)
    if reserve is None:  # macOS
        return

    def limited(descriptor: int, offset: int, length: int, /) -> None:
        there = _size(os.fstat(descriptor))
        if _is_below(_path_of(descriptor), folder):
            more = offset + length - there
            if stored_bytes(folder, "self") + more > storage:
                raise _error(errno.ENOSPC)
        reserve(descriptor, offset, length)

    os.posix_fallocate = limited
