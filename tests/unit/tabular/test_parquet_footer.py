"""Parquet files that are composed of several, and footers that are refused."""

from __future__ import annotations

import datetime as dt
import random
from copy import deepcopy
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tabular.errors import FileTooLarge
from tabular.writing import parquet_footer
from tabular.writing.output_format import Excerpt
from tabular.writing.parquet_footer import (
    MIN_COLUMN_BYTES,
    MalformedFooter,
    UnlikeParts,
    check_columns,
    compose_footer,
    read_footer,
)
from tests.unit.tabular import thrift
from tests.unit.tabular.parquet_readers import query, read_by_all

BERLIN = dt.timezone(dt.timedelta(hours=2))


def excerpt(part: bytes) -> Excerpt:
    return Excerpt(len(part), read_footer(len(part), lambda at, length: part[at : at + length]))


def composed(parts: list[bytes]) -> bytes:
    return b"".join(parts) + compose_footer(map(excerpt, parts))


def table(rows: range) -> pa.Table:
    """Columns of many kinds, whose values follow from the row's number."""
    some = [row if row % 7 else None for row in rows]
    at = dt.datetime(2026, 3, 29, tzinfo=BERLIN)
    columns: dict[str, Any] = {
        "row": pa.array(rows, pa.int64()),
        "text": pa.array([None if one is None else f"ü{one}" for one in some], pa.string()),
        "code": pa.array([f"c{row % 3}" for row in rows], pa.string()),
        "number": pa.array([Decimal(row) / 100 for row in rows], pa.decimal128(38, 18)),
        "flag": pa.array([row % 2 == 0 for row in rows], pa.bool_()),
        "day": pa.array([dt.date(2026, 1, 1) + dt.timedelta(row) for row in rows], pa.date32()),
        "at": pa.array([at + dt.timedelta(minutes=row) for row in rows], pa.timestamp("us", "UTC")),
        "local": pa.array(
            [dt.datetime(2026, 3, 29, 2, row % 60) for row in rows], pa.timestamp("us")
        ),
        "empty": pa.array([None for _ in rows], pa.int32()),
    }
    return pa.table(columns)


def as_frame(columns: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(columns)
    assert isinstance(frame, pl.DataFrame)
    return frame


def written(rows: range, **options: Any) -> bytes:
    sink = BytesIO()
    pq.write_table(table(rows), sink, **options)
    return sink.getvalue()


def written_by_polars(rows: range, **options: Any) -> bytes:
    sink = BytesIO()
    as_frame(table(rows)).write_parquet(sink, **options)
    return sink.getvalue()


WRITERS = {
    "polars": lambda rows: written_by_polars(rows, row_group_size=30),
    "polars without statistics": lambda rows: written_by_polars(rows, statistics=False),
    "one row group": written,
    "row groups": lambda rows: written(rows, row_group_size=20),
    "page indexes": lambda rows: written(rows, row_group_size=50, write_page_index=True),
    "no statistics": lambda rows: written(rows, write_statistics=False),
    "no dictionaries": lambda rows: written(rows, use_dictionary=False),
    "newer pages": lambda rows: written(rows, data_page_version="2.0", compression="zstd"),
    "many pages": lambda rows: written(rows, data_page_size=64, write_batch_size=8),
}
SPLITS = [range(0), range(60), range(60, 60), range(60, 95), range(95, 100)]
CASES: dict[str, tuple[Any, list[range]]] = {
    **{name: (write, SPLITS) for name, write in WRITERS.items()},
    "one part": (WRITERS["polars"], [range(100)]),
    "only empty parts": (WRITERS["polars"], [range(0), range(0)]),
    "many parts": (WRITERS["polars"], [range(start, start + 2) for start in range(0, 100, 2)]),
}


@pytest.mark.parametrize(("write", "splits"), CASES.values(), ids=CASES)
def test_every_reader_finds_the_rows_of_all_parts_in_order(
    write: Any, splits: list[range], tmp_path: Path
) -> None:
    path = tmp_path / "whole.parquet"
    path.write_bytes(composed([write(rows) for rows in splits]))
    expected = pl.concat(as_frame(table(rows)) for rows in splits)

    by_polars, by_arrow, by_duckdb = read_by_all(path)

    assert by_polars.equals(expected)
    assert by_arrow.equals(expected)
    assert by_duckdb.rows() == expected.rows()


@pytest.mark.parametrize("write", [WRITERS["polars"], WRITERS["row groups"]], ids=["polars", "pa"])
def test_a_filter_reads_the_row_groups_that_can_have_what_it_looks_for(
    write: Any, tmp_path: Path
) -> None:
    path = tmp_path / "whole.parquet"
    path.write_bytes(composed([write(range(100)), write(range(100, 200))]))
    metadata = pq.ParquetFile(path).metadata
    ranges = [
        (group.column(0).statistics.min, group.column(0).statistics.max)
        for group in map(metadata.row_group, range(metadata.num_row_groups))
    ]
    numbers = [number for number, (low, high) in enumerate(ranges) if low <= 150 <= high]

    found = pq.ParquetFile(path).read_row_groups(numbers)
    by_polars = pl.scan_parquet(path).filter(pl.col("row") == 150).collect()
    by_duckdb = query(f"SELECT text FROM '{path}' WHERE row = 150")
    by_arrow = pq.read_table(path, filters=[("row", "==", 150)])

    assert len(numbers) == 1
    assert "ü150" in found["text"].to_pylist()
    assert len(found) < 100
    for found_by in (by_polars["text"].to_arrow(), by_arrow["text"], by_duckdb["text"]):
        assert found_by.to_pylist() == ["ü150"]


def shifted(footer: thrift.Struct, shift: int) -> list[thrift.Struct]:
    """A footer's row groups, with their offsets changed and without their ordinals."""
    groups: list[thrift.Struct] = deepcopy(footer[4][1][1])
    for group in groups:
        group.pop(7, None)
        _shift(group, (5,), shift)
        for column in group[1][1][1]:
            _shift(column, (2, 4, 6), shift)
            _shift(column[3][1], (9, 10, 11, 14), shift)
    return groups


def _shift(fields: thrift.Struct, numbers: tuple[int, ...], shift: int) -> None:
    for number in numbers:
        kind, value = fields.get(number, (0, 0))
        if value:
            fields[number] = (kind, value + shift)


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_the_footer_has_everything_that_the_parts_have_at_its_new_place(write: Any) -> None:
    parts = [write(range(60)), write(range(60, 200)), write(range(200, 210))]
    footers = [thrift.footer_of(part) for part in parts]
    starts = [0, len(parts[0]), len(parts[0]) + len(parts[1])]

    whole = thrift.footer_of(composed(parts))

    expected = [
        group
        for footer, start in zip(footers, starts, strict=True)
        for group in shifted(footer, start)
    ]
    ordinals = [group.pop(7)[1] for group in whole[4][1][1] if 7 in group]
    assert whole.pop(4)[1][1] == expected
    assert ordinals in (list(range(len(expected))), [])
    assert whole.pop(3) == (thrift.I64, 210)
    assert whole == {number: field for number, field in footers[0].items() if number not in (3, 4)}


def test_page_indexes_and_bloom_filters_are_where_the_footer_says(tmp_path: Path) -> None:
    options: dict[str, Any] = {"write_page_index": True, "row_group_size": 25}
    parts = [written(range(50), **options), written(range(50, 100), **options)]
    whole = composed(parts)
    places = [
        (column[offset][1], column[length][1])
        for group in thrift.footer_of(whole)[4][1][1]
        for column in group[1][1][1]
        for offset, length in ((4, 5), (6, 7))
    ]
    of_parts = [
        part[column[offset][1] : column[offset][1] + column[length][1]]
        for part in parts
        for group in thrift.footer_of(part)[4][1][1]
        for column in group[1][1][1]
        for offset, length in ((4, 5), (6, 7))
    ]

    assert [whole[at : at + length] for at, length in places] == of_parts
    assert len(places) == 4 * 9 * 2


def test_a_bloom_filter_moves_with_its_part() -> None:
    part = written(range(3))
    footer = thrift.footer_of(part)
    column = footer[4][1][1][0][1][1][1][0]
    known = column[3][1] | {14: (thrift.I64, 100), 15: (thrift.I32, 8)}
    column[3] = (thrift.STRUCT, dict(sorted(known.items())))
    part = thrift.with_footer(part, footer)

    groups = thrift.footer_of(composed([part, part]))[4][1][1]

    assert [group[1][1][1][0][3][1][14][1] for group in groups] == [100, 100 + len(part)]


def test_ordinals_are_left_out_of_files_with_more_row_groups_than_ordinals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sink = BytesIO()
    pl.DataFrame({"n": range(200)}).write_parquet(sink, row_group_size=1, statistics=False)
    part = sink.getvalue()
    monkeypatch.setattr(parquet_footer, "_MAX_ORDINAL", 399)

    few, many = composed([part] * 2), composed([part] * 3)

    groups = thrift.footer_of(few)[4][1][1]
    assert [group[7][1] for group in groups] == list(range(400))
    assert not any(7 in group for group in thrift.footer_of(many)[4][1][1])
    assert pq.read_table(pa.BufferReader(many))["n"].to_pylist() == [*range(200)] * 3


def test_a_short_footer_takes_one_read_and_a_long_one_two() -> None:
    def reads_of(part: bytes) -> list[tuple[int, int]]:
        reads = []

        def read(at: int, length: int) -> bytes:
            reads.append((at, length))
            return part[at : at + length]

        assert thrift.decode(read_footer(len(part), read)) == thrift.footer_of(part)
        return reads

    short, long = written(range(500)), written(range(150), row_group_size=1)

    assert len(reads_of(short)) == 1
    (first, first_length), (second, second_length) = reads_of(long)
    assert first + first_length == len(long)
    assert second + second_length == first


_FEW = BytesIO()
pq.write_table(
    table(range(20)).select(["row", "text"]), _FEW, row_group_size=10, write_page_index=True
)
PART = _FEW.getvalue()


def changed(*path: int, to: tuple[int, Any] | None, part: bytes = PART) -> bytes:
    """A part in whose footer a field is replaced or removed."""
    footer = thrift.footer_of(part)
    place: Any = footer
    for step in path[:-1]:
        value = place[step]
        kind = value[0] if isinstance(value, tuple) else thrift.STRUCT
        place = value[1] if isinstance(value, tuple) else value
        place = place[1] if kind == thrift.LIST else place
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return thrift.with_footer(part, footer)


GROUP = (4, 1)
COLUMN = (*GROUP, 1, 1)
REFUSED = {
    "encrypted columns": (changed(8, to=(thrift.STRUCT, {})), "encrypted columns"),
    "a signed footer": (changed(9, to=(thrift.BINARY, b"key")), "encrypted columns"),
    "an unknown field": (changed(10, to=(thrift.I64, 4)), "field 10"),
    "no rows": (changed(3, to=None), "lacks one of the fields"),
    "no row groups": (changed(4, to=None), "lacks one of the fields"),
    "a wrong number of rows": (changed(3, to=(thrift.I64, 21)), "number of rows"),
    "a wrong number of rows in a group": (changed(*GROUP, 3, to=(thrift.I64, 9)), "number of rows"),
    "negative rows": (changed(*GROUP, 3, to=(thrift.I64, -10)), "negative"),
    "an unknown field of a row group": (changed(*GROUP, 8, to=(thrift.I64, 4)), "can't be moved"),
    "an unknown field of a column": (changed(*COLUMN, 10, to=(thrift.I64, 4)), "can't be moved"),
    "an unknown field of its metadata": (
        changed(*COLUMN, 3, 18, to=(thrift.I64, 4)),
        "can't be moved",
    ),
    "a field of another kind": (changed(*COLUMN, 3, 9, to=(thrift.I32, 4)), "can't be moved"),
    "data in another file": (
        thrift.with_footer(
            PART,
            {
                **thrift.footer_of(PART),
                4: (
                    thrift.LIST,
                    (
                        thrift.STRUCT,
                        [
                            {
                                1: (
                                    thrift.LIST,
                                    (thrift.STRUCT, [{1: (thrift.BINARY, b"other")}]),
                                ),
                                3: (thrift.I64, 20),
                            }
                        ],
                    ),
                ),
            },
        ),
        "can't be moved",
    ),
    "an encrypted column": (changed(*COLUMN, 8, to=(thrift.STRUCT, {})), "can't be moved"),
    "an offset before the data": (changed(*COLUMN, 3, 9, to=(thrift.I64, 3)), "offset is outside"),
    "a negative old offset": (changed(*COLUMN, 2, to=(thrift.I64, -4)), "offset is outside"),
    "a negative offset": (changed(*COLUMN, 4, to=(thrift.I64, -4)), "offset is outside"),
    "an offset behind the data": (
        changed(*COLUMN, 6, to=(thrift.I64, len(PART))),
        "offset is outside",
    ),
    "a column too few": (
        changed(*GROUP, 1, to=(thrift.LIST, (thrift.STRUCT, []))),
        "same number of columns",
    ),
    "row groups that are numbers": (
        changed(4, to=(thrift.LIST, (thrift.I64, [1]))),
        "not structures",
    ),
    "columns that are numbers": (
        changed(*GROUP, 1, to=(thrift.LIST, (thrift.I64, [1]))),
        "not structures",
    ),
    "another magic": (PART[:-4] + b"PAR2", "does not end like"),
    "an encrypted footer": (PART[:-4] + b"PARE", "encrypted"),
    "a length beyond the file": (PART[:-8] + b"\xff\xff\xff\x0aPAR1", "longer than the file"),
    "nothing": (b"", "shorter"),
    "only magics": (b"PAR1PAR1", "shorter"),
    "a footer of no bytes": (b"PAR1" + bytes(4) + b"PAR1", "ends too early"),
}


@pytest.mark.parametrize(("part", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_footer_that_cannot_be_moved_is_refused(part: bytes, reason: str) -> None:
    with pytest.raises(MalformedFooter, match=reason):
        composed([part])


def test_fields_in_descending_order_are_refused() -> None:
    footer = thrift.footer_of(PART)
    group = footer[4][1][1][0]
    group[5] = group.pop(5)
    with pytest.raises(MalformedFooter, match="ascending order"):
        composed([thrift.with_footer(PART, footer)])


def test_bytes_after_a_footer_are_refused() -> None:
    footer = excerpt(PART).content + b"\0"
    with pytest.raises(MalformedFooter, match="part 0: bytes follow its end"):
        compose_footer([Excerpt(len(PART), footer)])


def test_a_shortened_part_is_refused() -> None:
    with pytest.raises(MalformedFooter, match="shorter than its size"):
        read_footer(len(PART), lambda at, length: PART[at : at + length - 1])
    long = written(range(150), row_group_size=1)
    with pytest.raises(MalformedFooter, match="shorter than its size"):
        read_footer(len(long), lambda at, length: long[max(at, len(long) - 65536) : at + length])


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (changed(1, to=(thrift.I32, 3)), "schema"),
        (changed(2, 1, 4, to=(thrift.BINARY, b"other")), "schema"),
        (changed(5, to=(thrift.LIST, (thrift.STRUCT, []))), "metadata"),
        (changed(5, to=None), "metadata"),
        (changed(6, to=(thrift.BINARY, b"another writer")), "metadata"),
        (written_by_polars(range(3)), "schema"),
    ],
)
def test_unlike_parts_are_refused(other: bytes, what: str) -> None:
    with pytest.raises(UnlikeParts, match=f"part 1: its {what} is not that of part 0"):
        composed([PART, other])


def test_no_parts_are_refused() -> None:
    with pytest.raises(ValueError, match="no parts"):
        compose_footer([])


def test_a_footer_that_is_cut_anywhere_is_refused() -> None:
    footer = excerpt(PART).content
    for length in range(len(footer)):
        with pytest.raises((MalformedFooter, UnlikeParts)):
            compose_footer([Excerpt(len(PART), footer[:length])])


def test_damaged_bytes_are_refused_or_harmless() -> None:
    """Damaged footers give a footer or one of the two errors, never another one."""
    chance = random.Random(12)
    footer = excerpt(PART).content
    outcomes = {"composed": 0, "refused": 0}
    for _ in range(2000):
        damaged = bytearray(footer)
        for _ in range(chance.choice((1, 1, 2, 5))):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            compose_footer([Excerpt(len(PART), bytes(damaged))] * 2)
        except (MalformedFooter, UnlikeParts):
            outcomes["refused"] += 1
        else:
            outcomes["composed"] += 1
    assert min(outcomes.values()) > 200


def test_structures_that_are_nested_deeply_are_refused() -> None:
    footer = thrift.encode({1: (thrift.I32, 1)})[:-1] + b"\x19\x1c" + b"\x1c" * 100_000
    with pytest.raises(MalformedFooter, match="nested too deeply"):
        compose_footer([Excerpt(10**6, footer)])


def test_an_unterminated_number_is_refused() -> None:
    footer = thrift.encode({1: (thrift.I32, 1), 2: (thrift.LIST, (thrift.STRUCT, []))})[:-1]
    with pytest.raises(MalformedFooter, match="number is too long"):
        compose_footer([Excerpt(10**6, footer + b"\x16" + b"\xff" * 10_000)])
    with pytest.raises(MalformedFooter, match="number is too large"):
        compose_footer([Excerpt(10**6, footer + b"\x16" + b"\xff" * 9 + b"\x7f")])


def test_a_list_longer_than_the_footer_is_refused() -> None:
    footer = thrift.encode({1: (thrift.I32, 1)})[:-1] + b"\x19\xfc\xff\xff\xff\xff\x0f"
    with pytest.raises(MalformedFooter, match="more items than"):
        compose_footer([Excerpt(10**6, footer)])


def test_a_footer_beyond_the_limit_is_an_early_error(monkeypatch: pytest.MonkeyPatch) -> None:
    part = excerpt(PART)
    monkeypatch.setattr(parquet_footer, "MAX_FOOTER_BYTES", 3 * len(part.content))
    compose_footer([part] * 2)
    read: list[int] = []

    def parts() -> Any:
        for number in range(1000):
            read.append(number)
            yield part

    with pytest.raises(FileTooLarge, match="Choose the output format jsonl"):
        compose_footer(parts())
    assert len(read) < 10


def test_a_part_whose_footer_alone_is_too_long_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_footer, "MAX_FOOTER_BYTES", 100)
    with pytest.raises(FileTooLarge):
        excerpt(PART)


def test_too_many_columns_of_row_groups_are_refused_before_they_are_written() -> None:
    most = parquet_footer.MAX_FOOTER_BYTES // MIN_COLUMN_BYTES // 1000
    check_columns(1000, most - 2)  # beside _file_id and _row
    with pytest.raises(FileTooLarge):
        check_columns(1000, most - 1)


def test_no_column_takes_less_than_the_early_check_assumes() -> None:
    sink = BytesIO()
    pl.DataFrame({"a": [None]}, schema={"a": pl.Boolean()}).write_parquet(sink)

    [group] = thrift.footer_of(sink.getvalue())[4][1][1]

    assert all(len(thrift.encode(one)) >= MIN_COLUMN_BYTES for one in group[1][1][1])
