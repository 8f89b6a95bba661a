"""The pages that people read, and the code in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.infrastructure.deployed import ROOT

PAGES = tuple(
    sorted(
        [
            *ROOT.glob("*.md"),
            *(ROOT / "docs").glob("*.md"),
        ]
    )
)

_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")


def name_of(path: Path) -> str:
    """A page's path below the project's folder."""
    return str(path.relative_to(ROOT))


def without_blocks(page: str) -> str:
    """The text of a page without its fenced blocks."""
    return _BLOCK.sub("", page)


def blocks(page: str, *languages: str) -> Iterator[str]:
    """The content of each fenced block in one of these languages."""
    for language, content in _BLOCK.findall(page):
        if language in languages:
            yield content


def inline(page: str) -> Iterator[str]:
    """Each piece of code between single backticks, on one line."""
    for code in _INLINE.findall(without_blocks(page)):
        yield " ".join(code.split())


def command_lines(page: str) -> Iterator[str]:
    """Each line that a reader may paste into a shell: in `bash` blocks, after `$ `, or inline."""
    for block in blocks(page, "bash"):
        yield from block.replace("\\\n", " ").splitlines()
    for block in blocks(page, "console"):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ "):
                yield line[2:]
    yield from inline(page)
