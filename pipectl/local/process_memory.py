"""Settings of Python's and the C library's memory management, for processes that only transform."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Parameters of mallopt(3).
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
_KEPT_BYTES = 256 * 1024 * 1024
_LARGEST_REUSED = 32 * 1024 * 1024  # glibc allows no more
_KEEPING = "dirty_decay_ms:-1,muzzy_decay_ms:-1"


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import the engine in the block, without a search for garbage.

    Polars creates objects by the thousand when it is imported, and keeps all of them. Searching
    them takes a quarter of the import's time, and almost as much again at the end of the process.
    What exists at the end of the block is never searched. Where Polars has been imported already,
    nothing is different.

    Polars' allocator (jemalloc) keeps freed memory for the next block, too. Otherwise it
    returns it after half a second, and the operating system fills it with zeros once more. It reads
    its options when Polars is loaded.
    """
    if "polars" in sys.modules or not gc.isenabled():
        yield
        return
    os.environ.setdefault("_RJEM_MALLOC_CONF", _KEEPING)
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@cache
def reuse_large_buffers() -> None:
    """Keep freed memory for the next block, if the C library is glibc.

    By default, each buffer of a block's size is mapped and unmapped by the operating system, which
    fills it with zeros: 4% of all time.
    """
    import ctypes

    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, _LARGEST_REUSED)
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
