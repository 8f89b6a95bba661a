"""Every relative link and every anchor in the documentation leads somewhere."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.documentation.pages import PAGES, name_of, without_blocks

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)


def links(page: Path) -> list[str]:
    """The page's links to files and headings of the repository."""
    return [
        link
        for link in _LINK.findall(without_blocks(page.read_text(encoding="utf-8")))
        if "://" not in link and not link.startswith("mailto:")
    ]


@cache
def anchors_of(path: Path) -> set[str]:
    """The anchors of a page; no other file has any."""
    return anchors(path.read_text(encoding="utf-8")) if path.suffix == ".md" else set()


def anchors(page: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page; a repeated one gets a number."""
    found: dict[str, int] = {}
    names = set()
    for heading in _HEADING.findall(without_blocks(page)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        count = found.get(name, 0)
        found[name] = count + 1
        names.add(f"{name}-{count}" if count else name)
    return names


def test_anchors_are_made_as_github_makes_them() -> None:
    page = "# The engine: `functions/tabular`\n## A\n## A\n```\n# no heading\n```\n"
    assert anchors(page) == {"the-engine-functionstabular", "a", "a-1"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    assert [link for link in links(page) if not leads_somewhere(page, link)] == []


def test_a_link_to_a_missing_file_or_heading_is_found() -> None:
    page = PAGES[0]
    assert any(links(page) for page in PAGES)
    assert not leads_somewhere(page, "nowhere.md")
    assert not leads_somewhere(page, "#nowhere")


def leads_somewhere(page: Path, link: str) -> bool:
    """Whether a page's link names a file, and a heading of it if it has an anchor."""
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return target.exists() and (not anchor or anchor in anchors_of(target))
