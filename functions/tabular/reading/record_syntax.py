"""The syntax of records in plain dialects, a whole column of them at a time.

`grammar` is the reference. A plain dialect has cells as in RFC 4180, with any delimiter and quote.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from tabular.model import Dialect


def well_formed(texts: pl.Series, dialect: Dialect, *, spaced: bool = False) -> pl.Series:
    """Which records have quotes only where RFC 4180 allows them (Boolean).

    With `spaced`, there may be spaces between a delimiter and a quote.
    """
    quote = re.escape(dialect.quote_char or "")
    delimiter = re.escape(dialect.delimiter)
    inner = f"[^{quote}]*"
    space = " *" if spaced else ""
    quoted = f"{space}{quote}{inner}(?:{quote}{quote}{inner})*{quote}"
    cell = f"(?:{quoted}|[^{quote}{delimiter}]*)"
    return texts.str.contains(f"^{cell}(?:{delimiter}{cell})*$")


def delimiters(texts: pl.Series, dialect: Dialect, *, quoted: bool) -> pl.Series:
    """How many delimiters well-formed records have outside of quotes (UInt32).

    `quoted` says whether any of them may have quotes.
    """
    if quoted and dialect.quote_char is not None:
        quote = re.escape(dialect.quote_char)
        texts = texts.str.replace_all(f"{quote}[^{quote}]*{quote}", "")
    return texts.str.count_matches(dialect.delimiter, literal=True)
