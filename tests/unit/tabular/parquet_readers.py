"""Reads Parquet with all readers that must be able to read the outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet as pq


def read_by_all(path: Path) -> list[pl.DataFrame]:
    """What Polars, pyarrow and DuckDB read; the last names time zones in its own way."""
    by_arrow = pl.from_arrow(pq.read_table(path))
    by_duckdb = pl.from_arrow(query(f"SELECT * FROM '{path}'"))
    assert isinstance(by_arrow, pl.DataFrame)
    assert isinstance(by_duckdb, pl.DataFrame)
    return [pl.read_parquet(path), by_arrow, by_duckdb]


def query(sql: str) -> Any:
    """The result of a query by DuckDB, as an Arrow table."""
    relation = duckdb.sql(sql)
    assert relation is not None
    return relation.to_arrow_table()
