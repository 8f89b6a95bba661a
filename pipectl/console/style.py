"""The console's style sheet: the colours and views that other pages have, too, and its own."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pipectl.views.drawing import COLOURS, GRAPH_STYLE
from pipectl.views.execution_page import PARTS_STYLE


@cache
def text() -> str:
    """The whole style sheet."""
    own = Path(__file__).with_name("static") / "console.css"
    return COLOURS + GRAPH_STYLE + PARTS_STYLE + own.read_text(encoding="utf-8")
