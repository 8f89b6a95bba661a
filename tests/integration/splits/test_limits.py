"""The limits of what one function can do before its timeout, and the messages beyond them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from parse_csv.split_limits import bytes_a_line, check_splits, one_split_limit, why_one_split
from tabular.contract.descriptor import parse_contract
from tabular.errors import FileTooLarge
from tabular.reading.layout import Layout, read_layout
from tabular.reading.split import Split

FIELDS = [{"name": "id", "type": "integer"}, {"name": "mail", "type": "string"}]
GB = 1_000_000_000


def layout_of(size: int, *, unique: bool = False, **schema: Any) -> Layout:
    fields = [FIELDS[0], {**FIELDS[1], "constraints": {"unique": unique}}]
    contract = {"name": "a", "path": "a.csv", "schema": {"fields": fields, **schema}}
    layout = read_layout(
        b"id,mail\n1,a\n", size=12, name="a.csv", contract=parse_contract(contract)
    )
    return replace(layout, size=size)


def test_the_limit_follows_from_the_measured_time_and_the_timeout() -> None:
    assert one_split_limit(layout_of(1), 900) == pytest.approx(3.6 * GB)
    assert one_split_limit(layout_of(1), 300) == pytest.approx(1.2 * GB)


def test_the_time_of_very_short_lines_depends_on_their_number() -> None:
    layout = layout_of(1)
    assert bytes_a_line(b"a\n\n\r\n", layout) == pytest.approx(5 / 3)
    assert one_split_limit(layout, 900, line_bytes=100) == one_split_limit(layout, 900)
    assert one_split_limit(layout, 900, line_bytes=1) == pytest.approx(0.45 * GB)
    assert bytes_a_line(b"a\n\n", replace(layout, compression="gzip")) == float("inf")


def test_each_unique_key_takes_its_share_of_the_time() -> None:
    plain = one_split_limit(layout_of(1), 900)
    one = one_split_limit(layout_of(1, unique=True), 900)
    three = one_split_limit(
        layout_of(1, unique=True, primaryKey=["id"], uniqueKeys=[["id", "mail"]]), 900
    )

    assert plain / one == pytest.approx(1 + 8 / 16)
    assert plain / three == pytest.approx(1 + 3 * 8 / 16)


def test_a_file_that_must_be_one_split_and_is_too_large_says_why_and_what_to_do() -> None:
    layout = layout_of(6 * GB, unique=True)

    with pytest.raises(FileTooLarge) as raised:
        check_splits([Split.whole(layout)], layout, 900, why_one_split(layout))

    assert str(raised.value) == (
        "The file has 6,000,000,000 bytes, and a contract with unique fields or keys compares all"
        " records, so the file can only be transformed as one split, of at most 2,400,000,000"
        " bytes, the limit of the Transform function's 900 seconds."
        " Upload the data in smaller files."
    )


def test_a_split_that_grew_too_large_is_reported_with_its_place() -> None:
    layout = layout_of(20 * GB)
    splits = [Split(0, 8, GB), Split(1, GB, 19 * GB), Split(2, 19 * GB, None)]

    with pytest.raises(FileTooLarge, match="between the bytes 1,000,000,000 and 19,000,000,000"):
        check_splits(splits, layout, 900, why_one_split(layout))


def test_a_file_within_the_limit_passes() -> None:
    layout = layout_of(2 * GB, unique=True)

    check_splits([Split.whole(layout)], layout, 900, why_one_split(layout))
