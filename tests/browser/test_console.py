"""What only a browser shows: scripts, keys, live updates, layout, and that nothing runs in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pipectl.embedded.process import StackProcess

DATASET = "browser-orders"
EVIL = "<img src=x onerror=document.title='owned'>"
HOSTILE = f"raw/{DATASET}/{EVIL}\u202e\x1b[31m.csv"
SECOND = 1000.0
PATIENCE = 60 * SECOND
# 320 pixels are also a window of 1,280 pixels at 400 percent.
WIDTHS = {"phone": 320, "wide": 1400}

TOO_WIDE = """
() => document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll("*")]
    .filter((one) => one.getBoundingClientRect().right > innerWidth && !one.closest(".scroll, pre"))
    .map((one) => one.outerHTML.slice(0, 120))
"""
"""The elements that make the page scroll sideways."""

Page = Any
"""A page of Playwright, which is not installed where types are checked."""


@pytest.fixture(scope="module")
def files(embedded: StackProcess) -> dict[str, str]:
    """A file with rejects, and one that fails, both with hostile names and cells."""
    fields = [{"name": "id", "type": "integer"}, {"name": EVIL}]
    contract = {"schema": {"fields": fields}, "pipeline": {"maxRejectPercent": 60}}
    embedded.client("s3").put_object(
        Bucket=embedded.outputs["InputBucketName"],
        Key=f"contracts/{DATASET}.json",
        Body=json.dumps(contract).encode(),
    )
    header = f'id,"{EVIL}"\n'.encode()
    good = embedded.upload(header + f'1,"{EVIL}"\n{EVIL},2\n'.encode(), HOSTILE)
    bad = embedded.upload(b"other\n1\n", f"raw/{DATASET}/failing.csv")
    found = {name: embedded.wait_for(one) for name, one in {"good": good, "bad": bad}.items()}
    assert [one.status for one in found.values()] == ["succeeded", "failed"]
    return {name: f"/files/{one.file_id}" for name, one in found.items()}


@pytest.fixture
def open_page(chromium: Any, address: str, files: dict[str, str]) -> Iterator[Callable[..., Page]]:
    """Opens an address of the console; at the end, no page may have complained."""
    origin = f"http://{urlsplit(address).netloc}"
    complaints: list[str] = []
    contexts: list[Any] = []

    def open_page(path: str, *, width: int = WIDTHS["wide"], scheme: str = "light") -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda one: complaints.append(f"{one.type}: {one.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        page.wait_for_url(f"{origin}/")
        page.goto(origin + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def test_a_file_is_dropped_checked_sent_and_appears(
    open_page: Callable[..., Page], tmp_path: Path
) -> None:
    sample = tmp_path / "dropped.csv"
    sample.write_text(f'id,"{EVIL}"\n1,a\n2,b\n')
    page = open_page("/")
    page.set_input_files("#drop input[type=file]", str(sample))
    page.select_option("#drop select", DATASET)
    page.click("#drop button")
    page.get_by_role("button", name="Send 1 file").click(timeout=PATIENCE)
    # It appears, and its state changes, without a reload.
    row = page.locator("tr", has_text="dropped.csv")
    row.get_by_text("succeeded").wait_for(timeout=PATIENCE)
    assert "dataset=browser-orders" in page.url


def test_graph_timeline_and_events_share_the_selection(
    open_page: Callable[..., Page], files: dict[str, str]
) -> None:
    page = open_page(files["bad"])
    assert page.locator(".panel:visible h2").inner_text().startswith("ParseCsv")
    page.locator(".graph a", has_text="RecordFailure").click()
    assert page.locator(".panel:visible h2").inner_text().startswith("RecordFailure")
    page.get_by_role("link", name="Timeline").click()
    page.wait_for_url("**view=timeline#visit-*")
    assert page.locator(".panel:visible h2").inner_text().startswith("RecordFailure")
    page.keyboard.press("Escape")
    assert page.locator(".panel:visible h2").inner_text().startswith("ParseCsv")


def test_keys_lead_everywhere(open_page: Callable[..., Page], files: dict[str, str]) -> None:
    page = open_page(f"/?dataset={DATASET}")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/files/*")
    page.keyboard.press("Escape")
    page.wait_for_url("**/")
    for key, path in (("x", "/failures"), ("d", "/datasets"), ("t", "/notifications"), ("f", "/")):
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_url(f"**{path}")
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_nothing_is_wider_than_the_screen_and_no_name_runs(
    open_page: Callable[..., Page], files: dict[str, str], width: int, scheme: str
) -> None:
    page = open_page("/", width=width, scheme=scheme)
    origin = page.url.rstrip("/")
    for path in _paths(files):
        page.goto(origin + path)
        assert page.evaluate(TOO_WIDE) == [], path
        assert page.title() != "owned", path
        assert page.locator("main img").count() == 0, path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_axe_finds_nothing_serious(
    open_page: Callable[..., Page], files: dict[str, str], axe: str, width: int, scheme: str
) -> None:
    page = open_page("/", width=width, scheme=scheme)
    origin = page.url.rstrip("/")
    for path in _paths(files):
        page.goto(origin + path)
        page.evaluate(axe)
        found = page.evaluate("async () => (await axe.run(document)).violations")
        serious = {
            (one["id"], one["nodes"][0]["html"][:200])
            for one in found
            if one["impact"] in ("serious", "critical")
        }
        assert serious == set(), path


def test_the_report_of_a_failed_file_opens_and_runs_nothing(
    open_page: Callable[..., Page], files: dict[str, str]
) -> None:
    page = open_page(files["bad"], width=WIDTHS["phone"])
    page.get_by_role("link", name="Open the report").click()
    page.wait_for_url("**/report")
    assert page.locator("h2").all_inner_texts() == [
        *("Verdict", "How to fix it", "Columns", "Provenance")
    ]
    assert page.evaluate(TOO_WIDE) == []
    assert page.locator("main img").count() == 0


def _paths(files: dict[str, str]) -> list[str]:
    return [
        *("/", "/failures", "/failures/plan", "/datasets", f"/datasets/{DATASET}"),
        *("/notifications", files["good"], files["bad"]),
        *(f"{files['bad']}?view=timeline", f"{files['bad']}?view=events"),
    ]
