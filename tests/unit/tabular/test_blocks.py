"""Blocks are bounded by bytes, lines and cells, whatever the file."""

from __future__ import annotations

from typing import Any

import pytest

from tabular.reading import blocks
from tabular.reading.blocks import split_blocks
from tabular.reading.grammar import MAX_RECORD_BYTES
from tabular.reading.split import Split
from tests.unit.tabular.correcting import table_of
from tests.unit.tabular.engine import contract_of, layout_of, run

TWO = contract_of({"name": "a"}, {"name": "b"})


def lines_of_blocks(content: bytes) -> list[int]:
    # Not of all the content: detection would read each of its lines several times.
    layout = layout_of(b"a,b\n", TWO)
    found = split_blocks([content[layout.data_start :]], layout, Split.whole(layout))
    return [block.spans.lines for block in found]


@pytest.mark.parametrize(
    "body",
    [
        b"\n" * 300_000,
        b"\r\n" * 300_000,
        b"\r" * 300_000,
        b"a,b\n" * 300_000,
        b'"' + b"x\n" * (MAX_RECORD_BYTES // 2 + 10) + b'",1\n',
    ],
    ids=["LF", "CR LF", "CR", "good", "a quoted cell that is too long"],
)
def test_a_block_has_a_bounded_number_of_lines(body: bytes) -> None:
    lines = lines_of_blocks(b"a,b\n" + body)
    assert max(lines) <= 2 * blocks.MOST_LINES
    assert sum(lines) == body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n")


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize("most", [1, 3, 50])
def test_a_size_is_as_large_as_its_number_of_lines_allows(end: bytes, most: int) -> None:
    data = b"".join(b"x" * (number % 7) + end for number in range(40))
    for size in range(1, len(data) + 10):
        lines = [data[:cut].count(end[-1:]) for cut in range(min(size, len(data)) + 1)]
        fitting = [cut for cut, count in enumerate(lines) if count <= most]
        expected = size if lines[-1] <= most else max(1, fitting[-1])
        found = blocks._with_most_lines(data, size, most)
        assert data[:found].count(end[:1]) <= most or found == 1
        assert found == expected or end == b"\r\n"


def test_lines_are_counted_once_however_they_are_spread() -> None:
    counted = 0

    class Data(bytes):
        def count(self, end: Any, start: Any = 0, stop: Any = None) -> int:
            nonlocal counted
            counted += stop - start
            return super().count(end, start, stop)

    data = Data(b"x" * 1_000_000 + b"\n" * 100_000)
    assert blocks._with_most_lines(data, len(data), 50_000) == 1_050_000
    assert counted <= 4 * len(data)


def test_a_block_of_a_wide_file_has_a_bounded_number_of_cells() -> None:
    row = b",".join([b"1"] * 2_000) + b"\n"
    head = ",".join(f"x{number}" for number in range(2_000)).encode() + b"\n"
    layout = layout_of(head + row, contract_of(*map(column, range(2_000))))
    found = split_blocks([row * 2_000], layout, Split(0, layout.data_start, None))
    assert max(block.spans.lines for block in found) * 2_000 <= 2 * 1024 * 1024


def column(number: int) -> dict[str, str]:
    return {"name": f"x{number}"}


def test_rejects_are_written_in_pieces_and_give_the_same_bytes() -> None:
    content = b"a,b\n" + b"".join(b"%d\n" % number for number in range(40_000))
    result = run(content, TWO)
    assert [reject["row"] for reject in result.rejects] == list(range(1, 40_001))
    assert [int(row[0]) for row in table_of(result.corrections)[1:]] == list(range(1, 40_001))
    assert run(content, TWO, block_bytes=10_000).outputs == result.outputs


@pytest.mark.parametrize("cells", [2, 22, 23, 1_000_000])
def test_extra_cells_are_listed_up_to_a_bound(cells: int) -> None:
    (reject,) = run(b"a,b\n" + b"," * (cells + 1) + b"x\n", TWO).rejects
    listed = reject["errors"]
    assert len(listed) == min(cells, 21)
    assert {fault["code"] for fault in listed} == {"extra-cell"}
    assert (listed[-1]["value"] == "x") == (cells <= 20)


def test_missing_cells_are_listed_up_to_a_bound() -> None:
    labels = [f"c{number}" for number in range(100)]
    contract = contract_of(*({"name": label} for label in labels))
    (reject,) = run((",".join(labels) + "\nx\n").encode(), contract).rejects
    assert [fault["field"] for fault in reject["errors"]] == [*labels[1:21], None]
    assert reject["errors"][-1]["message"] == (
        "the row has 1 of 100 cells: 79 more than those listed are missing"
    )
