"""The stack that is deployed by default."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipectl.scale.deployed import Deployed, read_deployed

PROJECT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def deployed() -> Deployed:
    return read_deployed(PROJECT / "template.yaml", {})
