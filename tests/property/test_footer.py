"""A file with a footer gives the result of the file without it, however it is cut."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabular.errors import UnreadableFile
from tabular.statistics.accumulator import merge
from tests.effort import examples
from tests.property.test_splits import (
    HEADER,
    SOUND,
    files,
    measured,
    splits_at,
    true_boundaries,
)
from tests.unit.tabular.engine import contract_of, layout_of, run

FIELDS = ({"name": "id", "type": "integer"}, {"name": "text", "type": "string"})
# None of these leaves a quote open, which the footer could close.
cells = st.sampled_from([*SOUND, b'stray"quote', b"a,extra", b"\xff"])
rows = st.sampled_from([b"Total,9", b'"Total:\n9"', b"9,9", b"\xff", b'"a ""sum""\r\n",,,', b"x,"])
block_bytes = st.sampled_from([1, 50, 8_000_000])


def contract(footer_rows: int) -> Any:
    return contract_of(*FIELDS, dialect={"footerRows": footer_rows})


def with_line_end(content: bytes) -> bytes:
    return content if content.endswith((b"\n", b"\r")) else content + b"\n"


@examples(6)
@given(st.data())
def test_a_footer_changes_nothing(data: Any) -> None:
    content = with_line_end(data.draw(files(cells)))
    footer = data.draw(st.lists(rows, min_size=1, max_size=20))
    expected = run(content, contract(0))

    whole = content + b"\n".join(footer)
    layout = layout_of(whole, contract(len(footer)))
    size = data.draw(block_bytes)
    found = run(whole, layout=layout, chunk=11, block_bytes=size)
    assert found.outputs == expected.outputs
    assert merge([found.part.statistics]) == merge([expected.part.statistics])

    chosen = sorted(data.draw(st.sets(st.sampled_from(true_boundaries(whole, layout)))))
    splits = splits_at(layout, chosen)
    splits[-1] = replace(splits[-1], footer_rows=len(footer))
    numbered = measured(whole, layout, splits)
    parts = [run(whole, layout=layout, split=split, block_bytes=size) for split in numbered]
    for kind in range(3):
        assert b"".join(part.outputs[kind] for part in parts) == expected.outputs[kind]
    assert merge(part.part.statistics for part in parts) == merge([expected.part.statistics])
    assert sum(part.part.record_count for part in parts) == expected.part.record_count


@examples(4)
@given(st.integers(0, 19), st.data())
def test_a_file_that_ends_before_its_footer_is_refused(records: int, data: Any) -> None:
    content = HEADER + b"1,a\n" * records
    footer_rows = data.draw(st.integers(records + 1, 20))
    layout = layout_of(content, contract(footer_rows))
    with pytest.raises(UnreadableFile, match="ends before its footer"):
        run(content, layout=layout)
    splits = splits_at(layout, true_boundaries(content, layout))
    splits[-1] = replace(splits[-1], footer_rows=footer_rows)
    with pytest.raises(UnreadableFile, match="ends before its footer"):
        measured(content, layout, splits)
