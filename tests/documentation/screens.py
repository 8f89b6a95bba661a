"""Pictures of pages for the documentation, taken with Chromium.

`make docs` takes them again if Chromium is installed. No test compares their bytes, which depend on
the browser and its fonts; the pages themselves are tested.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from data_report.page import render as render_report
from pipectl.operate.next_step import NextStep
from pipectl.views.execution_page import render as render_execution
from tabular.contract.descriptor import parse_contract
from tests.infrastructure.deployed import ROOT
from tests.unit.functions.report_pages import summary_of
from tests.unit.pipectl_views.histories import FILE_ID, failed, redriven, view_of

PICTURES = ROOT / "docs" / "pictures"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_ERROR = {
    "level": "WARNING",
    "message": "step failed",
    "service": "write_output",
    "execution": FILE_ID,
    "error": "TooManyRejects",
}


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
        sys.stderr.write("Chromium is not installed, so the pictures of pages stay as they are.\n")
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, (page, width, height) in pages().items():
            path = Path(folder) / f"{name}.html"
            path.write_bytes(page)
            target = PICTURES / f"{name}.png"
            command = [
                browser,
                "--headless=new",
                "--disable-gpu",
                "--hide-scrollbars",
                f"--user-data-dir={folder}/profile",
                f"--screenshot={target}",
                f"--window-size={width},{height}",
                # Chromium refuses to run its sandbox as root, as in a container.
                *(["--no-sandbox"] if os.geteuid() == 0 else []),
                path.as_uri(),
            ]
            subprocess.run(command, check=True, capture_output=True, timeout=120)
            sys.stdout.write(f"{target.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
