"""The limits of what one function can do before its timeout, and the messages beyond them."""

from __future__ import annotations

import gzip
import io
import zipfile
from dataclasses import replace
from typing import Any

import pytest

from parse_csv.split_limits import (
    Density,
    check_splits,
    fitting_bytes,
    head_density,
    one_split_limit,
    split_bytes,
    whole_density,
    why_one_split,
)
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


def wide_layout(field: dict[str, Any], columns: int) -> Layout:
    fields = [{"name": f"c{number}", **field} for number in range(columns)]
    contract = {"name": "a", "path": "a.csv", "schema": {"fields": fields}}
    content = (",".join(str(field["name"]) for field in fields) + "\n").encode()
    terms = parse_contract(contract | {"dialect": {"delimiter": ","}})
    return read_layout(content, size=len(content), name="a.csv", contract=terms)


def zipped(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def test_the_limit_follows_from_the_measured_time_and_the_timeout() -> None:
    assert one_split_limit(layout_of(1), 900) == pytest.approx(3.6 * GB)
    assert one_split_limit(layout_of(1), 300) == pytest.approx(1.2 * GB)


def test_the_time_of_very_short_lines_depends_on_their_number() -> None:
    layout = layout_of(1)
    assert head_density(b"a\n\n\r\n", layout) == pytest.approx((3 / 5, 3 / 5))
    assert one_split_limit(layout, 900, Density(0.01, 0.02)) == one_split_limit(layout, 900)
    assert one_split_limit(layout, 900, Density(1, 0)) == pytest.approx(0.45 * GB)


def test_records_with_an_escape_character_are_read_one_by_one() -> None:
    plain = layout_of(1)
    escaped = replace(plain, dialect=replace(plain.dialect, escape_char="\\"))
    density = Density(1 / 25, 2 / 25)
    assert one_split_limit(plain, 900, density) == one_split_limit(plain, 900)
    assert one_split_limit(escaped, 900, density) == pytest.approx(0.28 * GB, rel=0.01)


def test_a_compressed_head_is_expanded_to_find_its_lines_and_cells() -> None:
    content = b"id,mail\n" + b"1,a\n" * 5000
    name_and_stored = {
        "a.csv.gz": gzip.compress(content, mtime=0),
        "a.zip": zipped("a.csv", content),
    }
    for name, stored in name_and_stored.items():
        layout = read_layout(stored, size=len(stored), name=name, contract=None)
        assert head_density(stored[:-20], layout) == pytest.approx((0.25, 0.5), rel=0.01)
        assert head_density(stored[:8] + b"x" * 99, layout) == (0, 0)


@pytest.mark.parametrize(
    ("field", "columns", "line_bytes", "megabytes_a_second"),
    [
        # As measured, with every cell wrong; the limits may allow for less, but not for more.
        ({"type": "boolean"}, 100, 689, 10.3),
        ({"type": "boolean"}, 500, 1000, 3.0),
        ({"type": "boolean"}, 2_000, 4_000, 1.6),
        ({"type": "boolean"}, 2_000, 13_779, 3.1),
        ({"type": "number", "groupChar": " "}, 3, 24, 1.4),
        ({"type": "datetime", "format": "%d.%m.%Y %H:%M"}, 3, 24, 1.0),
        ({"type": "object"}, 3, 27, 1.0),
    ],
)
def test_the_limit_is_half_of_what_wide_and_slow_files_take_if_every_cell_is_wrong(
    field: dict[str, Any], columns: int, line_bytes: int, megabytes_a_second: float
) -> None:
    layout = wide_layout(field, columns)
    limit = one_split_limit(layout, 900, Density(1 / line_bytes, columns / line_bytes))
    possible = 900 * megabytes_a_second * 1e6
    assert 0.2 * possible < limit < 0.6 * possible


def test_the_limit_of_lines_that_lack_cells_depends_on_how_many() -> None:
    layout = wide_layout({"type": "string"}, 2_000)
    limit = one_split_limit(layout, 900, Density(1 / 2, 1 / 2))
    assert limit < 900 * 2_700 / 2  # bytes a second, measured


def test_files_that_can_be_cut_get_splits_that_one_function_can_process() -> None:
    layout, wanted = wide_layout({"type": "boolean"}, 2_000), 256 * 1024 * 1024
    wide = Density(1 / 4_000, 1 / 2)
    assert split_bytes(layout, 900, wide, wanted) == one_split_limit(layout, 900, wide) // 2
    assert split_bytes(layout_of(1), 900, Density(0.01, 0.02), wanted) == wanted
    assert split_bytes(layout, 900, Density(1, 1), wanted) == 1024 * 1024
    assert split_bytes(layout, 900, Density(1, 1), 1000) == 1000


def test_a_wide_file_that_is_too_large_says_what_makes_it_slow() -> None:
    layout = replace(wide_layout({"type": "boolean"}, 2_000), size=2 * GB)
    density = Density(1 / 4_000, 1 / 2)
    with pytest.raises(FileTooLarge) as raised:
        check_splits([Split.whole(layout)], layout, 900, "a compressed file", density)
    assert str(raised.value) == (
        "The file has 2,000,000,000 bytes, and a compressed file can only be transformed as one"
        " split, of at most 300,000,000 bytes, the limit of the Transform function's 900 seconds"
        " for 2,000 columns in lines of 4,000 bytes. Upload the data in smaller files."
    )


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


def test_splits_of_text_with_many_lines_are_smaller() -> None:
    layout, wanted = layout_of(20 * GB), 256 * 1024 * 1024
    assert fitting_bytes(b"12,a@b.c\n" * 9, layout, 900, wanted=wanted) == wanted
    few = fitting_bytes(b"\n" * 99, layout, 900, wanted=wanted)
    assert few == one_split_limit(layout, 900, Density(1, 1)) // 2


def never_read(_start: int, _length: int) -> bytes:
    pytest.fail("Nothing is read.")


def test_samples_of_a_large_file_in_one_split_show_what_its_head_does_not() -> None:
    layout = layout_of(100_000_000, unique=True)
    reads: list[int] = []

    def read_range(start: int, length: int) -> bytes:
        reads.append(start)
        return b"1,a\n" * (length // 4)

    head = Density(1 / 100, 2 / 100)
    assert whole_density(head, layout, read_range) == pytest.approx((1 / 4, 2 / 4))
    assert reads == [12_500_000 * number for number in range(1, 8)]
    assert whole_density(Density(1 / 2, 1), layout, read_range) == (1 / 2, 1)


def test_of_small_and_compressed_files_only_the_head_is_known() -> None:
    head, small = Density(1 / 100, 2 / 100), layout_of(64 * 1024 * 1024)
    assert whole_density(head, small, never_read) == head
    compressed = replace(layout_of(GB), compression="gzip")
    assert whole_density(head, compressed, never_read) == head
