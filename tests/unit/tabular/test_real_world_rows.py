"""Unintended rows of real files: rows without content, repeated headers, end-of-file marks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tabular.encoding import Encoding
from tabular.errors import EmptyFile, HeaderMismatch
from tabular.reading.end_mark import MOST_PADDING, without_end_marks
from tabular.reading.measure import measure
from tabular.reading.split import Split
from tests.unit.tabular.engine import contract_of, inferred, layout_of, run

if TYPE_CHECKING:
    from tabular.model import Contract

ID = {"name": "id", "type": "integer"}
NAME = {"name": "name"}
TYPED = contract_of(ID, NAME)


def in_splits(content: bytes, contract: Contract | None, at: int) -> Any:
    """The records of a file that is cut at a byte, each split measured and transformed."""
    layout = layout_of(content, contract)
    splits = [Split(0, layout.data_start, at, 1, layout.data_line), Split(1, at, None)]
    counts = [measure([content[split.start :]], layout, split).record_count for split in splits]
    parts = [run(content, layout=layout, split=split, chunk=3).part for split in splits]
    assert [part.record_count for part in parts] == counts
    return counts


@pytest.mark.parametrize("ghost", [b",,", b",", b"", b'"",,', b" , ,\t", b",,,,,", b"\xc2\xa0,,"])
def test_without_a_contract_rows_of_white_space_are_not_records(ghost: bytes) -> None:
    content = b"id,name,qty\n1,a,2\n" + (ghost + b"\n") * 3 + b"2,b,3\n" + ghost
    result = run(content)
    assert [data["id"] for data in result.data] == ["1", "2"]
    assert result.rejects == []
    layout = layout_of(content)
    assert measure([content[layout.data_start :]], layout, Split.whole(layout)).record_count == 2


@pytest.mark.parametrize("row", [b'"""",,', b'",",,', b'",,', b"x,,"])
def test_rows_that_only_look_empty_are_records(row: bytes) -> None:
    assert run(b"id,name,qty\n1,a,2\n" + row + b"\n").part.record_count == 2


@pytest.mark.parametrize("contract", [None, TYPED, contract_of(NAME, {"name": "id"})])
def test_a_repeated_header_is_rejected_only_for_being_one(contract: Contract | None) -> None:
    first, second = (
        ("name", "id")
        if contract and contract.fields[0].name == "name"
        else (
            "id",
            "name",
        )
    )
    header = f"{first},{second}\n".encode()
    content = header + b"1,2\n" + header + b"\xef\xbb\xbf" + header + b"3,4\n\x1a" + header
    result = run(content, contract)
    assert result.codes == {2: ["repeated-header"], 3: ["repeated-header"], 5: ["repeated-header"]}
    assert result.rows == [1, 4]
    assert result.rejects[0]["errors"][0]["message"] == "the row repeats the header"
    assert result.rejects[0]["raw"] == header.decode().strip()


def test_a_repeated_header_is_not_a_key() -> None:
    contract = contract_of(NAME, {"name": "city"}, primaryKey="name")
    result = run(b"name,city\nname,city\nname,x\nname,city\n", contract)
    assert result.codes == {1: ["repeated-header"], 3: ["repeated-header"]}
    assert result.rows == [2]


def test_a_value_that_is_a_columns_name_is_a_value() -> None:
    assert run(b"word\nword\nother\n").data == [{"word": "word"}, {"word": "other"}]
    assert run(b"id,name\nid,x\n1,name\n").part.error_count == 0
    headerless = contract_of(NAME, {"name": "id"}, dialect={"header": False})
    assert run(b"name,id\nx,1\n", headerless).part.error_count == 0


def test_infer_ignores_a_repeated_header() -> None:
    content = b"id,n\n1,2\nid,n\n3,4\n"
    inference = inferred(content)
    assert [field["type"] for field in inference.document["schema"]["fields"]] == ["integer"] * 2
    assert [(fault.code, fault.line) for fault in inference.failures] == [("repeated-header", 3)]


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b"\x1a"),
        ("utf-8", b"\x1a" * 127),
        ("cp1252", b"\x1a"),
        ("shift_jis", b"\x1a"),
        ("utf-16-le", b"\x1a\x00"),
        ("utf-16-le", b"\x1a"),
        ("utf-16-be", b"\x00\x1a"),
        ("utf-32-le", b"\x1a"),
        ("utf-32-be", b"\x00\x00\x00\x1a\x00\x00\x00\x1a"),
    ],
)
@pytest.mark.parametrize("end", ["\n", ""])
@pytest.mark.parametrize("chunk", [1, 7, None])
def test_the_end_mark_of_dos_is_not_text(
    encoding: str, mark: bytes, end: str, chunk: int | None
) -> None:
    content = f"code,n\r\nA1,1\r\nA2,2{end}".encode(encoding) + mark
    contract = contract_of({"name": "code"}, {"name": "n", "type": "integer"}, encoding=encoding)
    result = run(content, contract, chunk=chunk)
    assert [data["code"] for data in result.data] == ["A1", "A2"]
    assert result.rejects == []


def test_the_end_mark_is_not_a_record_in_any_dialect() -> None:
    assert run(b"code\nA1\nA2\n\x1a").data == [{"code": "A1"}, {"code": "A2"}]
    headerless = contract_of(ID, NAME, dialect={"header": False}, pipeline={"maxRejectCount": 0})
    assert run(b'36,"X, S.A."\r\n173,"Y"\r\n\x1a', headerless).part.error_count == 0
    with pytest.raises(EmptyFile):
        layout_of(b"\x1a")


def test_the_end_mark_is_not_a_record_in_splits() -> None:
    content = b"id,name\n1,a\n2,b\n3,c\n\x1a\x1a"
    for at in (content.index(b"2,"), content.index(b"\x1a"), len(content) - 1):
        if at < len(content) - 1:
            assert sum(in_splits(content, TYPED, at)) == 3


def test_the_byte_is_data_where_the_file_does_not_end() -> None:
    assert run(b"a,b\nx\x1a,1\n\x1a,2\n").part.record_count == 2
    assert run(b"a,b\n1,\x1a\n").data == [{"a": "1", "b": "\x1a"}]
    long = b"\x1a" * (MOST_PADDING + 1)
    assert b"".join(without_end_marks([long[:5], long[5:]], Encoding("utf-8"))) == long
    wide = "a\u1a00".encode("utf-16-le")
    assert b"".join(without_end_marks([wide], Encoding("utf-16-le"))) == wide


@pytest.mark.parametrize(
    "descriptor",
    [
        {"missingValues": ["\\N"], "dialect": {"escapeChar": "\\", "doubleQuote": False}},
        {"dialect": {"escapeChar": "\\", "doubleQuote": False, "nullSequence": "\\N"}},
    ],
)
def test_the_null_of_mysql_is_null_and_an_n_is_an_n(descriptor: dict[str, Any]) -> None:
    contract = contract_of(ID, {"name": "nick"}, {"name": "n", "type": "integer"}, **descriptor)
    content = (
        b'id,nick,n\n1,"Foo \\"Bar\\"",\\N\n2,\\N,5\n3,N,6\n4,"a\\\\b",7\n5,"\\N",8\n\\N,x\\,y,9\n'
    )
    result = run(content, contract)
    assert [(data["nick"], data["n"]) for data in result.data] == [
        ('Foo "Bar"', None),
        (None, 5),
        ("N", 6),
        ("a\\b", 7),
        ("N", 8),
        ("x,y", 9),
    ]
    assert result.data[5]["id"] is None


@pytest.mark.parametrize("contract", [None, TYPED])
def test_a_nameless_last_column_is_ignored_and_its_content_is_an_extra_cell(
    contract: Contract | None,
) -> None:
    content = b'id,name,\n1,a,\n2,b\n3,c,""\n4,d,x\n5,e,,\n6\n"7,",f,\n'
    result = run(content, contract)

    assert result.layout.labels == ("id", "name")
    assert [str(data["id"]) for data in result.data] == ["1", "2", "3"] + ["7,"] * (not contract)
    codes = {4: ["extra-cell"], 5: ["extra-cell"] * 2, 6: ["missing-cell"]}
    assert result.codes == codes | ({7: ["type-error"]} if contract else {})
    assert result.rejects[0]["errors"][0]["value"] == "x"


def test_a_file_whose_lines_end_with_a_delimiter_can_be_cut_anywhere() -> None:
    content = b"id,name,\n" + b"".join(b"%d,n%d,\n" % (n, n) for n in range(200))
    at = content.index(b"150,n150")

    assert in_splits(content, TYPED, at) == [150, 50]


def test_only_the_last_name_may_be_blank() -> None:
    for header in (b"id,,", b",id", b"id,,name"):
        with pytest.raises(HeaderMismatch, match="blank in column"):
            layout_of(header + b"\n1,2,3\n", contract_of(ID, NAME))
