"""Builds HTML in which text from any source is always text.

A plain `str` is escaped wherever it is put; only this module makes `Html`. Characters that are
invisible or that change the order of others are replaced by visible escapes.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from itertools import groupby

from shared.text import is_printable, printable

ELLIPSIS = "\u2026"
_VOID = frozenset({"meta"})
_DRAWN = frozenset({"rect", "path", "line", "circle"})
# HTML allows their end tags to be left out, which makes large tables a third smaller.
# https://html.spec.whatwg.org/multipage/syntax.html#optional-tags
_OPTIONAL_END = frozenset({"td", "th", "tr", "tbody", "thead", "dt", "dd", "li"})


class Html(str):
    """Text that is already HTML."""

    __slots__ = ()


Child = str | Html | None | Iterable["Child"]


def el(name: str, /, *children: Child, **attributes: str | float | None) -> Html:
    """An element. Names of attributes are written with `_` for `-`, and `class_` for `class`.

    Attributes that are None are left out. Text of a file never belongs in an attribute.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_attribute(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _DRAWN:  # SVG has no optional end tags
        return Html(f"<{name}{written}/>")
    end = "" if name in _VOID or name in _OPTIONAL_END else f"</{name}>"
    return Html(f"<{name}{written}>{join(children)}{end}")


def join(children: Iterable[Child]) -> Html:
    """The children one after the other."""
    return Html("".join(map(_written, children)))


def data(value: object, most: int = 120) -> Html:
    """Text of a file, or a name that someone chose, cut to `most` characters.

    It is isolated, so that text written from right to left does not reorder what is around it.
    """
    text = str(value)
    cut = text if len(text) <= most else text[: most - 1] + ELLIPSIS
    return Html(f"<bdi>{_visible(cut)}</bdi>")


def code(text: str) -> Html:
    """A sentence in which words between backticks are code."""
    parts = text.split("`")
    return join(el("code", part) if number % 2 else part for number, part in enumerate(parts))


def message(text: str, most: int = 4000) -> Html:
    """An error's message, in which backticks surround commands. Nothing in it is trusted."""
    parts = (text if len(text) <= most else text[: most - 1] + ELLIPSIS).split("`")
    return join(
        el("code", data(part, most)) if number % 2 else data(part, most)
        for number, part in enumerate(parts)
    )


def size_of(markup: str) -> int:
    """The number of bytes that the markup takes in the page."""
    return len(markup.encode())


def _written(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    if isinstance(child, str):
        return _visible(child)
    return join(child)


def _visible(text: str) -> str:
    """The text, escaped, with a styled escape for each invisible character."""
    if printable(text) == text:
        return html.escape(text)
    return "".join(
        html.escape("".join(run))
        if visible
        else f'<span class="x">{html.escape(printable("".join(run)))}</span>'
        for visible, run in groupby(text, is_printable)
    )


def _attribute(value: str | float) -> str:
    """A number with as few digits as drawing needs."""
    return f"{value:.5g}" if isinstance(value, float) else str(value)
