"""Parquet output: typed columns, no digit lost, and the file's identity beside each row."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from tabular.errors import HeaderMismatch, UnreadableFile
from tabular.writing import parquet
from tests.unit.tabular.engine import TransformResult, contract_of, layout_of, run

CONTRACT = contract_of(
    {"name": "n", "type": "number"},
    {"name": "i", "type": "integer"},
    {"name": "d", "type": "date"},
    {"name": "t", "type": "datetime"},
    {"name": "b", "type": "boolean"},
    {"name": "o", "type": "object"},
    {"name": "s", "type": "string"},
)
HEADER = b"n,i,d,t,b,o,s\n"


def frame_of(result: TransformResult) -> pl.DataFrame:
    return pl.read_parquet(BytesIO(result.processed))


def test_values_keep_their_types_and_digits() -> None:
    row = b'100.5000,9223372036854775807,2024-02-29,2024-01-01T12:00:00+01:00,true,"{""a"":1}",x\n'
    frame = frame_of(
        run(HEADER + row + b",,,,,,\n1.5e3,-7,,,,,\n", CONTRACT, output_format="parquet")
    )
    assert frame.row(0) == (
        "f",
        1,
        Decimal("100.5"),
        9223372036854775807,
        date(2024, 2, 29),
        datetime(2024, 1, 1, 11, tzinfo=UTC),
        True,
        '{"a":1}',
        "x",
    )
    assert frame["n"].to_list() == [Decimal("100.5"), Decimal(1500)]
    assert frame["_row"].to_list() == [1, 3]


@pytest.mark.parametrize("number", [b"1e20", b"0.0000000000000000001", b"NaN"])
def test_a_number_that_would_lose_digits_is_rejected(number: bytes) -> None:
    result = run(HEADER + number + b",,,,,,x\n1,,,,,,x\n", CONTRACT, output_format="parquet")
    assert result.codes == {1: ["type-error"]}
    assert frame_of(result)["n"].to_list() == [Decimal(1)]


def test_an_integer_beyond_64_bits_is_rejected() -> None:
    result = run(HEADER + b",9223372036854775808,,,,,\n", CONTRACT, output_format="parquet")
    assert result.codes == {1: ["type-error"]}


def test_a_file_without_good_records_is_an_empty_table_of_the_same_columns() -> None:
    frame = frame_of(run(HEADER, CONTRACT, output_format="parquet"))
    assert frame.height == 0
    assert frame.columns == ["_file_id", "_row", "n", "i", "d", "t", "b", "o", "s"]


def test_many_blocks_are_one_file_in_order() -> None:
    rows = b"".join(b"%d,,,,,,x\n" % number for number in range(500))
    frame = frame_of(run(HEADER + rows, CONTRACT, output_format="parquet", block_bytes=64))
    assert frame["n"].to_list() == list(range(500))
    assert frame["_row"].to_list() == list(range(1, 501))


def test_row_groups_are_limited_in_bytes_and_one_file_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = b"".join(b"%d,,,,,,%s\n" % (number, b"x" * number) for number in range(200))
    whole = run(HEADER + rows, CONTRACT, output_format="parquet", block_bytes=500)
    monkeypatch.setattr(parquet, "_GROUP_BYTES", 5000)
    result = run(HEADER + rows, CONTRACT, output_format="parquet", block_bytes=500)

    groups = pq.read_metadata(BytesIO(result.processed))
    sizes = [groups.row_group(number).num_rows for number in range(groups.num_row_groups)]
    assert frame_of(result).equals(frame_of(whole))
    assert pq.read_metadata(BytesIO(whole.processed)).num_row_groups == 1
    assert len(sizes) > 3
    assert sizes[0] > sizes[-2]  # of shorter records


def test_the_metadata_say_which_file_and_execution_wrote_it() -> None:
    result = run(HEADER + b"1,,,,,,x\n", CONTRACT, output_format="parquet")
    metadata = pq.read_metadata(BytesIO(result.processed)).metadata
    assert metadata[b"file_id"] == b"f"
    assert metadata[b"processed_at"] == b"2024-01-01T00:00:00Z"


def test_the_same_records_are_the_same_bytes() -> None:
    content = HEADER + b"1,,,,,,x\n2,3,,,,,y\n" * 100
    first = run(content, CONTRACT, output_format="parquet")
    assert run(content, CONTRACT, output_format="parquet").processed == first.processed


def test_an_error_of_reading_is_raised_under_its_name() -> None:
    content = gzip.compress(HEADER + b"1,,,,,,x\n" * 1000, mtime=0)
    layout = layout_of(content, CONTRACT, "t.csv.gz")
    with pytest.raises(UnreadableFile):
        run(content[:-4], layout=layout, output_format="parquet")


@pytest.mark.parametrize(
    ("format_", "cell", "moment"),
    [
        ("default", b"2024-01-31T15:00:00.1234560Z", datetime(2024, 1, 31, 15, 0, 0, 123456)),
        ("default", b"0001-01-01T00:00:00-14:00", datetime(1, 1, 1, 14)),
        ("%Y-%m-%d %H:%M %z", b"2024-01-31 15:00 +05:30:15", datetime(2024, 1, 31, 9, 29, 45)),
    ],
)
def test_an_unusual_datetime_is_the_same_moment(
    format_: str, cell: bytes, moment: datetime
) -> None:
    contract = contract_of({"name": "t", "type": "datetime", "format": format_}, {"name": "s"})
    result = run(b"t,s\n" + cell + b",x\n", contract, output_format="parquet")
    assert frame_of(result)["t"].to_list() == [moment.replace(tzinfo=UTC)]


MIXED = (
    b"id,at\n1,2026-03-29T02:30:00\n2,2026-03-29T02:30:00+02:00\n"
    b"3,2026-10-25T00:30:00Z\n4,2026-10-25T02:30:00\n"
)


@pytest.mark.parametrize(
    ("settings", "rejected", "zone", "kept"),
    [
        (
            {},
            [1, 4],
            "UTC",
            [datetime(2026, 3, 29, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)],
        ),
        (
            {"pipeline": {"timeZone": "none"}},
            [2, 3],
            None,
            [datetime(2026, 3, 29, 2, 30), datetime(2026, 10, 25, 2, 30)],
        ),
    ],
)
def test_a_column_never_mixes_datetimes_with_and_without_time_zone(
    settings: dict[str, Any], rejected: list[int], zone: str | None, kept: list[datetime]
) -> None:
    contract = contract_of({"name": "id"}, {"name": "at", "type": "datetime", **settings})
    result = run(MIXED, contract, output_format="parquet")
    schema = pq.read_schema(BytesIO(result.processed))
    assert result.codes == {row: ["type-error"] for row in rejected}
    assert schema.field("at").type.tz == zone
    assert frame_of(result)["at"].to_list() == kept


def test_the_fault_says_which_datetimes_the_column_has() -> None:
    contract = contract_of({"name": "id"}, {"name": "at", "type": "datetime"})
    row = b"5,2026-03-29T02:30:00.1234567Z\n6,2026-03-29T02:30:00.1234567\n"
    result = run(MIXED + row, contract, output_format="parquet")
    messages = [reject["errors"][0]["message"] for reject in result.rejects]
    zone = 'in Parquet a datetime of this field has a time zone, unless "timeZone" is "none"'
    assert [reject["row"] for reject in result.rejects] == [1, 4, 5, 6]
    assert messages[:2] == [zone, zone]
    assert "six digits after the second's point" in messages[2]
    assert messages[3] == zone
    assert run(MIXED, contract).codes == {}


@pytest.mark.parametrize(
    "cell",
    [
        b"2024-01-31T15:00:00.1234567Z",
        b"0001-01-01T00:00:00+14:00",
        b"9999-12-31T23:00:00-14:00",
    ],
)
def test_a_datetime_that_its_column_cannot_represent_is_rejected(cell: bytes) -> None:
    result = run(HEADER + b",,," + cell + b",,,\n", CONTRACT, output_format="parquet")
    assert result.codes == {1: ["type-error"]}
    assert frame_of(result).height == 0


def test_a_column_named_as_one_of_parquets_own_is_refused() -> None:
    with pytest.raises(HeaderMismatch, match="Column 2 of the output would have the name '_row'"):
        run(b"a,_row\n1,2\n", output_format="parquet")
