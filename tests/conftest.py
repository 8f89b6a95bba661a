"""Fixtures and hooks that tests of several folders share."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import botocore.loaders
import pytest
from hypothesis import settings

from pipectl.embedded.process import StackProcess

# How long an example takes says more about the machine's load than about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

_read = botocore.loaders.JSONFileLoader().load_file
_read_once = lru_cache(maxsize=None)(_read)


def _load_file(path: str) -> Any:
    # boto3 changes the paths of its copy of S3's model, so each session needs one of its own.
    return (_read if path.endswith("/s3/2006-03-01/service-2") else _read_once)(path)


# Each session of boto3 reads its services' models anew, and each command is a session.
botocore.loaders.JSONFileLoader.load_file = staticmethod(_load_file)  # type: ignore[assignment]

# Fixtures with a stack of their own, which takes seconds to come up. `make test` runs all tests
# that use one in the same worker (`--dist loadgroup`).
STACKS = ("pipeline", "embedded", "probe")

# In this order, so that no worker is left with a long test at the end. The unit tests are the
# shortest. Those of one module share its fixtures, so they stay together too.
FOLDERS = ("end_to_end", "integration", "documentation", "infrastructure", "property", "unit")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests by duration, and group those that share a fixture."""
    items.sort(key=_place)
    for item in items:
        group = _stack(item) or (None if _folder(item) == "property" else str(item.path))
        if group is not None:
            item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_finish() -> None:
    """Leave what is imported by now out of garbage collection, which would go over it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _place(item: pytest.Item) -> tuple[int, int]:
    stack, folder = _stack(item), _folder(item)
    return (
        STACKS.index(stack) if stack else len(STACKS),
        FOLDERS.index(folder) if folder in FOLDERS else len(FOLDERS),
    )


def _stack(item: pytest.Item) -> str | None:
    names = () if _folder(item) == "unit" else getattr(item, "fixturenames", ())
    return next((stack for stack in STACKS if stack in names), None)


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).parts[0]


@pytest.fixture(scope="session")
def embedded() -> Iterator[StackProcess]:
    """The project's own stack on an embedded AWS; one for the whole session, so leave it usable.

    Retries wait for nothing. Each test has a dataset or key of its own.
    """
    with StackProcess() as stack:
        yield stack
