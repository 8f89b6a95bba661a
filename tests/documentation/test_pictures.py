"""The pictures in the documentation load nothing and show what the commands print."""

from __future__ import annotations

import html
import re
from xml.etree import ElementTree

from tests.documentation.pictures import DEMO, WORKFLOW, content, drawn, workflow

SHOWN = html.unescape(" ".join(content(DEMO.read_text(encoding="utf-8")))).replace("\xa0", " ")


def test_the_picture_of_the_demo_shows_both_files_and_their_counts() -> None:
    assert "make demo" in SHOWN
    assert re.search(r"orders-2026-02\.csv +succeeded +240 +240 +0", SHOWN)
    assert re.search(r"orders-2026-03\.csv +succeeded +360 +344 +16", SHOWN)


def test_the_picture_loads_nothing_from_elsewhere() -> None:
    svg = DEMO.read_text(encoding="utf-8")
    assert "@font-face" not in svg
    assert "url(http" not in svg
    assert "href" not in svg


def test_the_picture_of_the_workflow_is_that_of_its_definition() -> None:
    assert WORKFLOW.read_text(encoding="utf-8") == workflow(), "Run `make docs`."


def test_the_picture_of_the_workflow_is_an_image_of_its_own() -> None:
    root = ElementTree.fromstring(workflow())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert not re.search(r"href|<script|url\((?!#)", workflow())


def test_a_picture_with_other_ids_and_seconds_shows_nothing_new() -> None:
    first = drawn("make demo", f"out/{'a' * 32}.jsonl 1.3 \x1b[32msucceeded\x1b[0m")
    second = drawn("make demo", f"out/{'b' * 32}.jsonl 21.4 \x1b[32msucceeded\x1b[0m")
    other = drawn("make demo", f"out/{'b' * 32}.jsonl 1.3 \x1b[31mfailed\x1b[0m")
    assert content(first) == content(second)
    assert content(first) != content(other)
