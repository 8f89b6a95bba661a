"""The pages in a real browser: nothing is refused, nothing overflows, and the selection works."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.documentation.screens import PAGES, SOURCES, digests, find_browser, pages

BROWSER = find_browser()
_POLICY = re.compile(rb'<meta http-equiv="Content-Security-Policy"[^>]*>')

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed"),
]


def browse(folder: Path, page: bytes, fragment: str = "", *, dark: bool = False) -> tuple[str, str]:
    """The page's document after loading, and what the browser wrote to its console."""
    path = folder / "page.html"
    path.write_bytes(page)
    done = subprocess.run(
        [
            str(BROWSER),
            "--headless=new",
            "--disable-gpu",
            f"--user-data-dir={folder / 'profile'}",
            "--enable-logging=stderr",
            "--virtual-time-budget=5000",
            *(["--blink-settings=preferredColorScheme=0"] if dark else []),
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            "--dump-dom",
            path.as_uri() + fragment,
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    console = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    return done.stdout, console


def asked(folder: Path, page: bytes, script: str, fragment: str = "") -> Any:
    """The JSON value that a script reads from the page, whose policy would refuse the script."""
    # The address selects something only after the page has loaded.
    write = (
        "addEventListener('load', () => setTimeout(() => "
        f"{{document.title = JSON.stringify({script})}}, 200))"
    )
    changed = _POLICY.sub(b"", page).replace(
        b"</body>", f"<script>{write}</script></body>".encode()
    )
    document, _ = browse(folder, changed, fragment)
    title = re.search(r"<title>(.*?)</title>", document, re.DOTALL)
    assert title is not None
    return json.loads(html.unescape(title[1]))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_the_browser_refuses_nothing(tmp_path: Path, name: str, dark: bool) -> None:
    document, console = browse(tmp_path, pages()[name][0], dark=dark)
    assert console == ""
    assert "</html>" in document


@pytest.mark.parametrize("width", [320, 768, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wider_than_the_window(tmp_path: Path, name: str, width: int) -> None:
    inner = html.escape(_POLICY.sub(b"", pages()[name][0]).decode())
    frame = f'<iframe width="{width}" height="900" srcdoc="{inner}"></iframe>'
    outer = f"<!doctype html><html><head><title></title></head><body>{frame}</body></html>"
    script = (
        # The frame loads after this script, which is behind it.
        "document.title = 'wait';"
        "document.querySelector('iframe').onload = event => {"
        "const root = event.target.contentDocument.documentElement;"
        "document.title = JSON.stringify([root.scrollWidth, root.clientWidth])}"
    )
    page = outer.replace("</body>", f"<script>{script}</script></body>")
    document, _ = browse(tmp_path, page.encode())
    title = re.search(r"<title>(.*?)</title>", document)
    assert title is not None
    content, window = json.loads(title[1])
    assert content <= window <= width


def test_the_details_are_those_of_the_selected_visit(tmp_path: Path) -> None:
    shown = (
        "[...document.querySelectorAll('.panel')]"
        ".filter(one => getComputedStyle(one).display != 'none').map(one => one.id)"
    )
    assert asked(tmp_path, pages()["execution"][0], shown) == ["visit-4"]
    assert asked(tmp_path, pages()["execution"][0], shown, "#visit-0") == ["visit-0"]


def test_the_pictures_show_the_present_pages() -> None:
    assert json.loads(SOURCES.read_text(encoding="utf-8")) == digests(), "Run `make docs`."
