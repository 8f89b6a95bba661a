"""Columns of texts as the contents of JSON strings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

ESCAPED = re.compile(r'["\\\x00-\x1f]')
"""A character that JSON escapes in a string."""
_ESCAPES = {'"': '\\"', "\0": "\\u0000"}
_NAME = "text"
_BEFORE, _AFTER = '{"text":"', '"}'


def escaped(
    texts: pl.Series, places: pl.Series | None = None, *, only: Sequence[str] = ()
) -> pl.Series:
    """The texts as they are between a JSON string's quotes; nulls stay nulls.

    Only the texts at `places` (UInt32 indexes; None: all) may contain characters that JSON escapes,
    of which there are no others than `only` (quotes, NUL) if any are given.
    """
    if places is not None and not len(places):
        return texts
    some = texts if places is None else texts[places]
    if only:
        changed = some
        for character in only:
            changed = changed.str.replace_all(character, _ESCAPES[character], literal=True)
        if places is None or len(some) == len(texts):
            return changed
        # A copy, which costs nothing before it is changed: `scatter` works in place.
        return texts.clone().scatter(places, changed)
    needing = some.str.contains(ESCAPED.pattern).arg_true()
    if not len(needing):
        return texts
    if len(needing) == len(texts):
        return _contents(texts)
    indexes = needing if places is None else places[needing]
    return texts.clone().scatter(indexes, _contents(some[needing]))


def escaped_columns(columns: pl.DataFrame) -> pl.DataFrame:
    """`escaped` of all columns.

    They are searched at once: with thousands of columns, a call for each would take longer.
    """
    if not columns.width:
        return columns
    found = columns.select(pl.all().str.contains(ESCAPED.pattern).any()).row(0)
    return columns.with_columns(
        escaped(column) for column, is_found in zip(columns, found, strict=True) if is_found
    )


def _contents(texts: pl.Series) -> pl.Series:
    """The texts, none null, with their quotes, backslashes and control characters escaped."""
    # It takes a fifth of the time of replacing one character after the other.
    objects = pl.struct(_NAME).struct.json_encode().alias(texts.name)
    encoded = texts.to_frame(_NAME).select(objects).to_series()
    return encoded.str.slice(len(_BEFORE)).str.head(-len(_AFTER))
