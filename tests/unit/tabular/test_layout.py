"""Decisions from a file's head, and the messages about files that are refused."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from tabular.contract.descriptor import parse_contract
from tabular.errors import (
    EmptyFile,
    HeaderMismatch,
    TabularError,
    UnreadableFile,
    UnsupportedEncoding,
    UnsupportedFormat,
)
from tabular.model import Contract
from tabular.reading.layout import Layout, read_layout
from tests.unit.tabular.engine import contract_of, layout_of, run

A = {"name": "a"}
B = {"name": "b"}


def refused(
    content: bytes, contract: Contract | None = None, name: str = "test.csv"
) -> TabularError:
    with pytest.raises(TabularError) as caught:
        layout_of(content, contract, name)
    return caught.value


@pytest.mark.parametrize(
    ("delimiter", "content"),
    [
        (",", b"a,b\n1,2\n"),
        (";", b"a;b\n1,5;2,5\n"),
        ("\t", b"a\tb\n1\t2\n"),
        ("|", b"a|b\n1|2\n"),
        (",", b"only\n1\n2\n"),
        (",", b'a,"b;c"\n1,2;3\n'),
        (";", b"name, first;city\nx;y\nx;y\n"),
        (",", b"a,b"),
    ],
)
def test_the_delimiter_is_found(delimiter: str, content: bytes) -> None:
    assert layout_of(content).dialect.delimiter == delimiter


def test_an_ambiguous_delimiter_is_not_guessed() -> None:
    error = refused(b"a,b;c\n1,2;3\n4,5;6\n")
    assert isinstance(error, UnreadableFile)
    assert '"dialect": {"delimiter": ","}' in str(error)


def test_the_contracts_names_decide_between_delimiters() -> None:
    layout = layout_of(b"a;b,c\n1;2,3\n", contract_of(A, {"name": "b,c"}))
    assert layout.labels == ("a", "b,c")


@pytest.mark.parametrize(
    ("above", "row"),
    [
        (b"Orders of May\n", 2),
        (b"Orders of May\r\n\r\n", 3),
        (b"\n\nOrders of May\nAll shops\n", 5),
        (b"sep=;\r\n", 2),
    ],
)
def test_a_title_above_the_header_is_detected(above: bytes, row: int) -> None:
    content = above + b"a;b\n1;2\n3;4\n5;6\n7;8\n9;10\n"
    error = refused(content)
    assert isinstance(error, UnreadableFile)
    dialect = {"delimiter": ";", "headerRows": [row]}
    assert json.dumps(dialect) in str(error)
    assert layout_of(content, contract_of(A, B, dialect=dialect)).labels == ("a", "b")


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("\ufeffä,b\n1,2\n".encode(), "utf-8"),
        ("ä,b\n1,2\n".encode("utf-16"), "utf-16-le"),
        (b"\xfe\xff" + "ä,b\n1,2\n".encode("utf-16-be"), "utf-16-be"),
        ("ä,b\n1,2\n".encode("utf-32"), "utf-32-le"),
    ],
)
def test_a_byte_order_mark_determines_the_encoding(content: bytes, encoding: str) -> None:
    layout = layout_of(content)
    assert (layout.encoding, layout.bom, layout.labels) == (encoding, True, ("ä", "b"))


def test_the_contract_determines_the_encoding_if_there_is_no_mark() -> None:
    layout = layout_of("ä,b\n".encode("cp1252"), contract_of({"name": "ä"}, B, encoding="cp1252"))
    assert (layout.encoding, layout.data_start) == ("cp1252", 4)


def test_a_header_in_another_encoding_is_refused_with_a_suggestion() -> None:
    error = refused("größe,b\n1,2\n".encode("cp1252"))
    assert isinstance(error, UnsupportedEncoding)
    assert '"encoding": "cp1252"' in str(error)


def test_utf_16_without_a_mark_is_refused_with_a_suggestion() -> None:
    error = refused("a,b\n1,2\n".encode("utf-16-le"))
    assert isinstance(error, UnsupportedEncoding)
    assert '"utf-16-le"' in str(error)


def test_a_nul_in_a_first_line_of_data_is_a_fault_of_that_row_only() -> None:
    contract = contract_of(A, B, dialect={"header": False})
    assert run(b"x\0,1\ny,2\n", contract).codes == {1: ["source-error"]}
    assert isinstance(refused("x,1\n".encode("utf-16-le"), contract), UnsupportedEncoding)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", EmptyFile),
        (b"\n\r\n\n", EmptyFile),
        (b"\xef\xbb\xbf", EmptyFile),
        ("\ufeff\r\n".encode("utf-16-le"), EmptyFile),
        (gzip.compress(b"", mtime=0), EmptyFile),
        (gzip.compress(gzip.compress(b"a,b\n", mtime=0), mtime=0), UnsupportedFormat),
        (b"PK\x03\x04rest", UnsupportedFormat),
        (b"%PDF-1.7", UnsupportedFormat),
    ],
)
def test_content_that_is_not_csv_is_refused_with_its_format(
    content: bytes, kind: type[TabularError]
) -> None:
    assert type(refused(content)) is kind


def test_a_file_of_blank_lines_is_empty_with_a_contract_too() -> None:
    assert isinstance(refused(b"\n\n", contract_of(A, dialect={})), EmptyFile)


def test_a_header_row_that_the_file_does_not_have_is_refused_with_the_rows_it_has() -> None:
    error = refused(b"a,b\n1,2\n", contract_of(A, B, dialect={"headerRows": [7]}))
    assert str(error).startswith("The header should be row 7, and there are 2 rows in the file.")


def test_a_file_whose_name_ends_with_gz_must_be_gzip() -> None:
    assert isinstance(refused(b"a,b\n", name="x.csv.gz"), UnreadableFile)


def test_a_head_without_any_line_end_is_refused() -> None:
    with pytest.raises(UnreadableFile):
        read_layout(b"a" * 100, size=1000, name="x.csv", contract=None)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a,,c\n", "column 2 of 3"),
        (b"a,b,a\n", "Columns 1, 3 of the header have the same name"),
        (b'a,"b\n', "unterminated or misplaced quote"),
        (b"A b,a_b\n", "columns 1 and 2"),
        (b"\na,b\0\n", "column 2 contains a NUL"),
    ],
)
def test_a_faulty_header_is_refused_with_its_place(content: bytes, words: str) -> None:
    error = refused(content)
    assert isinstance(error, HeaderMismatch)
    assert words in str(error)


@pytest.mark.parametrize(
    ("match", "header", "accepted"),
    [
        ("exact", b"a,b\n", True),
        ("exact", b"b,a\n", False),
        ("exact", b"a\n", False),
        ("exact", b"a,b,c\n", False),
        ("equal", b"b,a\n", True),
        ("equal", b"b\n", False),
        ("subset", b"c,b,a\n", True),
        ("subset", b"a\n", False),
        ("superset", b"b\n", True),
        ("superset", b"a,c\n", False),
        ("partial", b"c,b\n", True),
        ("partial", b"c,d\n", False),
    ],
)
def test_fields_match_decides_which_headers_are_accepted(
    match: str, header: bytes, accepted: bool
) -> None:
    contract = contract_of(A, B, fieldsMatch=match)
    if accepted:
        layout_of(header, contract)
    else:
        assert isinstance(refused(header, contract), HeaderMismatch)


@pytest.mark.parametrize(
    ("policies", "header", "names"),
    [
        ({"extraColumns": "drop"}, b"a,x,b\n", ["a", "b"]),
        ({"extraColumns": "keep"}, b"a,x,b\n", ["a", "b", "x"]),
        ({"missingColumns": "drop"}, b"b\n", ["b"]),
        ({"missingColumns": "keep"}, b"b\n", ["a", "b"]),
    ],
)
def test_policies_decide_about_extra_and_missing_columns(
    policies: dict[str, Any], header: bytes, names: list[str]
) -> None:
    layout = layout_of(header, contract_of(A, B, pipeline=policies))
    assert [field.output_name for field in layout.fields] == names


def test_extra_columns_that_are_kept_are_named_like_fields() -> None:
    cleaned = contract_of(A, pipeline={"extraColumns": "keep"})
    original = contract_of(A, pipeline={"extraColumns": "keep", "outputNames": "original"})
    header = b"a,Unit Price\n"
    assert [field.output_name for field in layout_of(header, cleaned).fields] == ["a", "unit_price"]
    assert [field.output_name for field in layout_of(header, original).fields] == [
        "a",
        "Unit Price",
    ]


def test_extra_columns_with_the_same_output_name_are_refused_unless_names_are_original() -> None:
    pipeline = {"extraColumns": "keep"}
    error = refused(b"a,X y,x_y\n", contract_of(A, pipeline=pipeline))
    assert "Columns 2 and 3 of the header, which the contract has no fields for" in str(error)
    original = contract_of(A, pipeline={**pipeline, "outputNames": "original"})
    assert len(layout_of(b"a,X y,x_y\n", original).fields) == 3


def test_without_a_schema_names_are_cleaned_or_original() -> None:
    original = parse_contract({"pipeline": {"outputNames": "original"}})
    layout = layout_of(b"Order ID,order id\n", original)
    assert [field.output_name for field in layout.fields] == ["Order ID", "order id"]
    error = refused(b"Order ID,order id\n", parse_contract({}))
    assert '"outputNames": "original"' in str(error)


NAMES = ("id", "mail", "iban", "total", "city", "zip")


@pytest.mark.parametrize(
    ("properties", "header"),
    [
        ({}, "4711-S3CRET,jane.s3cret@example.com,DE-S3CRET"),
        ({}, "id,mail,iban,total,city,S3CRET"),
        ({}, "id,mail,iban,total,city,zip,S3CRET"),
        ({}, "id,S3CRET,mail,S3CRET,iban"),
        ({}, "id,mail,iban,total,S3CRET,zip"),
        ({}, "id,mail, MAIL ,S3CRET"),
        ({}, 'id,mail,iban,total,city,"S3CRET"x'),
        ({}, "id,mail,iban,S3CRET,,zip"),
        ({"fieldsMatch": "partial"}, "S3CRET,s3cret"),
        ({"fieldsMatch": "superset"}, "id,mail,S3CRET"),
        ({"fieldsMatch": "superset", "pipeline": {"extraColumns": "keep"}}, "id,S3CRET,e_mail"),
        ({"pipeline": {"extraColumns": "keep"}}, "id,mail,iban,total,zip,S3CRET,city"),
        ({"primaryKey": "mail", "pipeline": {"missingColumns": "keep"}}, "id,S3CRET"),
        ({"encoding": "utf-8"}, "id,S3CRET\udcff,mail"),
    ],
)
def test_no_message_about_a_header_repeats_a_label_of_the_file(
    properties: dict[str, Any], header: str
) -> None:
    fields = [
        {"name": name} | ({"pipeline": {"outputName": "e_mail"}} if name == "mail" else {})
        for name in NAMES
    ]
    content = header.encode(errors="surrogateescape") + b"\n1,2,3,4,5,6\n"
    error = refused(content, contract_of(*fields, **properties))
    assert "s3cret" not in str(error).lower()
    assert "s3cret" not in repr(error).lower()


def test_the_labels_go_with_the_error_only_where_they_are_certainly_a_header() -> None:
    contract = contract_of(*({"name": name} for name in NAMES))
    error = refused(b"id,mail,iban,total,city,post code\n", contract)
    assert isinstance(error, HeaderMismatch)
    assert error.header == ("id", "mail", "iban", "total", "city", "post code")
    for first_row in (b"4711,jane@example.com,DE1\n", b"id,jane@example.com,total,1,2,3\n"):
        error = refused(first_row, contract)
        assert isinstance(error, HeaderMismatch)
        assert error.header is None


def test_two_columns_that_differ_only_in_case_are_refused_if_case_does_not_matter() -> None:
    contract = contract_of(A, fieldsMatch="subset", dialect={"caseSensitiveHeader": False})
    error = refused(b"A,x,a\n1,2,3\n", contract)
    assert isinstance(error, HeaderMismatch)
    assert "Columns 1, 3 of the header have the same name" in str(error)


def test_a_column_in_the_wrong_place_is_counted_as_the_file_has_it() -> None:
    error = refused(b"x,b,a\n", contract_of(A, B, pipeline={"extraColumns": "drop"}))
    assert "Column 2 of the header should be 'a' and is 'b'" in str(error)


def test_a_missing_required_column_is_refused_under_every_policy() -> None:
    contract = contract_of(
        {**A, "constraints": {"required": True}}, B, pipeline={"missingColumns": "keep"}
    )
    assert isinstance(refused(b"b\n", contract), HeaderMismatch)


def test_a_label_that_differs_in_case_or_spaces_is_pointed_out() -> None:
    error = refused(b"A,b\n", contract_of(A, B))
    assert "column 1 differs from 'a' in case" in str(error)


@pytest.mark.parametrize(
    ("dialect", "content", "labels", "data_line"),
    [
        ({"headerRows": [3]}, b"Title\n\na,b\n1,2\n", ("a", "b"), 4),
        ({"headerRows": [1, 2]}, b"x,y\na,b\n1,2\n", ("x a", "y b"), 3),
        ({"commentChar": "#"}, b"#c\n#d\na,b\n", ("a", "b"), 4),
        ({"commentRows": [1], "headerRows": [2]}, b"c\na,b\n", ("a", "b"), 3),
        (
            {"commentRows": [3], "headerRows": [2, 4]},
            b'"t\nu"\nc\na,b\n,d\n',
            ("a", "b d"),
            6,
        ),
        ({"header": False}, b"1,2\n", ("a", "b"), 1),
    ],
)
def test_the_dialect_says_where_the_header_is(
    dialect: dict[str, Any], content: bytes, labels: tuple[str, ...], data_line: int
) -> None:
    fields = [{"name": label} for label in labels]
    layout = layout_of(content, contract_of(*fields, dialect=dialect))
    assert (layout.labels, layout.data_line) == (labels, data_line)


def test_blank_lines_before_the_header_do_not_count_without_a_contract() -> None:
    assert layout_of(b"\n\na,b\n").data_line == 4


def test_a_layout_is_the_same_after_writing_and_reading() -> None:
    contract = contract_of(
        {
            "name": "d",
            "type": "date",
            "constraints": {"minimum": "2024-01-01", "enum": ["2024-02-01"]},
        },
        {"name": "n", "type": "number", "constraints": {"maximum": 1.5}},
        {"name": "t", "type": "duration", "constraints": {"minimum": "P1D"}},
        {"name": "o", "type": "object", "constraints": {"enum": [{"a": [1]}]}},
        {"name": "g", "type": "geopoint"},
        primaryKey="d",
    )
    layout = layout_of(b"\xef\xbb\xbfd,n,t,o,g\n", contract)
    assert Layout.from_document(json.loads(json.dumps(layout.to_document()))) == layout


def test_a_contract_without_a_schema_means_the_rules_for_datasets_without_contract() -> None:
    content = "Order ID;Amount\n \n1;2,5\n7; \xe4 \n".encode("cp1252")
    settings = {
        "encoding": "cp1252",
        "dialect": {"delimiter": ";"},
        "pipeline": {"maxRejectCount": 3},
    }
    layout = layout_of(content, parse_contract(settings))

    bare = layout_of(content.decode("cp1252").encode())
    assert layout.contract.fields == bare.contract.fields
    assert [field.output_name for field in layout.contract.fields] == ["order_id", "amount"]
    assert layout.blank_rows == bare.blank_rows == "skip-white"
    assert layout.encoding == "cp1252"
    assert layout.contract.max_reject_count == 3
    assert layout_of(b"a,b\n1,2\n", parse_contract({})) == layout_of(b"a,b\n1,2\n")


ORDER = {"name": "Order", "type": "integer", "pipeline": {"aliases": ["Order No", "Nr"]}}


def aliased(**settings: Any) -> Any:
    return contract_of(ORDER, {"name": "x"}, **settings)


def test_a_column_may_have_any_of_its_fields_aliases_as_name() -> None:
    for name in (b"Order", b"Order No", b"Nr"):
        result = run(name + b",x\n1,a\ny,b\n2\n", aliased())
        assert result.data == [{"order": 1, "x": "a"}]
        assert [[fault["field"] for fault in reject["errors"]] for reject in result.rejects] == [
            ["Order"],
            ["x"],
        ]
    short = run(
        b"x,Nr\na,1\nb\n",
        contract_of(
            {"name": "x"},
            {"name": "Order", "pipeline": {"aliases": ["Nr"]}},
        ),
    )
    assert [fault["field"] for fault in short.rejects[0]["errors"]] == ["Order"]


def test_aliases_help_to_find_the_delimiter_and_ignore_case_as_names_do() -> None:
    layout = layout_of(b"Nr;x,y\n1;a,b\n", contract_of(ORDER, fieldsMatch="subset"))
    assert layout.dialect.delimiter == ";"
    any_case = aliased(dialect={"caseSensitiveHeader": False})
    assert run(b"NR,X\n1,a\n", any_case).data == [{"order": 1, "x": "a"}]


def test_two_columns_that_are_the_same_field_are_refused() -> None:
    contract = contract_of({"name": "Order", "pipeline": {"aliases": ["Nr"]}}, fieldsMatch="subset")
    error = refused(b"Nr,x,Order\n1,2,3\n", contract)
    assert isinstance(error, HeaderMismatch)
    assert "Columns 1, 3 of the header are the same field of the contract, 'Order'" in str(error)
