"""Detection of the dialect of files without a contract, and the advice if it is doubtful.

Each advice is followed here: the dialect that a message names must make the file right.
"""

from __future__ import annotations

import gzip
import json
import re
from typing import Any

import pytest

from tabular.errors import HeaderMismatch, TabularError, UnreadableFile
from tabular.reading.sample import Sample
from tests.unit.tabular.engine import contract_of, inferred, layout_of, run


def refusal(content: str | bytes, contract: Any = None) -> str:
    data = content if isinstance(content, bytes) else content.encode()
    with pytest.raises(TabularError) as caught:
        layout_of(data, contract)
    assert isinstance(caught.value, UnreadableFile | HeaderMismatch)
    return str(caught.value)


def advised(message: str) -> dict[str, Any]:
    """The first dialect that a message names."""
    found = re.search(r'"dialect": (\{.*?\})(?:[.,]| with| says|$)', message)
    assert found is not None, message
    return dict(json.loads(found[1]))


def follow(content: str | bytes, dialect: dict[str, Any]) -> tuple[list[str], int, int]:
    """Labels, records and rejects of a file that is read with a dialect."""
    data = content if isinstance(content, bytes) else content.encode()
    draft = inferred(data, dialect=_dialect(dialect))
    result = run(data, contract_of(*draft.document["schema"]["fields"], dialect=dialect))
    return list(result.layout.labels), result.part.record_count, result.part.error_count


def _dialect(document: dict[str, Any]) -> Any:
    return contract_of({"name": "a"}, dialect=document).dialect


def lines(*rows: str, count: int = 6, row: str = "") -> str:
    """A text of these rows, and `count` more of a pattern that counts."""
    more = [row.format(number, number * 3 % 7, number * 37) for number in range(1, count + 1)]
    return "\n".join([*rows, *more]) + "\n"


TITLED = [
    (
        lines("Stock on 2025-03-04", "id;owner;street", row="{0};Own {1} | Sons;Road {1}, no. {0}"),
        3,
    ),
    (lines("Extract of May", "id;station;price", row="{0};Station {1};1,{2}"), 3),
    (lines("Report", "", "All shops", "id\tname\tsum", row="{0}\tn{1}\t{2}"), 3),
    (
        lines(
            "Bank:,0815", "Month:,2026-01", "", "Day,Item,Qty,Sum", row="2026-01-0{0},it,{1},{2}"
        ),
        4,
    ),
    (lines("Bank:,0815", "Day,Item,Sum", row="2026-01-0{0},it{1},{2}"), 3),
    (lines(",,,", "Bank:,0815,,", "", "Day,Item,Qty,Sum", row="2026-01-0{0},it,{1},{2}"), 4),
    (lines("Name;Berlin", "Stand;Mai", "a,b,c,d", row="{0},x,y,{2}"), 4),
]


@pytest.mark.parametrize(("content", "columns"), TITLED)
def test_a_title_or_preamble_is_refused_with_the_row_of_the_header(
    content: str, columns: int
) -> None:
    labels, records, rejects = follow(content, advised(refusal(content)))
    assert (len(labels), records, rejects) == (columns, 6, 0)


def test_a_header_that_lacks_a_delimiter_is_not_called_a_title() -> None:
    content = lines("id,name city", row="{0},Ann,Rome")
    assert layout_of(content.encode()).labels == ("id", "name city")
    assert run(content.encode()).part.error_count == 6


def test_if_a_title_and_a_faulty_header_look_alike_both_are_named() -> None:
    message = refusal("People\nname,city\nJo,Rome\nAnn,Paris\nEve,Oslo\n")
    assert "If the first row is the header, correct it. If row 2 is the header" in message


@pytest.mark.parametrize(
    ("content", "dialect"),
    [
        ('id, "name", qty\n1, "a, b", 2\n2, "c", 3\n', {"skipInitialSpace": True}),
        (lines("id, name, qty", row='{0}, "a, b", {1}'), {"skipInitialSpace": True}),
        ("'id','name'\n1,'a, b'\n2,'c'\n", {"quoteChar": "'"}),
        ("id,name\n1,'a'\n2,'b'\n3,\n", {"quoteChar": "'"}),
        ("id,name\n1,'it''s, here'\n2,'b, c'\n", {"quoteChar": "'"}),
        ('item,5" pipe,qty\na,1,2\nb,3,4\n', {"quoteChar": ""}),
        ("id\x01name\x01qty\n1\x01a\x012\n2\x01b\x013\n", {"delimiter": "\x01"}),
        ("id\x1fname\n1\x1fa\n2\x1fb\n", {"delimiter": "\x1f"}),
        ("id~name~qty\n1~a~2\n2~b~3\n", {"delimiter": "~"}),
        ("id^name^qty\n1^a^2\n2^b^3\n", {"delimiter": "^"}),
        ("id:name:qty\n1:a:2\n2:b:3\n", {"delimiter": ":"}),
        ("id¦name\n1¦a\n2¦b\n", {"delimiter": "¦"}),
        ("1~a~2026-01-01\n2~b~2026-01-02\n", {"delimiter": "~", "header": False}),
        ("id name qty\n1 a 2\n2 b 3\n", {"delimiter": " "}),
        ("1 a 2026-01-01\n2 b 2026-01-02\n3 c 2026-01-03\n", {"delimiter": " ", "header": False}),
    ],
)
def test_a_file_that_is_written_in_another_way_is_refused_with_the_dialect(
    content: str, dialect: dict[str, Any]
) -> None:
    found = advised(refusal(content))
    assert found == {"delimiter": ",", **dialect}
    assert follow(content, found)[2] == 0


@pytest.mark.parametrize("sequence", ["||", "::", "~|~", "|~|", "^|^"])
def test_a_delimiter_of_several_characters_is_refused(sequence: str) -> None:
    content = sequence.join(["id", "name"]) + "\n" + sequence.join(["1", "a"]) + "\n"
    assert "a delimiter is one character" in refusal(content)


def test_columns_that_are_aligned_with_spaces_are_refused() -> None:
    content = "NAME      AGE  TOWN\nAnn        42  Paris\nJoe         7\n"
    assert "aligned with spaces" in refusal(content)
    content = "        ID NAME\n---------- ----\n         1 a\n         2 b\n"
    assert "aligned with spaces" in refusal(content)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_table_under_one_row_without_its_delimiter_is_refused(delimiter: str) -> None:
    rows = "\n".join(delimiter.join(("x", str(n), "2026-01-01")) for n in range(3))
    message = refusal(f"##version 3\n{rows}\n")
    assert "The first row has one column and the rows after it have 3" in message


def test_a_row_that_underlines_the_header_is_refused_with_its_number() -> None:
    content = "id,name\n--,----\n1,a\n2,b\n"
    found = advised(refusal(content))
    assert found == {"delimiter": ",", "commentRows": [2]}
    assert follow(content, found) == (["id", "name"], 2, 0)


@pytest.mark.parametrize(
    "content",
    [
        "From: a@example.com\nTo: b@example.com\nSubject: May\nDear all\n",
        "From: a@example.com\nTo: b@example.com\nSubject: May\n",
        "name: Ann\ntowns:\n  - Paris\n  - Rome\nage: 7\n",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVpBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWg==\n" * 3,
        "--- a\n+++ b\n@@ -1 +1 @@\n-1\n+2\n",
        "#!/bin/sh\necho 1\n",
        ">seq1 human\nACGT\nACGT\n",
        "!Type:Bank\nD01/02\nT5.00\n",
        "[server]\nport=1\nhost=a\n",
        "PORT=1\nHOST=a\n",
        "/usr/bin/a\n/usr/bin/b\n",
        "+----+\n| id |\n+----+\n",
        "Access denied\n",
        "null\n",
        "/* a */\nint main;\n",
    ],
)
def test_one_column_whose_first_row_is_no_name_is_refused_unless_a_contract_says_so(
    content: str,
) -> None:
    message = refusal(content)
    assert "does not read like the name of a column" in message
    assert follow(content, advised(message))[2] == 0


@pytest.mark.parametrize("character", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028"])
def test_a_name_with_a_line_end_of_another_format_is_refused(character: str) -> None:
    message = refusal(f"id,name{character}1,a{character}2,b\n")
    assert f"column 2 contains the character U+{ord(character):04X}" in message
    fields = [{"name": "id"}, {"name": f"name{character}"}]
    assert layout_of(f"id,name{character}\n1,a\n".encode(), contract_of(*fields)).width == 2


HEADERLESS = [
    "1001,2026-01-01,19.99\n1002,2026-01-02,5.00\n1003,2026-01-03,7.50\n",
    "12\n7\n99\n",
    "1001;Ann;ann@example.com\n2017;Joe;joe@example.com\n",
    "Ann,2026-01-01\nJoe,2026-01-02\n",
    "1001,Ann\n1002,Joe\n1003,Eve\n1004,Kim\n",
    "4711,Ann,paid\n17,Joe,open\n999,Eve,paid\n23,Kim,open\n",
    "Ann,42,19.99\nJoe,17,5.00\nEve,99,7.50\nKim,23,1.25\n",
    "2026-01-01T10:00:00Z,on\n2026-01-01T11:00:00Z,off\n",
    "123e4567-e89b-12d3-a456-426614174000,a\n123e4567-e89b-12d3-a456-426614174001,b\n",
    "2019,2020,2021\n",
    "https://example.com/a,x\nhttps://example.com/b,y\n",
    "10.0.0.0/8,x\n192.168.0.0/16,y\n",
    "level=info,code=a\nlevel=warn,code=b\n",
]


@pytest.mark.parametrize("content", HEADERLESS)
def test_a_first_row_that_is_a_record_is_refused(content: str) -> None:
    message = refusal(content)
    assert "There seems to be no header" in message
    first_row = re.split("[,;]", content.split("\n", maxsplit=1)[0])
    assert not any(cell in message for cell in first_row if len(cell) > 3)
    dialect = advised(message)
    assert dialect["header"] is False
    labels, records, rejects = follow(content, dialect)
    assert (len(labels), records, rejects) == (len(first_row), content.count("\n"), 0)
    assert inferred(content.encode()).document["dialect"] == dialect


@pytest.mark.parametrize(
    ("content", "records"),
    [
        ("country,2019,2020,2021\nDE,1,2,3\nFR,2,3,4\nIT,3,4,5\nES,4,5,6\n", 4),
        ("region,2019,2020\nNorth,2018,2019\nSouth,2019,2020\nEast,1,2\n", 3),
        ("Region,1/22/20,1/23/20\nHubei,444,555\nBeijing,14,22\n", 2),
        ("sample,400.5,401.0\na,0.1234,0.5\nb,0.2,0.25\nc,0.3,1.5\n", 3),
        ("word\nalpha\nbeta\n", 2),
        ("name\nJane Doe\nJoe Smith\n", 2),
        ("url\nhttps://example.com/a\nhttps://example.com/b\n", 2),
        ("time\n10:30\n11:45\n", 2),
        ("full name\nJane Doe\nJoe Smith\n", 2),
        ("name of owner\nJane Doe\nJoe A. Smith\nEve\n", 3),
        ("name  of owner\nJane Doe\nJoe A. Smith\nEve\n", 3),
        ("Question 1: do you agree?\nyes\nno\n", 2),
        ("# of items\n1\n2\n", 2),
        ("% change\n1.5\n2.5\n", 2),
        ("<TICKER>\nA\nB\n", 2),
        ("[id]\n1\n2\n", 2),
        ("Rate\nratio: 1\nratio: 2\n", 2),
        ("id,flag\n-,-\n--,-\n1,a\n", 3),
        ("note\na;b\nc\n", 2),
        ("level=info,code\nlevel=info,1\nx,2\n", 2),
        ("note\nit's\n'quoted' once\n", 2),
        ("id,name\n1,'n Sync\n2,rock 'n' roll'\n", 2),
        ("id,name\n1,'Bob'\n", 1),
        ("id,name\n", 0),
        ("id\n", 0),
        ("id,date\n1,2026-01-01\n", 1),
        ("id;cost\n1;1,5\n2;2,5\n", 2),
        ("a,b\nx,y\nb,a\n", 2),
        ("id,1\n7,8\n", 1),
        ("key,value\na,b\nc,d\n", 2),
        ('id,name\n1,"a ""b"" c"\n2,"d\ne"\n', 2),
        ("id,note\n1,x~y\n2,z\n", 2),
        ("a:b\nx\ny\n", 2),
        ("Q1 2024,Q2 2024\n1,2\n3,4\n", 2),
        ("1st,2nd\n1,2\n3,4\n", 2),
        ("50%,90%\n1,2\n3,4\n", 2),
        ("id, name\n1, a\n2, b\n", 2),
        ("<TICKER>,<DATE>\nA,20260101\n", 1),
        ("latitude,longitude\n1.5,2.5\n1.6,2.6\n", 2),
    ],
)
def test_an_unambiguous_table_is_not_refused(content: str, records: int) -> None:
    result = run(content.encode())
    assert (result.part.record_count, result.part.error_count) == (records, 0)


@pytest.mark.parametrize(
    ("content", "dialect", "expected"),
    [
        ("id;total\n1;2\n3;4\n", {}, {"delimiter": ";"}),
        ("Shop 7\n\nid,total\n1,2\n3,4\n", {}, {"delimiter": ",", "headerRows": [3]}),
        ("'id','total'\n'1','2'\n", {}, {"delimiter": ",", "quoteChar": "'"}),
        ("id\ttotal\n1\t2\n", {"delimiter": ";"}, {"delimiter": "\t"}),
        ('id, "total"\n1, "2"\n', {}, {"delimiter": ",", "skipInitialSpace": True}),
        ('"id";"total"\n"1";"2"\n', {}, {"delimiter": ";"}),
        ("id,total\n1,2\n", {"headerRows": [2]}, {"delimiter": ","}),
        ("1,2\n3,4\n5,6\n", {}, {"delimiter": ",", "header": False}),
    ],
)
def test_a_header_that_does_not_match_is_refused_with_the_dialect_that_does(
    content: str, dialect: dict[str, Any], expected: dict[str, Any]
) -> None:
    fields = [{"name": "id", "type": "integer"}, {"name": "total", "type": "integer"}]
    message = refusal(content, contract_of(*fields, dialect=dialect))
    assert advised(message) == expected
    assert run(content.encode(), contract_of(*fields, dialect=expected)).part.error_count == 0


@pytest.mark.parametrize(
    "content", ["id,sum\n1,2\n", "Ann,Rome\nJoe,Oslo\n", "id;total\n1;x,2\n", "id|sum\n1|2\n"]
)
def test_only_a_dialect_that_makes_the_file_readable_is_named(content: str) -> None:
    fields = [{"name": "id"}, {"name": "total"}]
    message = refusal(content, contract_of(*fields, dialect={"delimiter": "\t"}))
    if "dialect" in message:
        again = contract_of(*fields, dialect=advised(message))
        assert run(content.encode(), again).part.error_count == 0


def test_a_row_whose_quote_follows_a_space_says_so() -> None:
    content = b'id,name\n1,a\n2, "b, c"\n3,"x"y\n4,d\n'
    messages = [reject["errors"][0]["message"] for reject in run(content).rejects]
    assert '"skipInitialSpace": true' in messages[0]
    assert "skipInitialSpace" not in messages[1]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_sample_is_whole_lines_of_a_megabyte(end: str) -> None:
    text = (f"{'x' * 100},1{end}" * 20_000).encode()
    sample = Sample.of(text, complete=True)
    assert len(text) > 2_000_000
    assert 1_000_000 < len(sample.text) <= 1024 * 1024
    assert sample.text.endswith(f",1{end}".encode())
    assert not sample.complete
    assert Sample.of(b"a\n", complete=True) == (b"a\n", True)


@pytest.mark.parametrize(
    ("name", "content", "labels"),
    [
        ("a.tsv", "a,b\tc\n1,2\t3\n", ("a,b", "c")),
        ("a.TSV", "a;x,y;z\tb\n1;2,3;4\t5\n", ("a;x,y;z", "b")),
        ("a.psv", "a,b|c\n1,2|3\n", ("a,b", "c")),
        ("a.tsv.gz", "a,b\tc\n1,2\t3\n", ("a,b", "c")),
        ("a.tsv", "name\nx\n", ("name",)),
        ("a.txt", "a|b\n1|2\n", ("a", "b")),
        ("a.csv", "a\tb\n1\t2\n", ("a", "b")),
    ],
)
def test_the_suffix_resolves_doubts_about_the_delimiter(
    name: str, content: str, labels: tuple[str, ...]
) -> None:
    data = content.encode()
    if name.endswith(".gz"):
        data = gzip.compress(data, mtime=0)
    assert layout_of(data, name=name).labels == labels


def test_a_name_and_content_that_disagree_are_refused_with_both_remedies() -> None:
    content = b"a,b,c\n1,2,3\n"
    with pytest.raises(UnreadableFile) as caught:
        layout_of(content, name="a.tsv")
    assert str(caught.value) == (
        "By its name, the file's delimiter is a tab, but its content has 3 columns with a "
        "comma as delimiter. Rename the file so that it ends with .csv, or put the right delimiter "
        'into the dataset\'s contract: "dialect": {"delimiter": ","}.'
    )
    contract = contract_of({"name": "a"}, {"name": "b"}, {"name": "c"})
    assert layout_of(content, contract, name="a.tsv").labels == ("a", "b", "c")
    contract = contract_of({"name": "a,b,c"}, dialect={"delimiter": "\t"})
    assert layout_of(content, contract, name="a.csv").labels == ("a,b,c",)
