"""In every dialect, at most records with its special characters are read one by one.

The cells would be the same, only many times later.
"""

from __future__ import annotations

from typing import Any

import pytest

from tabular.reading.records import Records
from tests.unit.tabular.engine import contract_of, run

NAMES = ("id", "text", "note")
CELLS = ("1", "a b", "")


@pytest.mark.parametrize(
    ("dialect", "rows", "one_by_one"),
    [
        ({"skipInitialSpace": True}, ["1, a b,", "  1,a b,", "1,   a b,"], 0),
        ({"skipInitialSpace": True}, ['1, "a b",', ' "1",   "a b", ""'], 0),
        ({"delimiter": "¦"}, ["1¦a b¦", '1¦"a b"¦'], 1),
        ({"delimiter": "¦", "quoteChar": ""}, ["1¦a b¦"], 0),
        ({"quoteChar": "'"}, ["1,a b,", "1,'a b',"], 0),
        ({"doubleQuote": False}, ["1,a b,", '1,"a b",'], 0),
        ({"escapeChar": "\\"}, ["1,a b,", "1,a\\ b,", '"1","a b",""'], 0),
        ({"escapeChar": "\\", "skipInitialSpace": True}, ["1, a b,", " 1,a\\ b,"], 1),
    ],
)
def test_at_most_records_with_special_characters_are_read_one_by_one(
    monkeypatch: pytest.MonkeyPatch, dialect: dict[str, Any], rows: list[str], one_by_one: int
) -> None:
    dialect = {"delimiter": ",", **dialect}
    read: list[int] = []
    slowly = Records._read_slowly

    def counted(records: Records, indexes: Any) -> Any:
        read.append(len(indexes))
        return slowly(records, indexes)

    monkeypatch.setattr(Records, "_read_slowly", counted)
    content = "\n".join([str(dialect["delimiter"]).join(NAMES), *rows * 3]) + "\n"
    contract = contract_of(*({"name": name} for name in NAMES), dialect=dialect, missingValues=[])
    result = run(content.encode(), contract)
    assert result.part.error_count == 0
    assert [tuple(data.values()) for data in result.data] == [CELLS] * len(rows) * 3
    assert sum(read) == 3 * one_by_one


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        (", a, b", ("", "a", "b")),
        (' , "a", ', ("", "a", "")),
        ('"", "a, ""b"" , c", b', ("", 'a, "b" , c', "b")),
        ('"a, ",  " b ","c"', ("a, ", " b ", "c")),
        ('a , "b", c ', ("a ", "b", "c ")),
        ('  "a""", """", " , "', ('a"', '"', " , ")),
    ],
)
def test_spaces_before_cells_are_no_part_of_them(row: str, cells: tuple[str, ...]) -> None:
    dialect = {"delimiter": ",", "skipInitialSpace": True}
    contract = contract_of(*({"name": name} for name in NAMES), dialect=dialect, missingValues=[])
    result = run(f"id,text,note\n{row}\n".encode(), contract)
    assert [tuple(data.values()) for data in result.data] == [cells]
