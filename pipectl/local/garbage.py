"""Keeps the garbage collector from searching through everything that is imported."""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import the engine in the block, without a search for garbage.

    The import of Polars creates so many objects, all of which are kept, that the searches take a
    quarter of its time, and almost as much again at the end of the process. What exists at the end
    of the block is never searched. Where Polars has been imported already, nothing is different.
    """
    if "polars" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
