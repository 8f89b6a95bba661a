"""Counting a split's records without reading them, and files that are not split."""

from __future__ import annotations

import gzip
from itertools import pairwise
from typing import Any

import pytest

from tabular.reading.measure import measure
from tabular.reading.split import Split
from tabular.reading.splits import plan_splits
from tests.unit.tabular.engine import contract_of, layout_of, run

FIELDS = [{"name": "a", "type": "string"}, {"name": "b", "type": "string"}]
CONTENT = b'a,b\n\n1,2\n  \n""\n,\n"","",\n"x\n\ny",3\n\r\n#c\n\n'


@pytest.mark.parametrize(
    "contract",
    [
        None,
        contract_of(*FIELDS),
        contract_of(*FIELDS, dialect={"skipBlankRows": True}),
        contract_of(*FIELDS, dialect={"commentChar": "#"}),
        contract_of(*FIELDS, dialect={"commentChar": "#", "skipBlankRows": True}),
    ],
)
@pytest.mark.parametrize("content", [CONTENT, CONTENT.replace(b"\n", b"\r\n"), b"a,b\n1,2\n"])
def test_a_measure_counts_the_records_that_a_transform_reads(content: bytes, contract: Any) -> None:
    layout = layout_of(content, contract)
    split = Split.whole(layout)
    part = run(content, layout=layout).part
    measured = measure([content[split.start :]], layout, split)
    assert tuple(measured) == (part.record_count, part.line_count)


def plan(content: bytes, contract: Any = None, name: str = "t.csv") -> Any:
    layout = layout_of(content, contract, name)
    return plan_splits(layout, lambda start, size: content[start : start + size], split_bytes=10)


ROWS = b"a,b\n" + b"1,2\n" * 50


def test_an_ordinary_file_is_cut() -> None:
    splits = plan(ROWS)
    assert len(splits) > 10
    assert all(before.end == after.start for before, after in pairwise(splits))


@pytest.mark.parametrize(
    ("content", "contract", "name"),
    [
        (gzip.compress(ROWS, mtime=0), None, "t.csv.gz"),
        (ROWS.decode().encode("utf-16"), None, "t.csv"),
        (ROWS, contract_of(*FIELDS, primaryKey="a"), "t.csv"),
        (ROWS, contract_of(*FIELDS, dialect={"commentRows": [9]}), "t.csv"),
    ],
)
def test_a_file_that_cannot_be_cut_is_one_split(content: bytes, contract: Any, name: str) -> None:
    (split,) = plan(content, contract, name)
    assert split.end is None
