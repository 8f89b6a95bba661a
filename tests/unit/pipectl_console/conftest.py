from __future__ import annotations

import pytest
from botocore.client import BaseClient

from tests.unit.pipectl.test_hostile_text import make_call
from tests.unit.pipectl_console.world import ConsoleWorld


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> ConsoleWorld:
    """The AWS behind the console."""
    world = ConsoleWorld()
    monkeypatch.setattr(BaseClient, "_make_api_call", make_call(world))
    return world
