"""What tests of different folders share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipectl.embedded.process import StackProcess


@pytest.fixture(scope="session")
def embedded() -> Iterator[StackProcess]:
    """The project's own stack on an embedded AWS; one for the whole session, so leave it usable.

    Retries wait for nothing. Tests tell their files apart by dataset or key.
    """
    with StackProcess() as stack:
        yield stack
