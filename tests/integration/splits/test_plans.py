"""A plan has a boundary at every mark of an ordinary file, from one small window each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tabular.contract.descriptor import parse_contract
from tabular.reading.layout import read_layout
from tabular.reading.splits import plan_splits
from tests.benchmarks.orders import CONTRACT, generate
from tests.integration.splits import files as cut
from tests.integration.splits.test_generated_files import table

if TYPE_CHECKING:
    from tabular.model import Contract

WINDOW = 64 * 1024


def reads_and_splits(
    body: bytes, contract: Contract | None, split_bytes: int
) -> tuple[list[int], int]:
    """The lengths of the ranges that planning reads, and how many splits it finds."""
    reads: list[int] = []

    def read_range(start: int, length: int) -> bytes:
        reads.append(length)
        return body[start : start + length]

    layout = read_layout(body[:100_000], size=len(body), name="a.csv", contract=contract)
    return reads, len(plan_splits(layout, read_range, split_bytes=split_bytes))


def test_orders_are_cut_at_every_mark(tmp_path: Path) -> None:
    body = generate(tmp_path, 3).path.read_bytes()

    reads, splits = reads_and_splits(body, parse_contract(CONTRACT), 200_000)

    assert splits == 16
    assert reads == [WINDOW] * 15


@pytest.mark.parametrize(
    "cells", [cut.PLAIN, cut.MULTI_LINE, cut.QUOTED, (b"a", *cut.BAD), (b'"a ""b"" c"', b"d")]
)
def test_records_of_all_kinds_are_cut_at_nearly_every_mark(cells: tuple[bytes, ...]) -> None:
    body = table(cells, 20_000)

    reads, splits = reads_and_splits(body, None, 10_000)

    assert splits >= 0.9 * len(body) / 10_000
    assert reads.count(WINDOW) >= 0.9 * len(reads)
