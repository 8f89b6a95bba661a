"""The transform of one split: the outcome of its records, for every kind of file."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from tabular.contract.descriptor import parse_contract
from tabular.errors import FileTooLarge, HeaderMismatch, TabularError, UnreadableFile
from tabular.reading import compression
from tabular.reading.compression import gunzip
from tabular.reading.grammar import MAX_RECORD_BYTES
from tabular.reading.measure import measure
from tabular.reading.split import Split
from tabular.transform import Progress
from tests.unit.tabular.engine import contract_of, layout_of, run

NAME = {"name": "name", "type": "string"}
AGE = {"name": "age", "type": "integer", "constraints": {"minimum": 0}}
PEOPLE = contract_of(NAME, AGE)


def test_without_a_contract_the_plain_rules_apply() -> None:
    result = run(b"Customer Name ,Amount\n  Ann ,100.50\n\nBob,\nCy,x\n")
    assert result.processed.splitlines()[0] == (
        b'{"id":"f-1","original_row":1,"data":{"customer_name":"Ann","amount":100.50},'
        b'"processed_at":"2024-01-01T00:00:00Z"}'
    )
    assert result.data[1] == {"customer_name": "Bob", "amount": None}
    assert result.rejects == [
        {
            "row": 3,
            "line": 5,
            "byte_offset": 42,
            "errors": [
                {
                    "field": "Amount",
                    "code": "type-error",
                    "rule": "type",
                    "message": "expected a number",
                    "value": "x",
                }
            ],
            "raw": "Cy,x",
        }
    ]


@pytest.mark.parametrize(
    ("row", "codes"),
    [
        (b"x", ["missing-cell"]),
        (b"x,1,2", ["extra-cell"]),
        (b"x,1.5", ["type-error"]),
        (b"x,-1", ["constraint-error"]),
        (b"x,-1,y,z", ["constraint-error", "extra-cell", "extra-cell"]),
        (b'x"y,1', ["source-error"]),
        (b'"x,1', ["source-error"]),
        (b'"x"y,1', ["source-error"]),
        (b"\xff,1", ["encoding-error"]),
        (b"\xff,1.5", ["encoding-error", "type-error"]),
        (b"x\0,1", ["source-error"]),
        (b"", ["blank-row"]),
        (b",", ["blank-row"]),
        (b"x" * (MAX_RECORD_BYTES + 1) + b",1", ["source-error"]),
    ],
)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_row_with_a_fault_rejects_only_that_row(
    row: bytes, codes: list[str], line_end: bytes
) -> None:
    content = line_end.join([b"name,age", b'"a ""b""",1', row, b'"two\nlines",3', b"last,4"])
    result = run(content, PEOPLE)
    assert result.codes == {2: codes}
    assert result.rows == [1, 3, 4]
    assert result.rejects[0]["line"] == 3
    assert result.rejects[0]["byte_offset"] == content.index(line_end + row + line_end, 12) + len(
        line_end
    )


def test_an_unclosed_quote_before_a_blank_line_rejects_only_its_line() -> None:
    result = run(b'name,age\n"open,1\n\nx,2\n', PEOPLE)
    assert result.codes == {1: ["source-error"], 2: ["blank-row"]}
    assert result.rows == [3]


@pytest.mark.parametrize(
    ("skip", "codes"), [(True, {}), (False, {1: ["blank-row"], 3: ["blank-row"]})]
)
def test_blank_rows_follow_the_dialect(skip: bool, codes: dict[int, list[str]]) -> None:
    contract = contract_of(NAME, AGE, dialect={"skipBlankRows": skip})
    result = run(b'name,age\n\nx,1\n"",\ny,2\n', contract)
    assert result.codes == codes
    assert [data["name"] for data in result.data] == ["x", "y"]


@pytest.mark.parametrize(
    ("encoding", "mark", "row", "advice"),
    [
        ("utf-8", b"", "Jürgen".encode("cp1252"), ', such as "encoding": "cp1252"'),
        ("cp1252", b"", "Jürgen".encode("cp850"), ', such as "encoding": "cp850"'),
        ("utf-8", b"\xef\xbb\xbf", "Jürgen".encode("cp1252"), "not valid utf-8"),
    ],
)
def test_the_fault_of_an_undecodable_row_suggests_another_encoding(
    encoding: str, mark: bytes, row: bytes, advice: str
) -> None:
    contract = contract_of(NAME, AGE, encoding=encoding)
    (reject,) = run(mark + b"name,age\n" + row + b",1\n", contract).rejects
    assert reject["errors"][0]["message"].endswith(advice)


def test_comments_are_not_records() -> None:
    contract = contract_of(NAME, AGE, dialect={"commentChar": "#", "commentRows": [5]})
    result = run(b"name,age\n#no\nx,1\n# no,3\nnot this\ny,\xff\n", contract)
    assert result.rows == [1]
    assert result.rejects[0]["row"] == 2
    assert result.rejects[0]["line"] == 6


def test_a_comment_is_one_line_even_if_it_opens_a_quote() -> None:
    contract = contract_of(NAME, AGE, dialect={"commentChar": "#"})
    result = run(b'name,age\n#see,"x\na,1\n#y"\nb,2\n', contract)
    assert result.data == [{"name": "a", "age": 1}, {"name": "b", "age": 2}]


def test_a_row_of_spaces_that_are_dropped_is_blank() -> None:
    dialect = {"skipInitialSpace": True, "skipBlankRows": True}
    body = b"name\n \nx\n"
    contract = contract_of(NAME, missingValues=[], dialect=dialect)
    assert run(body, contract).data == [{"name": "x"}]
    layout = layout_of(body, contract)
    split = Split.whole(layout)
    assert measure([body[split.start :]], layout, split).record_count == 1


@pytest.mark.parametrize("pattern", ["[A-z]+", "[0-z]+", "[ -z]+"])
@pytest.mark.parametrize("text", ["a\\b", 'a"b'])
def test_text_that_a_range_of_characters_matches_is_escaped(pattern: str, text: str) -> None:
    contract = contract_of({**NAME, "constraints": {"pattern": pattern}}, AGE)
    quoted = text.replace('"', '""')
    result = run(f'name,age\n"{quoted}",1\n'.encode(), contract)
    assert [record["name"] for record in result.data] == [text] * result.part.processed_count


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
@pytest.mark.parametrize("block_bytes", [1, 40, 8_000_000])
def test_the_encoding_changes_nothing_but_offsets(encoding: str, block_bytes: int) -> None:
    text = 'name,age\r\n"Zoë\r\n""Z""",1\r\nÄ,x\r\nÉ,2\r\n'
    contract = contract_of(NAME, AGE, encoding="cp1252" if encoding == "cp1252" else "utf-8")
    content = text.encode(encoding)
    result = run(content, contract, block_bytes=block_bytes, chunk=7)
    assert result.data == [{"name": 'Zoë\r\n"Z"', "age": 1}, {"name": "É", "age": 2}]
    (reject,) = result.rejects
    assert (reject["row"], reject["line"], reject["raw"]) == (2, 4, "Ä,x")
    assert reject["byte_offset"] == len(text[: text.index("Ä")].encode(encoding))
    assert result.corrections.decode().endswith("2,age: expected an integer,Ä,x,\r\n")


def test_a_letter_whose_second_byte_looks_like_a_delimiter_stays_a_letter() -> None:
    text = "name|age\nソ表|1\nポ|x\n"  # in Shift JIS their second bytes are backslashes and bars
    contract = contract_of(NAME, AGE, encoding="shift_jis", dialect={"delimiter": "|"})
    result = run(text.encode("shift_jis"), contract)
    assert result.data == [{"name": "ソ表", "age": 1}]
    assert result.corrections.decode().endswith("2,age: expected an integer,ポ,x,\r\n")


@pytest.mark.parametrize("encoding", ["utf-16-le", "shift_jis", "cp1252"])
def test_undecodable_bytes_reject_only_their_row_in_any_encoding(encoding: str) -> None:
    bad = {"utf-16-le": b"\x00\xd8", "shift_jis": b"\x81", "cp1252": b"\x81"}[encoding]
    lines = ["name,age\n", "x,1\n", "y", "\nz,3\n"]
    first, second, third, last = (line.encode(encoding) for line in lines)
    result = run(first + second + third + bad + last, contract_of(NAME, AGE, encoding=encoding))
    assert result.codes == {2: ["encoding-error", "missing-cell"]}
    assert result.rows == [1, 3]


@pytest.mark.parametrize(
    ("dialect", "content"),
    [
        ({"delimiter": ";"}, b'name;age\n"a;""b""\n";1\n'),
        ({"quoteChar": "'"}, b"name,age\n'a;\"b\"\n',1\n"),
        ({"escapeChar": "\\", "doubleQuote": False}, b'name,age\n"a;\\"b\\"\n",1\n'),
        ({"skipInitialSpace": True}, b'name, age\n "a;""b""\n", 1\n'),
        ({"delimiter": "\u00a7"}, 'name\u00a7age\n"a;""b""\n"\u00a71\n'.encode()),
    ],
)
def test_dialects_read_the_same_table(dialect: dict[str, Any], content: bytes) -> None:
    result = run(content, contract_of(NAME, AGE, dialect=dialect))
    assert result.data == [{"name": 'a;"b"\n', "age": 1}]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("quote", ['"', None])
@pytest.mark.parametrize("block_bytes", [1, 2, 5, 8, 8_000_000])
def test_an_escaped_line_end_is_part_of_its_cell(
    line_end: str, quote: str | None, block_bytes: int
) -> None:
    dialect = {"escapeChar": "\\", "quoteChar": quote}
    rows = ["name,age", f"a\\{line_end}b,1", f"c\\,{line_end}d,2", f"e\\{line_end},3", "f,4", ""]
    content = line_end.join(rows).encode()
    result = run(content, contract_of(NAME, AGE, dialect=dialect), block_bytes=block_bytes)
    names = [data["name"] for data in result.data]
    assert names == [f"a{line_end}b", "d", f"e{line_end}", "f"]
    assert result.codes == {2: ["missing-cell"]}
    assert result.part.line_count == content.count(line_end.encode()) - 1


def test_without_a_quote_character_quotes_are_letters() -> None:
    contract = contract_of(NAME, AGE, dialect={"quoteChar": None})
    assert run(b'name,age\n"a,1\n', contract).data == [{"name": '"a', "age": 1}]


@pytest.mark.parametrize("members", [1, 3])
def test_gzip_changes_nothing(members: int) -> None:
    content = b"name,age\n" + b"x,1\nbad\n" * 100
    size = len(content) // members + 1
    packed = b"".join(gzip.compress(content[i : i + size]) for i in range(0, len(content), size))
    plain, zipped = run(content, PEOPLE), run(packed, PEOPLE, name="x.csv.gz", chunk=10)
    assert zipped.outputs == plain.outputs


def test_damaged_gzip_is_unreadable() -> None:
    packed = gzip.compress(b"name,age\n" + b"x,1\n" * 1000)
    layout = layout_of(packed, PEOPLE, "x.csv.gz")
    for damaged in (packed[:-1], packed[:40], packed[:-8] + b"\0" * 8, packed + b"garbage"):
        with pytest.raises(UnreadableFile):
            run(damaged, layout=layout)


def test_gzip_that_expands_too_far_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "RATIO_FREE_BYTES", 1000)
    bomb = gzip.compress(b"0" * 10_000_000)
    with pytest.raises(FileTooLarge):
        list(gunzip([bomb]))
    with pytest.raises(FileTooLarge):
        list(gunzip([gzip.compress(b"01" * 600)], max_bytes=1000))


def test_zeros_after_gzip_data_are_padding() -> None:
    assert b"".join(gunzip([gzip.compress(b"x"), b"\0" * 10])) == b"x"


def test_formulas_in_texts_are_neutralised_only_where_the_contract_says_so() -> None:
    fields = [NAME, {"name": "n", "type": "number"}]
    content = b"name,n\n=1+1,-5\n"
    off = run(content, contract_of(*fields))
    on = run(content, contract_of(*fields, pipeline={"neutraliseFormulas": "prefix"}))
    assert off.data == [{"name": "=1+1", "n": -5}]
    assert on.data == [{"name": "'=1+1", "n": -5}]


def test_extra_columns_that_are_kept_follow_the_contracts() -> None:
    contract = contract_of(AGE, pipeline={"extraColumns": "keep"})
    assert run(b"x,age\na,1\n", contract).data == [{"age": 1, "x": "a"}]


def test_missing_columns_that_are_kept_are_null() -> None:
    contract = contract_of(NAME, AGE, pipeline={"missingColumns": "keep"})
    assert run(b"age\n1\n", contract).data == [{"name": None, "age": 1}]


def test_a_file_with_a_header_alone_has_no_records() -> None:
    result = run(b"name,age", PEOPLE)
    assert (result.part.record_count, result.processed, result.rejected) == (0, b"", b"")


def test_a_single_column_keeps_its_records() -> None:
    result = run(b"only\n1\n\n2\n")
    assert result.data == [{"only": "1"}, {"only": "2"}]


def test_names_and_texts_are_escaped_as_json() -> None:
    contract = contract_of({"name": 'q"\\\n'}, pipeline={"outputNames": "original"})
    result = run(b'"q""\\\n"\n"a""\\\x01\t\n\xe2\x82\xac"\n', contract)
    assert json.loads(result.processed)["data"] == {'q"\\\n': 'a"\\\x01\t\n€'}


def test_flat_records_have_their_origin_beside_their_fields() -> None:
    fields = ({"name": "Name", "type": "string"}, {"name": "Age", "type": "integer"})
    contract = contract_of(*fields, pipeline={"record": "flat"})
    result = run(b'Name,Age\n"a""b",1\nx,old\n,3\n', contract)
    assert result.processed.decode() == (
        '{"_file_id":"f","_row":1,"name":"a\\"b","age":1}\n'
        '{"_file_id":"f","_row":3,"name":null,"age":3}\n'
    )


def test_flat_records_need_no_fields() -> None:
    pipeline = {"record": "flat", "missingColumns": "drop", "extraColumns": "drop"}
    contract = contract_of({"name": "a"}, pipeline=pipeline)
    result = run(b"b\n1\n", contract)
    assert result.processed == b'{"_file_id":"f","_row":1}\n'


def test_flat_records_refuse_a_column_named_as_one_of_their_own() -> None:
    contract = parse_contract({"pipeline": {"record": "flat"}})
    with pytest.raises(HeaderMismatch, match="Column 2 of the output would have the name '_row'"):
        run(b"a,_Row\n1,2\n", contract)


def test_a_file_without_line_ends_is_not_csv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tabular.reading.blocks.MAX_LINE_BYTES", 1000)
    with pytest.raises(TabularError):
        run(b"name,age\n" + b"x" * 5000, PEOPLE, block_bytes=100, chunk=100)


def test_the_number_of_records_is_kept_in_statistics() -> None:
    result = run(b"name,age\nx,1\ny,\nz,z\n", PEOPLE)
    assert result.part.to_document()["record_count"] == 3
    assert result.part.statistics["rejects"] == [["age", "type-error", "type", 1, 1]]


def test_a_transform_can_be_ended_between_blocks_with_what_it_has_found() -> None:
    content = b"name,age\n" + b"a,x\n" * 1_000 + b"b,1\n" * 10_000
    seen: list[Progress] = []

    def check(progress: Progress) -> bool:
        seen.append(progress)
        return progress.error_count >= 500

    result = run(content, PEOPLE, block_bytes=400, chunk=400, check=check)
    assert len(result.rejects) == result.part.error_count == seen[-1].error_count == 500
    # Each good record could be as short as `,` and its line end.
    assert seen[-1].most_records == 500 + (10_500 * 4) // 2 + 1
