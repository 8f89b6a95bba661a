"""Bounds a list in the page by its bytes."""

from __future__ import annotations

from collections.abc import Iterable

from shared.markup import Html, size_of


def within(room: int, items: Iterable[Html]) -> tuple[list[Html], bool]:
    """The first items that fit into `room` bytes, and whether there are more."""
    kept: list[Html] = []
    for item in items:
        room -= size_of(item)
        if room < 0:
            return kept, True
        kept.append(item)
    return kept, False
