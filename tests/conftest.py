"""Fixtures and hooks that tests of several folders share."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from pipectl.embedded.process import StackProcess
from tests import quick_aws

quick_aws.quicken_boto3()

# How long an example takes says more about the machine's load than about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Fixtures with a stack of their own, which takes seconds to come up. `make test` runs all tests
# that use one in the same worker (`--dist loadgroup`).
STACKS = ("pipeline", "embedded", "probe")

# In this order, so that no worker is left with a long test at the end. The unit tests are the
# shortest. Those of one module share its fixtures, so they stay together too.
FOLDERS = ("end_to_end", "integration", "documentation", "infrastructure", "property", "unit")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort the tests by duration, and group those that share a fixture."""
    items.sort(key=_place)
    # xdist sets it in its workers.
    if not getattr(config.option, "loadgroup", False):
        return
    for item in items:
        group = _stack(item) or (None if _folder(item) == "property" else item.location[0])
        if group is not None:
            _put_into_group(item, group)


def _put_into_group(item: Any, group: str) -> None:
    """Let the same worker run all tests of a group.

    xdist 3.8 finds a test's group in its node ID. Where it writes that of the mark `xdist_group`,
    pytest 9.2 no longer reads it, and silently each worker started every stack:
    https://github.com/pytest-dev/pytest-xdist/issues/1386
    """
    item._id = type(item._id).parse(f"{item.nodeid}@{group}")
    assert item.nodeid.endswith(f"@{group}")


def pytest_collection_finish() -> None:
    """Speed up what is imported by now, and leave it out of garbage collection."""
    if "moto" in sys.modules:
        quick_aws.quicken_moto()
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
    return _folder_of(item.path)


@cache
def _folder_of(path: Path) -> str:
    return path.relative_to(Path(__file__).parent).parts[0]


@pytest.fixture(scope="session")
def embedded() -> Iterator[StackProcess]:
    """The project's own stack on an embedded AWS; one for the whole session, so leave it usable.

    Retries wait for nothing. Each test has a dataset or key of its own.
    """
    with StackProcess() as stack:
        yield stack
