"""The generated parts of the documentation are what the code says today."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.documentation.generated import parts, regenerated
from tests.documentation.pages import PAGES


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_is_not_stale(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    assert page == regenerated(page), "run `make docs`"


def test_generated_parts_are_found() -> None:
    kinds = {kind for path in PAGES for kind, _ in parts(path.read_text("utf-8"))}
    assert kinds == {"help", "output", "table"}


def test_a_stale_part_is_generated_again() -> None:
    page = "a\n<!-- table: parameters -->\n| old |\n|---|\n\nb\n"
    made = regenerated(page)
    assert "| `Environment` | `dev` |" in made
    assert "old" not in made
    assert made.startswith("a\n<!-- table")
    assert made.endswith("\n\nb\n")
