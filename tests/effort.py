"""How many examples property tests draw: few in `make test`, many more in `make test-long`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import settings

_FACTOR = int(os.environ.get("PIPECTL_EXAMPLES_FACTOR", "1"))


def thorough() -> bool:
    """Whether many examples are drawn."""
    return _FACTOR > 1


def examples(count: int, **more: Any) -> Callable[[Any], Any]:
    """Draw this many examples, times `PIPECTL_EXAMPLES_FACTOR`; `more` is for `settings`."""
    return settings(max_examples=count * _FACTOR, **more)
