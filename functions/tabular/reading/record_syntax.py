"""The syntax of records in plain dialects, a whole column of them at a time.

`grammar` is the reference. A plain dialect has cells as in RFC 4180, with any delimiter and quote.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from tabular.model import Dialect

_MOST_COUNTED_CELLS = 256
"""A pattern that counts many more needs more memory than the engine has for a quick search."""


def well_formed(texts: pl.Series, dialect: Dialect, *, spaced: bool = False) -> pl.Series:
    """Which records have quotes only where RFC 4180 allows them (Boolean).

    With `spaced`, there may be spaces between a delimiter and a quote.
    """
    return texts.str.contains(_record(dialect, "*", space=" *" if spaced else ""))


def as_wide(texts: pl.Series, dialect: Dialect, width: int, *, spaced: bool = False) -> pl.Series:
    """Which records are well-formed and have `width` cells (Boolean); of very wide ones, none.

    It takes as long as `well_formed` alone. `spaced` is as for that.
    """
    if width > _MOST_COUNTED_CELLS:
        return pl.Series([False]).new_from_index(0, len(texts))
    space = " *" if spaced else ""
    return texts.str.contains(_record(dialect, f"{{{width - 1}}}", space=space))


def without_spaces(texts: pl.Series, dialect: Dialect) -> pl.Series:
    """Well-formed records without the spaces at the beginning of cells, before quotes or text."""
    cell = f"(^|{re.escape(dialect.delimiter)}) +"
    quote = re.escape(dialect.quote_char or "")
    if not quote or not texts.str.contains(quote).any():
        return texts.str.replace_all(cell, "${1}")
    # A quoted cell is matched as a whole, since its content may look like the next one's start.
    delimiter, quoted = re.escape(dialect.delimiter), _quoted(quote)
    # It never matches nothing, after which a search would go on behind the next delimiter.
    cell = f"(^|{delimiter})(?: *({quoted})| +)"
    return texts.str.replace_all(cell, "${1}${2}")


def _quoted(quote: str) -> str:
    """The pattern of a quoted cell."""
    inner = f"[^{quote}]*"
    return f"{quote}{inner}(?:{quote}{quote}{inner})*{quote}"


def _record(dialect: Dialect, repetition: str, *, space: str = "") -> str:
    """The pattern of a well-formed record; `repetition` is that of the cells after the first."""
    quote = re.escape(dialect.quote_char or "")
    delimiter = re.escape(dialect.delimiter)
    cell = f"(?:{space}{_quoted(quote)}|[^{quote}{delimiter}]*)"
    return f"^{cell}(?:{delimiter}{cell}){repetition}$"


def delimiters(texts: pl.Series, dialect: Dialect, *, quoted: bool) -> pl.Series:
    """How many delimiters well-formed records have outside of quotes (UInt32).

    `quoted` says whether any of them may have quotes.
    """
    if quoted and dialect.quote_char is not None:
        quote = re.escape(dialect.quote_char)
        texts = texts.str.replace_all(f"{quote}[^{quote}]*{quote}", "")
    return texts.str.count_matches(dialect.delimiter, literal=True)
