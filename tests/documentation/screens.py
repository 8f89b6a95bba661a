"""Pictures of pages for the documentation, taken with Chromium.

`make docs` takes them again if Chromium is installed. No test compares their bytes, which depend on
the browser and its fonts. `sources.json` has a digest of what each picture shows: a test compares
it where Chromium is installed, so that who sees it fail can take the pictures again.
"""

from __future__ import annotations

import hashlib
import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from data_report.page import render as render_report
from pipectl.operate.next_step import NextStep
from pipectl.views.execution_page import render as render_execution
from tabular.contract.descriptor import parse_contract
from tests.documentation import console_screens
from tests.infrastructure.deployed import ROOT
from tests.unit.functions.report_pages import summary_of
from tests.unit.pipectl_views.histories import FILE_ID, failed, redriven, view_of

PICTURES = ROOT / "docs" / "pictures"
SOURCES = PICTURES / "sources.json"
_CONSOLE_SIZE = (1200, 860)
_NOT_SHOWN = re.compile(r"<style.*?</style>|<[^>]*>", re.DOTALL)
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_ERROR = {
    "level": "WARNING",
    "message": "step failed",
    "service": "write_output",
    "execution": FILE_ID,
    "error": "TooManyRejects",
}


PAGES = ("report", "execution", "redrive")


@cache
def pages() -> dict[str, tuple[bytes, int, int]]:
    """The pages by the name of their picture, with its width and height."""
    failure = view_of(failed(), "failed", logs={4: [json.dumps(_ERROR)]})
    rerun = NextStep("Rerun with", "(a redrive)", f"pipectl rerun {FILE_ID}")
    return {
        "report": (report(), 1100, 1240),
        "execution": (render_execution(failure, rerun).encode(), 1500, 1000),
        "redrive": (
            render_execution(view_of(redriven(), "succeeded"), None).encode(),
            1500,
            2150,
        ),
    }


def digests() -> dict[str, str]:
    """A digest of what each picture shows now: of a page's words, or of the console's templates."""
    shown = {name: _NOT_SHOWN.sub(" ", page.decode()) for name, (page, _, _) in pages().items()}
    found = {
        name: hashlib.sha256(" ".join(html.unescape(text).split()).encode()).hexdigest()
        for name, text in shown.items()
    }
    return found | dict.fromkeys(("console", "console-file"), console_screens.digest())


def report() -> bytes:
    """The report of the sample file, compared with a few made-up earlier ones."""
    contract = json.loads((ROOT / "events" / "orders.contract.json").read_text(encoding="utf-8"))
    summary, examples = summary_of(
        (ROOT / "events" / "orders-2026-03.csv").read_bytes(),
        parse_contract(contract),
        key="raw/orders/orders-2026-03.csv",
        limit={"max_percent": 5.0, "max_count": None},
        usual={
            "files": 12,
            "since": "2025-03-01T08:00:00.000Z",
            "rows": {"value": 360, "median": 342, "lowest": 225, "highest": 371},
            "bytes": {"value": 43723, "median": 41_200, "lowest": 27_700, "highest": 45_100},
            "reject_rate": {"value": 4.44, "median": 0.3, "lowest": 0.0, "highest": 1.1},
            "null_rates": {
                "gift_note": {"value": 63.95, "median": 61.2, "lowest": 58.0, "highest": 66.4}
            },
        },
    )
    return render_report(summary, examples)


def find_browser() -> str | None:
    """The path of Chromium; None if it is not installed."""
    return next(filter(None, map(shutil.which, _BROWSERS)), None)


def main() -> None:
    """Take all pictures, or say why not."""
    browser = find_browser()
    if browser is None:
        sys.stderr.write(
            "Chromium is not installed, so the pictures of pages stay as they are: report,"
            " execution, redrive, console and console-file. On Debian: apt-get install chromium\n"
        )
        return
    taken = dict(pages())
    for name, page in console_screens.console_pages().items():
        taken[name] = (page, *_CONSOLE_SIZE)
    with tempfile.TemporaryDirectory() as folder:
        for name, (page, width, height) in taken.items():
            _take(browser, Path(folder), name, page, f"{width},{height}")
    SOURCES.write_text(json.dumps(digests(), indent=2) + "\n", encoding="utf-8")


def _take(browser: str, folder: Path, name: str, page: bytes, size: str) -> None:
    """Take the picture of a page."""
    path = folder / f"{name}.html"
    path.write_bytes(page)
    target = PICTURES / f"{name}.png"
    command = [
        browser,
        "--headless=new",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={folder}/profile",
        f"--screenshot={target}",
        f"--window-size={size}",
        # Chromium refuses to run its sandbox as root, as in a container.
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
        path.as_uri(),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    sys.stdout.write(f"{target.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
