"""What a sample says without doubt becomes the contract; the rest stays text, with a note."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from pipectl.local.infer import Inference, infer_contract
from tabular.contract.descriptor import parse_contract
from tabular.errors import HeaderMismatch, UnreadableFile
from tabular.model import Dialect
from tabular.values.cells import reader
from tests.unit.tabular.engine import run


def infer(text: str | bytes, **settings: Any) -> Inference:
    data = text if isinstance(text, bytes) else text.encode()
    return infer_contract(data, size=len(data), name="in/Some Orders.csv", **settings)


def field_of(*values: str, name: str = "a") -> dict[str, Any]:
    fields: list[dict[str, Any]] = infer_column(*values, name=name).document["schema"]["fields"]
    return {key: value for key, value in fields[0].items() if key != "name"}


def infer_column(*values: str, name: str = "a") -> Inference:
    rows = [f'"{value}";x' for value in values]
    return infer("\n".join([f"{name};b", *rows, ""]), dialect=Dialect(delimiter=";"))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "-20", "0"], {"type": "integer"}),
        (["1", "2.50"], {"type": "number"}),
        (["1e-5", "2"], {"type": "number"}),
        (["true", "False"], {"type": "boolean"}),
        (["0", "1"], {"type": "integer"}),
        (["2024-01-31", "2024-02-01"], {"type": "date"}),
        (["2024-01-31T10:00:00Z"], {"type": "datetime"}),
        (["2024-01-31 10:00:00"], {"type": "datetime", "format": "%Y-%m-%d %H:%M:%S"}),
        (["31/12/2024", "01/02/2024"], {"type": "date", "format": "%d/%m/%Y"}),
        (["12/31/2024", "01/02/2024"], {"type": "date", "format": "%m/%d/%Y"}),
        (["31.12.2024 10:05"], {"type": "datetime", "format": "%d.%m.%Y %H:%M"}),
        (["7-Feb-19", "14-May-21"], {"type": "date", "format": "%d-%b-%y"}),
        (["10:00:00"], {"type": "time"}),
        (["2024-05"], {"type": "yearmonth"}),
        (["1.234,50", "0,5"], {"type": "number", "decimalChar": ",", "groupChar": "."}),
        (["0,5", "12,25"], {"type": "number", "decimalChar": ","}),
        (["1,234,567", "1,000"], {"type": "integer", "groupChar": ","}),
        (["1,234.50", "7.00"], {"type": "number", "groupChar": ","}),
        (["$1.50", "$20.00"], {"type": "number", "bareNumber": False}),
        (["95%", "7%"], {"type": "integer", "bareNumber": False}),
        (["jane@example.com", "joe@example.org"], {"type": "string", "format": "email"}),
        (["https://example.com/a"], {"type": "string", "format": "uri"}),
        (["123e4567-e89b-12d3-a456-426614174000"], {"type": "string", "format": "uuid"}),
        (["[1]", "[]"], {"type": "array"}),
        (["{}", "{ }"], {"type": "object"}),
        (["some", "text"], {"type": "string"}),
        (["", ""], {"type": "any"}),
    ],
)
def test_the_narrowest_type_that_all_values_have_is_inferred(
    values: list[str], expected: dict[str, Any]
) -> None:
    assert field_of(*values) == expected


@pytest.mark.parametrize(
    "values",
    [
        ["007", "123"],
        ["01.50"],
        ["+49301234567"],
        ["1234567890123456"],
        ["P1D", "P2D"],
        ["€5", "$5"],
        ["90.5, 45.2"],
        ["yes", "no"],
        ["key:value"],
    ],
)
def test_codes_and_what_may_be_something_else_stay_text(values: list[str]) -> None:
    assert field_of(*values) == {"type": "string"}


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (["01/02/2024", "03/04/2024"], "%d/%m/%Y' and date with format '%m/%d/%Y' fit"),
        (["1,234", "5,678"], "decimalChar ',' and integer with groupChar ',' fit"),
        (["20240131", "20240201"], "may be dates in the format %Y%m%d, or numbers"),
    ],
)
def test_two_readings_that_differ_leave_text_and_a_note(values: list[str], note: str) -> None:
    inference = infer_column(*values)

    assert inference.document["schema"]["fields"][0]["type"] == "string"
    assert note in inference.notes[0]


def test_placeholders_are_missing_values_where_all_else_is_of_a_narrower_type() -> None:
    assert field_of("1", "n/a", "2", "-") == {"type": "integer", "missingValues": ["", "-", "n/a"]}
    assert field_of("red", "n/a", "None") == {"type": "string"}


def test_white_space_around_typed_values_is_trimmed() -> None:
    assert field_of(" 2024-01-31", "2024-02-01 ") == {"type": "date", "pipeline": {"trim": True}}


def test_a_year_is_one_by_its_columns_name() -> None:
    assert field_of("2023", "2024", name="Year built") == {"type": "year"}
    assert field_of("2023", "2024") == {"type": "integer"}


def test_a_few_values_that_do_not_fit_are_noted() -> None:
    inference = infer_column(*map(str, range(1, 100)), "12 or so")

    assert inference.notes == ("'a' stays text: 1 of 100 distinct values are not a number.",)


def test_only_a_column_that_looks_like_a_key_is_required() -> None:
    rows = [f"{number},{number % 7}" for number in range(1, 121)]
    fields = infer("\n".join(["id,n", *rows, ""])).document["schema"]["fields"]

    assert fields == [
        {"name": "id", "type": "integer", "constraints": {"required": True}},
        {"name": "n", "type": "integer"},
    ]


def test_records_that_are_not_in_the_encoding_say_nothing_and_are_noted() -> None:
    inference = infer("n\n1\né\n".encode("cp1252"))

    assert inference.document["schema"]["fields"] == [{"name": "n", "type": "integer"}]
    assert inference.notes == (
        "1 of the sample's records were skipped: they are not valid utf-8. The whole file may be "
        "in cp1252.",
    )


def test_a_header_alone_is_noted_once() -> None:
    inference = infer("a,b\n")

    assert [field["type"] for field in inference.document["schema"]["fields"]] == ["any", "any"]
    assert len(inference.notes) == 1


def test_the_document_is_a_data_resource_that_accepts_the_sample() -> None:
    inference = infer("Order ID ;Total\n1;2,50\n2;-3,75\n".encode("utf-16"))

    assert inference.records == 2
    assert inference.document == {
        "$schema": "https://datapackage.org/profiles/2.0/dataresource.json",
        "name": "some-orders",
        "path": "Some Orders.csv",
        "encoding": "utf-16-le",
        "dialect": {"delimiter": ";"},
        "schema": {
            "fields": [
                {"name": "Order ID ", "type": "integer"},
                {"name": "Total", "type": "number", "decimalChar": ","},
            ]
        },
    }
    total = parse_contract(inference.document).fields[1]
    assert reader(total)("-3,75").json == "-3.75"


def test_names_that_would_clash_in_the_output_are_kept_as_they_are() -> None:
    inference = infer("Name,name\nx,y\n")

    assert inference.document["pipeline"] == {"outputNames": "original"}
    assert [field.output_name for field in parse_contract(inference.document).fields] == [
        "Name",
        "name",
    ]
    assert "keeps the column names as they are" in inference.notes[-1]


def test_a_column_with_a_name_of_the_pipelines_own_gets_another_in_the_output() -> None:
    (field,) = infer("_Row\nx\n").document["schema"]["fields"]

    assert field["pipeline"] == {"outputName": "source_row"}


def test_a_header_in_another_row_and_none_at_all() -> None:
    titled = infer("A title\n\na,b\n1,2\n", dialect=Dialect(header_rows=(3,)))
    headless = infer("1,x\n2,y\n", dialect=Dialect(header=False))

    assert titled.document["dialect"] == {"delimiter": ",", "headerRows": [3]}
    assert [field["name"] for field in titled.document["schema"]["fields"]] == ["a", "b"]
    assert headless.document["dialect"] == {"delimiter": ",", "header": False}
    assert [field["name"] for field in headless.document["schema"]["fields"]] == [
        "field1",
        "field2",
    ]


def test_malformed_records_and_comments_are_passed_over() -> None:
    text = 'a,b\n# note\n1,2\n3\n"4,5\n6,7\n\n'
    inference = infer(text, dialect=Dialect(comment_char="#"))

    assert inference.records == 2
    assert inference.notes[1:] == (
        "2 of the sample's records were skipped: they are malformed, or not 2 cells wide.",
    )


def test_the_contract_of_a_sample_with_blank_rows_lets_them_pass() -> None:
    content = b'a,b\n\n1,2\n,\n"",""\n3,\n\n'
    inference = infer(content)
    result = run(content, parse_contract(inference.document))

    assert inference.notes == (
        "4 of the sample's records are blank. skipBlankRows in the dialect skips them; without it "
        "they are rejected.",
    )
    assert result.data == [{"a": 1, "b": 2}, {"a": 3, "b": None}]
    assert result.rejects == []
    assert "skipBlankRows" not in infer("a,b\n1,2\n").document["dialect"]


def test_a_sample_is_the_head_of_a_larger_or_compressed_file() -> None:
    data = ("a,b\n" + "1,x\n" * 1000).encode()
    packed = gzip.compress(data)

    cut = infer_contract(data[:102], size=len(data), name="a.csv")
    unpacked = infer_contract(packed, size=len(packed), name="a.csv.gz")

    assert cut.records == 24
    assert unpacked.records == 1000
    assert infer(data, most_records=10).records == 10


@pytest.mark.parametrize(
    ("text", "error"), [("a,a\n1,2\n", HeaderMismatch), ("a;b,c\n1;2,3\n", UnreadableFile)]
)
def test_what_cannot_be_read_is_refused_as_by_the_pipeline(
    text: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        infer(text)
