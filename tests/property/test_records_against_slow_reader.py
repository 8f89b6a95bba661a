"""Records, their places and their cells are those of an independent reading, whatever the bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tabular.reading import blocks, record_syntax
from tests.effort import examples
from tests.property.slow_reader import SlowRecord, read_slowly
from tests.unit.tabular.correcting import table_of
from tests.unit.tabular.engine import TransformResult, contract_of, run

HEADER = b"x,y\n"
CONTRACT = contract_of(
    {"name": "x", "type": "string"}, {"name": "y", "type": "string"}, missingValues=[]
)
ORDINARY = [b"a", b"b", b",", b",", b'"', b'"', b"\n", b"\n", b"\r", b"\r\n", "é".encode()]
ODD = [b"\xff", b" ", b"\0", "\ufeff".encode(), b'"a\nb"', b"1,2\n", b'"",""\r\n', b"\x01", b"\\"]
pieces = st.sampled_from([*ORDINARY, *ODD])
bodies = st.lists(pieces, max_size=60).map(b"".join)


def expected_outcome(body: bytes) -> Any:
    """(row, line, offset) of rejects; (row, cells) of the processed; the rows to correct."""
    rejected, processed, rows = [], [], []
    for row, record in enumerate(read_slowly(body), 1):
        if is_sound(record) and record.cells is not None:
            processed.append((row, [cell.decode() for cell in record.cells]))
        else:
            rejected.append((row, record.line + 1, record.offset + len(HEADER)))
            rows.append(str(row))
    return rejected, processed, rows


def is_sound(record: SlowRecord) -> Any:
    try:
        record.raw.decode()
    except UnicodeDecodeError:
        return False
    return record.cells is not None and len(record.cells) == 2 and b"\0" not in record.raw


def actual_outcome(result: TransformResult) -> Any:
    rejected = [(r["row"], r["line"], r["byte_offset"]) for r in result.rejects]
    processed = [
        (row, list(data.values())) for row, data in zip(result.rows, result.data, strict=True)
    ]
    return rejected, processed, [row[0] for row in table_of(result.corrections)[1:]]


@examples(20)
@given(bodies, st.sampled_from([1, 7, 64, 8_000_000]))
@example(b'a,"b\nc,d\n', 1)
@example(b'"a\n",b\nc,d\r\n\r\n', 7)
@example(b"a,b\r", 1)
@example("\ufeffa,b\nc".encode(), 8_000_000)
def test_every_record_has_its_true_place_and_cells(body: bytes, block_bytes: int) -> None:
    assert_read_as_slowly(body, block_bytes)


@pytest.mark.parametrize("most_lines", [1, 2, 3])
@examples(10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies, st.sampled_from([7, 64, 8_000_000]))
@example(b'a,"b\nc\n\n\nd",e\nf,g\n\nh,i\r', 8_000_000)
def test_blocks_of_few_lines_change_nothing(
    most_lines: int, monkeypatch: pytest.MonkeyPatch, body: bytes, block_bytes: int
) -> None:
    monkeypatch.setattr(blocks, "MOST_LINES", most_lines)
    assert_read_as_slowly(body, block_bytes)


@examples(10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies, st.sampled_from([64, 8_000_000]))
@example(b'"a","b""c"\n"a"\n"a","b","c"\n', 8_000_000)
def test_records_of_very_many_cells_are_read_like_others(
    monkeypatch: pytest.MonkeyPatch, body: bytes, block_bytes: int
) -> None:
    monkeypatch.setattr(record_syntax, "_MOST_COUNTED_CELLS", 1)
    assert_read_as_slowly(body, block_bytes)


@pytest.mark.long
@settings(max_examples=10_000)
@given(bodies, st.sampled_from([1, 7, 64, 8_000_000]))
def test_very_many_records_have_their_true_places_and_cells(body: bytes, block_bytes: int) -> None:
    assert_read_as_slowly(body, block_bytes)


def assert_read_as_slowly(body: bytes, block_bytes: int) -> None:
    result = run(HEADER + body, CONTRACT, block_bytes=block_bytes, chunk=3)
    expected = expected_outcome(body)
    assert actual_outcome(result) == expected
    assert result.part.record_count == len(expected[0]) + len(expected[1])


def test_the_slow_reader_reads_what_the_standard_shows() -> None:
    assert [r.cells for r in read_slowly(b'a,"b""c"\r\n"d\r\ne",f')] == [
        [b"a", b'b"c'],
        [b"d\r\ne", b"f"],
    ]
