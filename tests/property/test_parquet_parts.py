"""The assembled parts of any splits are the table of one split, for every reader."""

from __future__ import annotations

import csv
import io
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tabular.reading.split import Split
from tabular.writing.output_format import Excerpt
from tabular.writing.parquet_footer import compose_footer, read_footer
from tests.effort import examples
from tests.property.fields_and_texts import SEEDS, VARIANTS
from tests.unit.tabular.engine import contract_of, layout_of, run
from tests.unit.tabular.parquet_readers import read_by_all


@st.composite
def files(draw: st.DrawFn) -> tuple[Any, list[bytes]]:
    """A contract, and the header and records of a file, many of which are rejected."""
    variants = draw(st.lists(st.sampled_from(VARIANTS), min_size=1, max_size=6))
    fields = [{"name": f"f{number}", **one} for number, one in enumerate(variants)]
    texts = [st.sampled_from([*SEEDS[one["type"]], "", ""]) for one in variants]
    rows = draw(st.lists(st.tuples(st.just("x"), *texts), max_size=12))
    records = [("first", *(field["name"] for field in fields)), *rows]
    return contract_of({"name": "first"}, *fields), [_written(record) for record in records]


def _written(cells: tuple[str, ...]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode()


@examples(4)
@given(st.data())
def test_parts_put_together_are_the_table_of_one_split(data: st.DataObject) -> None:
    contract, lines = data.draw(files())
    content = b"".join(lines)
    layout = layout_of(content, contract)
    # Row numbers at which splits begin, from 1; each split has a record, unless the file has none.
    starts = sorted(data.draw(st.sets(st.integers(2, max(2, len(lines) - 1)), max_size=4)))
    rows = [1, *(start for start in starts if start < len(lines)), None]
    offsets = [None if row is None else sum(map(len, lines[:row])) for row in rows]
    splits = [
        Split(index, start or 0, end, row or 1)
        for index, ((start, end), row) in enumerate(zip(pairwise(offsets), rows[:-1], strict=True))
    ]

    whole = run(content, layout=layout, output_format="parquet").processed
    parts = [
        run(content, layout=layout, split=split, output_format="parquet").processed
        for split in splits
    ]

    excerpts = [Excerpt(len(part), _footer(part)) for part in parts]
    expected = pl.read_parquet(io.BytesIO(whole))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "composed.parquet"
        path.write_bytes(b"".join(parts) + compose_footer(excerpts))
        by_polars, by_arrow, by_duckdb = read_by_all(path)
    assert by_polars.equals(expected)
    assert by_arrow.equals(expected)
    assert by_duckdb.columns == expected.columns
    assert by_duckdb.rows() == expected.rows()


def _footer(part: bytes) -> bytes:
    return read_footer(len(part), lambda at, length: part[at : at + length])
