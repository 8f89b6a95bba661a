"""The console in Debian's Chromium, driven by Playwright: `make test-browser`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipectl.embedded.process import StackProcess
from tests.served_console import served_console

# Only this target has a browser; `make test` neither starts nor skips anything here.
if "PIPECTL_BROWSER" not in os.environ:
    collect_ignore_glob = ["test_*.py"]

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def address(embedded: StackProcess) -> Iterator[str]:
    """The address of a console for the embedded stack, with its token."""
    with served_console(embedded) as address:
        yield address


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser; skips where there is none."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed: make test-browser installs it"
    )
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        # Chromium refuses to run its sandbox as root, as in a container.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = driver.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core; skips without it."""
    path = os.environ.get("PIPECTL_AXE")
    if not path:
        pytest.skip("axe-core is not there: make test-browser AXE=path/to/axe.min.js")
    return Path(path).read_text(encoding="utf-8")
