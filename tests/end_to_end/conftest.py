"""One stack for all tests of a worker, because it takes seconds to start; files are independent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipectl.embedded.process import StackProcess
from tests.end_to_end.pipeline import Pipeline

# Files of the tests that are larger than this run in splits.
SPLIT_SIZE_BYTES = 64 * 1024


@pytest.fixture(scope="session")
def pipeline() -> Iterator[Pipeline]:
    # With the archive and the catalogue on, so that every state of the workflow is passed.
    parameters = {
        "SplitSizeBytes": str(SPLIT_SIZE_BYTES),
        "ArchiveSource": "true",
        "GlueDatabase": "analytics",
    }
    with StackProcess(parameters=parameters) as stack:
        yield Pipeline(stack)
