"""Splits change nothing in the result, and a wrong boundary never goes unnoticed."""

from __future__ import annotations

from io import BytesIO
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tabular.errors import MisalignedSplits
from tabular.reading.layout import Layout
from tabular.reading.measure import measure
from tabular.reading.split import Split
from tabular.reading.splits import number_splits, plan_splits
from tabular.statistics.accumulator import merge
from tests.effort import examples
from tests.property.slow_reader import read_slowly
from tests.unit.tabular.engine import contract_of, layout_of, run

HEADER = b"\xef\xbb\xbfid,text\r\n"
CONTRACT = contract_of({"name": "id", "type": "integer"}, {"name": "text", "type": "string"})
SOUND = [b"plain", b'"with ""quotes"""', b'"two\nlines"', b'"\r\n"', b"", b'"""\n"', b"x" * 50]
FAULTY = [b'stray"quote', b'"open', b"a,extra", b"\xff", b'"1,looks\n2,like\n3,records\n"']
cells = st.sampled_from([*SOUND, *FAULTY])
line_ends = st.sampled_from([b"\n", b"\r\n", b"\r"])
ordinary = st.sampled_from([b"plain", b'"two\nlines"', b'"a, b"', b"bad,row", b"", b'"\r\n"'])


@st.composite
def files(draw: st.DrawFn, cell: Any = cells, most: int = 30) -> Any:
    ends = draw(st.one_of(line_ends.map(lambda end: [end]), st.just([b"\n", b"\r\n", b"\r"])))
    lines = [
        b"%d,%b%b" % (number, draw(cell), draw(st.sampled_from(ends)))
        for number in range(draw(st.integers(1, most)))
    ]
    content = HEADER + b"".join(lines)
    return content if draw(st.booleans()) else content.rstrip(b"\r\n")


def splits_at(layout: Layout, boundaries: Any) -> Any:
    edges = [layout.data_start, *boundaries, None]
    return [
        Split(index, start, end, 1, layout.data_line)
        for index, (start, end) in enumerate(pairwise(edges))
    ]


def measured(content: bytes, layout: Layout, splits: Any, block_bytes: int = 8_000_000) -> Any:
    return number_splits(
        splits,
        [
            measure([content[split.start :]], layout, split, block_bytes=block_bytes)
            for split in splits
        ],
    )


def assert_same_as_whole(content: bytes, layout: Layout, splits: Any) -> None:
    whole = run(content, layout=layout)
    parts = [run(content, layout=layout, split=split, chunk=11) for split in splits]
    for kind in range(3):
        assert b"".join(part.outputs[kind] for part in parts) == whole.outputs[kind]
    assert merge(part.part.statistics for part in parts) == merge([whole.part.statistics])
    assert sum(part.part.record_count for part in parts) == whole.part.record_count


def true_boundaries(content: bytes, layout: Layout) -> Any:
    body = content[layout.data_start :]
    return [record.offset + layout.data_start for record in read_slowly(body)][1:]


@examples(6)
@given(st.data())
def test_any_true_boundaries_give_the_result_of_one_split(data: Any) -> None:
    content = data.draw(files())
    layout = layout_of(content, CONTRACT)
    possible = true_boundaries(content, layout)
    assume(possible)
    chosen = sorted(data.draw(st.sets(st.sampled_from(possible), min_size=1)))
    splits = measured(
        content, layout, splits_at(layout, chosen), data.draw(st.sampled_from([1, 50]))
    )
    assert_same_as_whole(content, layout, splits)


@examples(6)
@given(st.data())
@example(None)
def test_a_wrong_boundary_is_always_detected(data: Any) -> None:
    content = HEADER + b'1,"a\nb"\n2,c\n' if data is None else data.draw(files())
    layout = layout_of(content, CONTRACT)
    possible = set(range(layout.data_start + 1, len(content))) - set(
        true_boundaries(content, layout)
    )
    assume(possible)
    wrong = min(possible) if data is None else data.draw(st.sampled_from(sorted(possible)))
    with pytest.raises(MisalignedSplits):
        measured(content, layout, splits_at(layout, [wrong]))


@examples(6)
@given(files(), st.integers(1, 200))
def test_a_plan_is_correct_or_detected_as_wrong(content: bytes, split_bytes: int) -> None:
    layout = layout_of(content, CONTRACT)
    file = BytesIO(content)

    def read_range(start: int, length: int) -> Any:
        file.seek(start)
        return file.read(length)

    splits = plan_splits(layout, read_range, split_bytes=split_bytes)
    assert splits[0].start == layout.data_start
    assert splits[-1].end is None
    try:
        numbered = measured(content, layout, splits)
    except MisalignedSplits:
        return
    assert_same_as_whole(content, layout, numbered)


@examples(6)
@given(files(ordinary, most=60), st.integers(100, 400))
def test_plans_of_ordinary_files_are_correct(content: bytes, split_bytes: int) -> None:
    layout = layout_of(content, CONTRACT)
    splits = plan_splits(
        layout, lambda start, length: content[start : start + length], split_bytes=split_bytes
    )
    assert_same_as_whole(content, layout, measured(content, layout, splits))
