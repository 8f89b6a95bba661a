"""Every relative link and every anchor in the documentation leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.documentation.pages import PAGES, name_of, without_blocks

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
LINKS = [
    (page, link)
    for page in PAGES
    for link in _LINK.findall(without_blocks(page.read_text(encoding="utf-8")))
    if "://" not in link and not link.startswith("mailto:")
]


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


@pytest.mark.parametrize(
    ("page", "link"), LINKS, ids=[f"{name_of(page)} {link}" for page, link in LINKS]
)
def test_a_link_leads_to_a_file_and_a_heading(page: Path, link: str) -> None:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    assert target.exists(), f"{link} in {name_of(page)}"
    if anchor:
        assert target.suffix == ".md"
        assert anchor in anchors(target.read_text(encoding="utf-8")), f"{link} in {name_of(page)}"
