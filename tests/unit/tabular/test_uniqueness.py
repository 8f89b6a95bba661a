"""Repeated keys are found in any notation of the values and any blocks."""

from __future__ import annotations

import errno
import os
import tempfile
from typing import Any, NoReturn

import pytest

from tabular.errors import FileTooLarge
from tests.unit.tabular.engine import contract_of, run

INTEGER = {"name": "id", "type": "integer"}


@pytest.mark.parametrize("block_bytes", [1, 8_000_000])
def test_a_unique_value_that_occurs_again_rejects_the_later_row(block_bytes: int) -> None:
    contract = contract_of({**INTEGER, "constraints": {"unique": True}})
    result = run(b"id\n1\n2\n1\n3\n01\n", contract, block_bytes=block_bytes)
    assert result.codes == {3: ["unique-error"], 5: ["unique-error"]}
    assert result.rejects[0]["errors"][0]["message"] == (
        'constraint "unique" is true, and row 1 has the same'
    )
    assert [data["id"] for data in result.data] == [1, 2, 3]


def test_nulls_are_not_compared() -> None:
    contract = contract_of(INTEGER, {"name": "x"}, uniqueKeys=[["id", "x"]])
    assert run(b"id,x\n,a\n,a\n1,b\n1,b\n", contract).codes == {4: ["unique-error"]}


def test_a_primary_key_of_two_fields_is_compared_as_a_whole() -> None:
    contract = contract_of({"name": "a"}, {"name": "b"}, primaryKey=["a", "b"])
    result = run(b"a,b\nx,yz\nxy,z\nx,yz\n", contract)
    assert result.codes == {3: ["primary-key"]}


def test_a_primary_key_of_one_field_is_named_in_the_fault() -> None:
    result = run(b"id\n7\n7\n", contract_of(INTEGER, primaryKey="id"))
    (fault,) = result.rejects[0]["errors"]
    assert (fault["field"], fault["code"], fault["value"]) == ("id", "primary-key", "7")


def test_a_key_is_taken_also_by_a_row_that_is_rejected_for_another_reason() -> None:
    contract = contract_of(
        {**INTEGER, "constraints": {"unique": True}}, {"name": "n", "type": "number"}
    )
    result = run(b"id,n\n1,x\n1,2\n", contract)
    assert result.codes == {1: ["type-error"], 2: ["unique-error"]}


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        ("number", b"1.50", b"1.5"),
        ("number", b"100", b"1e2"),
        ("number", b"0", b"-0.0"),
        ("datetime", b"2024-01-01T12:00:00Z", b"2024-01-01T13:00:00+01:00"),
        ("object", b'"{""a"":1,""b"":2}"', b'"{""b"":2,""a"":1}"'),
        ("boolean", b"true", b"1"),
        ("list", b'"a,b"', b'"a,b"'),
        ("geopoint", b'"1, 2"', b'"1,2"'),
    ],
)
def test_equal_values_are_equal_however_they_are_written(
    kind: str, first: bytes, second: bytes
) -> None:
    contract = contract_of({"name": "v", "type": kind, "constraints": {"unique": True}})
    assert run(b"v\n%b\n%b\n" % (first, second), contract).codes == {2: ["unique-error"]}


def test_more_keys_than_fit_into_one_table_are_all_remembered() -> None:
    contract = contract_of({**INTEGER, "constraints": {"unique": True}})
    numbers = b"".join(b"%d\n" % number for number in range(60_000)) * 2
    result = run(b"id\n" + numbers, contract)
    assert result.part.processed_count == 60_000
    assert result.part.error_count == 60_000
    assert result.rejects[-1]["row"] == 120_000


def test_keys_for_which_the_disk_has_no_space_fail_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_arguments: Any, **_options: Any) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    contract = contract_of({**INTEGER, "constraints": {"unique": True}})
    with pytest.raises(FileTooLarge, match="16 bytes more in the folder for temporary files"):
        run(b"id\n1\n", contract)
