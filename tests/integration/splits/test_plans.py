"""A plan has a boundary at every mark of an ordinary file, from one small window each."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tabular.contract.descriptor import parse_contract
from tabular.reading import splits
from tabular.reading.layout import read_layout
from tabular.reading.splits import plan_splits
from tests.benchmarks.orders import CONTRACT, generate
from tests.integration.splits import files as cut
from tests.integration.splits.test_generated_files import table

if TYPE_CHECKING:
    from collections.abc import Callable

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


def lengths_of(body: bytes, fitting: Callable[[bytes], int], most: int) -> tuple[list[int], int]:
    """The lengths of the splits, of `most` bytes at most, and how many windows were read."""
    reads: list[int] = []

    def read_range(start: int, length: int) -> bytes:
        reads.append(length)
        return body[start : start + length]

    layout = read_layout(body[:100_000], size=len(body), name="a.csv", contract=None)
    planned = plan_splits(layout, read_range, split_bytes=most, fitting=fitting)
    starts = [split.start for split in planned]
    return [end - start for start, end in pairwise([*starts, len(body)])], len(reads)


def test_later_rows_that_are_much_shorter_get_smaller_splits() -> None:
    long, short = b"1," + b"x" * 997 + b"\n", b"1,x\n"
    body = b"a,b\n" + long * 2_000 + short * 250_000 + long * 2_000
    lengths, reads = lengths_of(
        body, lambda sample: 70_000 if sample.count(b"\n") > 1_000 else 500_000, 500_000
    )
    # Up to the first window with short rows, and after the last one.
    assert sum(length > 3 * 70_000 for length in lengths) <= 10
    assert sum(length < 80_000 for length in lengths) >= 10
    assert max(lengths) < 510_000
    assert reads < 1.5 * len(lengths)


def test_there_are_never_more_splits_than_an_object_can_have_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(splits, "MAX_SPLITS", 5)
    lengths, _ = lengths_of(b"a,b\n" + b"1,x\n" * 100_000, lambda _: 1, 1_000)
    assert len(lengths) == 5
    assert max(lengths) < 1.1 * min(lengths)
