"""Takes some rows of a column, without a copy where they follow each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


def gathered(column: pl.Series, indexes: pl.Series) -> pl.Series:
    """The rows of `column` at distinct ascending `indexes` (UInt32).

    In a file of which every record is rejected, these are mostly all rows from one to another.
    Polars makes a query of `gather`, which takes longer than the few rows of a good file.
    """
    first = run_start(indexes)
    return column[indexes] if first is None else column.slice(first, len(indexes))


def run_start(indexes: pl.Series) -> int | None:
    """The first of distinct ascending indexes that have no gaps; None if they have, or are none."""
    if not len(indexes) or int(indexes[-1]) - int(indexes[0]) + 1 != len(indexes):
        return None
    return int(indexes[0])
