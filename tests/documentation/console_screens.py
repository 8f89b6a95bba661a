"""The console's pages for the pictures in the documentation, with files that were processed."""

from __future__ import annotations

import csv
import hashlib
import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import httpx2

from pipectl.embedded.process import StackProcess
from tests.infrastructure.deployed import ROOT
from tests.served_console import served_console

EVENTS = ROOT / "events"
_CONSOLE = ROOT / "pipectl" / "console"
_PATIENCE = 120.0
_SOURCES = (
    *("templates/base.html", "templates/_macros.html", "templates/files.html"),
    *("templates/file.html", "static/console.css"),
)
"""What decides how the pages look, apart from the data in them."""


def digest() -> str:
    """A digest of what decides how the console's pages look."""
    content = b"".join((_CONSOLE / name).read_bytes() for name in _SOURCES)
    return hashlib.sha256(content).hexdigest()


def console_pages() -> dict[str, bytes]:
    """The list of files, and the page of a failed one, as pages that load nothing."""
    with StackProcess() as stack:
        failing = _process(stack)
        with _client(stack) as client:
            return {
                "console": _page(client, "/?dataset=orders", "orders-2026-05.csv"),
                "console-file": _page(client, f"/files/{failing}", "TooManyRejects"),
            }


def _process(stack: StackProcess) -> str:
    """Process clean files, one with rejects and two that fail; returns the id of the last one."""
    stack.client("s3").put_object(
        Bucket=stack.outputs["InputBucketName"],
        Key="contracts/orders.json",
        Body=(EVENTS / "orders.contract.json").read_bytes(),
    )
    february = (EVENTS / "orders-2026-02.csv").read_bytes()
    march = (EVENTS / "orders-2026-03.csv").read_bytes()
    files = {
        **{f"2026/week-{week:02d}.csv": _rows(february, 40 * week, 40) for week in range(1, 5)},
        "orders-2026-02.csv": february,
        "orders-2026-03.csv": march,
        "orders-2026-04.csv": february.replace(b"Order ID", b"Number", 1),
        "orders-2026-05.csv": february.replace(b"2026-", b"2026/13/"),
    }
    execution = None
    for name, content in files.items():
        execution = stack.wait_for(stack.upload(content, f"raw/orders/{name}"))
    if execution is None or execution.file_id is None:
        raise AssertionError("no file was processed")
    return execution.file_id


def _rows(content: bytes, first: int, count: int) -> bytes:
    header, *rows = csv.reader(io.StringIO(content.decode()))
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows[first : first + count]])
    return text.getvalue().encode()


@contextmanager
def _client(stack: StackProcess) -> Iterator[httpx2.Client]:
    with served_console(stack) as address:
        parts = urlsplit(address)
        token = parse_qs(parts.query)["token"][0]
        with httpx2.Client(base_url=f"http://{parts.netloc}", trust_env=False) as client:
            client.get("/", params={"token": token})
            yield client


def _page(client: httpx2.Client, path: str, expected: str) -> bytes:
    """The page with its style sheet inside, once it shows what is expected."""
    deadline = time.monotonic() + _PATIENCE
    text = client.get(path).text
    while expected not in text:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path} does not show {expected}")
        time.sleep(1)
        text = client.get(path).text
    style = client.get("/static/console.css").text
    text = text.replace(
        '<link rel="stylesheet" href="/static/console.css">', f"<style>{style}</style>"
    )
    # The scripts, which are not in the picture, say that the page is live.
    return text.replace('class="lamp">as of now', 'class="lamp on">live').encode()
