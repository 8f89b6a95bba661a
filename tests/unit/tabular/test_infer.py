"""Columns get the type of nearly all their values; check rejects the others."""

from __future__ import annotations

import gzip
import time
from datetime import date
from typing import Any

import pytest

from pipectl.local.infer.file_reading import FileSample, ReadingOptions, _unique
from pipectl.local.infer.inference import (
    Inference,
    Options,
    _with_columns_of,
    infer_contract,
    update_contract,
)
from tabular.contract.descriptor import parse_contract
from tabular.errors import EmptyFile, InvalidContract, UnreadableFile, UnsupportedFormat
from tabular.model import Dialect
from tabular.values.cells import reader
from tests.unit.tabular.engine import contract_of, inferred, run

TODAY = date(2026, 11, 26)


def infer(text: str | bytes, **settings: Any) -> Inference:
    data = text if isinstance(text, bytes) else text.encode()
    return inferred(data, name="in/Some Orders.csv", **({"today": TODAY} | settings))


def infer_column(*values: str, name: str = "a", delimiter: str = ";", **settings: Any) -> Inference:
    rows = [f'"{value}"{delimiter}x' for value in values]
    text = "\n".join([f"{name}{delimiter}b", *rows, ""])
    return infer(text, dialect=Dialect(delimiter=delimiter), **settings)


def field_of(*values: str, **settings: Any) -> dict[str, Any]:
    fields: list[dict[str, Any]] = infer_column(*values, **settings).document["schema"]["fields"]
    return {key: value for key, value in fields[0].items() if key != "name"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "-20", "0"], {"type": "integer"}),
        (["1", "2.50"], {"type": "number"}),
        (["0.125", "1.250", "2.500"], {"type": "number"}),
        (["4006381333931", "4006381333932", "4006381333933", "4"], {"type": "integer"}),
        (["1e-5", "2"], {"type": "number"}),
        (["true", "False"], {"type": "boolean"}),
        (["0", "1"], {"type": "integer"}),
        (["2024-01-31", "2024-02-01"], {"type": "date"}),
        (["2024-01-31T10:00:00Z"], {"type": "datetime"}),
        (
            ["2024-01-31T10:00:00", " 2024-02-01T10:00:00"],
            {"type": "datetime", "pipeline": {"timeZone": "none", "trim": True}},
        ),
        (["2024-01-31T10:00:00", "2024-01-31T10:00:00Z"], {"type": "datetime"}),
        (
            ["2024-01-31T10:00:00.5", "2024-01-31T10:00:00"],
            {"type": "datetime", "pipeline": {"timeZone": "none"}},
        ),
        (["2024-01-31 10:00:00"], {"type": "datetime", "format": "%Y-%m-%d %H:%M:%S"}),
        (["31/12/2024", "01/02/2024"], {"type": "date", "format": "%d/%m/%Y"}),
        (["12/31/2024", "01/02/2024"], {"type": "date", "format": "%m/%d/%Y"}),
        (["31.12.2024 10:05"], {"type": "datetime", "format": "%d.%m.%Y %H:%M"}),
        (["7-Feb-19", "14-May-21"], {"type": "date", "format": "%d-%b-%y"}),
        (["Jan 2 2025", "Feb 14 2025"], {"type": "date", "format": "%b %d %Y"}),
        (["January 2, 2025"], {"type": "date", "format": "%B %d, %Y"}),
        (
            ["2025-01-02 10:00:00 +0100", "2025-01-02 10:00:00 -0500"],
            {"type": "datetime", "format": "%Y-%m-%d %H:%M:%S %z"},
        ),
        (["2025-01-02T10:00+01:00"], {"type": "datetime", "format": "%Y-%m-%dT%H:%M%z"}),
        (["2025-01-02T10:00:00+01:00", "2025-01-02T09:00:00Z"], {"type": "datetime"}),
        (["2025-01-02 10:00:00,123"], {"type": "datetime", "format": "%Y-%m-%d %H:%M:%S,%f"}),
        (["1/31/2025 1:05 PM"], {"type": "datetime", "format": "%m/%d/%Y %I:%M %p"}),
        (
            ["02/Jan/2025:10:00:00 +0000"],
            {"type": "datetime", "format": "%d/%b/%Y:%H:%M:%S %z"},
        ),
        (["2025-01-02", "3 Jan 2025", "Jan 4, 2025"], {"type": "date", "format": "any"}),
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
        (
            ["18,90 €", "1.200,00 €"],
            {"type": "number", "decimalChar": ",", "groupChar": ".", "bareNumber": False},
        ),
        (["1 234,5", "2 000,25"], {"type": "number", "decimalChar": ",", "groupChar": " "}),
        (["1'234.50", "10.00"], {"type": "number", "groupChar": "'"}),
        (["yes", "No"], {"type": "boolean", "trueValues": ["yes"], "falseValues": ["No"]}),
        (["Y", "N", "N"], {"type": "boolean", "trueValues": ["Y"], "falseValues": ["N"]}),
        (["PT5M", "P1DT2H"], {"type": "duration"}),
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
        ["key:value"],
        ["N", "N"],
        ["1E5", "12E4"],
        ["(5.00)", "7.00"],
        ["5.00-", "7.00"],
        ["192.168.100.101", "10.200.100.102"],
        ["12 kg", "3 kg"],
    ],
)
def test_codes_and_ambiguous_values_stay_text(values: list[str]) -> None:
    assert field_of(*values) == {"type": "string"}


@pytest.mark.parametrize(
    ("values", "doubt"),
    [
        (["01/02/2024", "03/04/2024"], "date (%d/%m/%Y) and date (%m/%d/%Y) fit, but give"),
        (["1,234", "5,678"], "number (decimal comma) and integer (groups by ',') fit, but give"),
        (["1.234", "5.678"], "number and integer (groups by '.') fit, but give"),
        (["20240131", "20240201"], "may be dates in the format %Y%m%d, or numbers"),
        (["007", "123"], "'007' has a leading zero"),
        (["12E4", "13E5"], "'12E4' may be a code"),
        (["+49301234567"], "'+49301234567' looks like a telephone number"),
        (["1234567890123456"], "more digits than a double can hold"),
        (
            ["4006381333931", "9783161484100", "9780306406157", "5901234123457"],
            "'4006381333931' is an article number",
        ),
        (["(5.00)", "7.00"], "'(5.00)' is how accountants write a negative number"),
        (["16-Jul-68", "02-Feb-55"], "would give years up to 2068"),
        (["€5", "$5"], "numbers with different signs: '$', '€'"),
        (["N", "N"], "only 'N' occurs"),
        (["1", "2", "x"], "2 of 3 values are numbers, too few"),
    ],
)
def test_ambiguous_values_stay_text_with_the_reason(values: list[str], doubt: str) -> None:
    inference = infer_column(*values)

    assert inference.document["schema"]["fields"][0]["type"] == "string"
    assert doubt in inference.columns[0].doubts[0]


@pytest.mark.parametrize(
    ("values", "kind", "fact"),
    [
        (["1735689600", "1735689700"], "integer", "1735689600 would be 2025-01-01T00:00:00Z"),
        (["1735689600000"], "integer", "Unix time in milliseconds"),
        (["95%", "7%"], "integer", "'95%' is read as 95, without the sign"),
        (["0", "1"], "integer", "type boolean fits as well"),
        (["14-May-21"], "date", "00 to 68 are read as 2000 to 2068"),
        (["31/12/2024", "01/02/2024"], "date", "1 of 2 values fit no other order"),
    ],
)
def test_a_reading_says_what_it_means(values: list[str], kind: str, fact: str) -> None:
    inference = infer_column(*values)

    assert inference.document["schema"]["fields"][0]["type"] == kind
    assert fact in " ".join(inference.columns[0].facts)


def test_in_a_file_separated_by_commas_a_comma_separates_groups() -> None:
    inference = infer_column("1,234", "5,678", delimiter=",")

    assert field_of("1,234", "5,678", delimiter=",") == {"type": "integer", "groupChar": ","}
    assert "'1,234' is read as 1234" in inference.columns[0].doubts[0]
    assert field_of("1", "2", "3", *"456789", "2,2", delimiter=",") == {"type": "integer"}


def test_an_ambiguous_column_is_read_like_the_unambiguous_ones_of_its_file() -> None:
    text = (
        "price;sum;due;paid\n1,234;10,5;01/02/2024;31/01/2024\n5,678;0,25;03/04/2024;02/01/2024\n"
    )
    inference = infer(text)
    fields = inference.document["schema"]["fields"]

    assert fields[0] == {"name": "price", "type": "number", "decimalChar": ","}
    assert fields[2] == {"name": "due", "type": "date", "format": "%d/%m/%Y"}
    assert "as in 'sum'" in inference.columns[0].facts[-1]


def test_placeholders_are_missing_values_if_all_other_texts_have_a_narrower_type() -> None:
    assert field_of("1", "n/a", "2", "-") == {"type": "integer", "missingValues": ["", "-", "n/a"]}
    assert field_of("red", "n/a", "None") == {"type": "string"}


def test_white_space_around_typed_values_is_trimmed() -> None:
    assert field_of(" 2024-01-31", "2024-02-01 ") == {"type": "date", "pipeline": {"trim": True}}


def test_a_year_is_one_by_its_columns_name() -> None:
    assert field_of("2023", "2024", name="Year built") == {"type": "year"}
    assert field_of("2023", "2024") == {"type": "integer"}


def test_a_few_values_that_do_not_fit_are_exceptions_with_value_and_line() -> None:
    inference = infer_column(*map(str, range(1, 100)), "12 or so")

    assert inference.document["schema"]["fields"][0]["type"] == "integer"
    assert [(e.value, e.line) for e in inference.columns[0].exceptions] == [("12 or so", 101)]
    assert field_of(*map(str, range(1, 100)), "12 or so", strict=True) == {"type": "string"}


def test_many_exceptions_of_one_kind_are_not_errors() -> None:
    codes = [str(number) for number in range(536_300, 536_400)] + ["C536379", "C536391", "C536400"]
    inference = infer_column(*codes)

    assert inference.document["schema"]["fields"][0]["type"] == "string"
    assert "3 of 103 values are written like 'C536379'" in inference.columns[0].doubts[0]


def test_nothing_is_required_unless_proposals_are_asked_for() -> None:
    rows = [f"{number},{number % 7},{'ab'[number % 2]}," for number in range(1, 121)]
    text = "\n".join(["id,n,kind,note", *rows, ""])
    plain = infer(text).document["schema"]
    proposed = infer(text, proposals=True)
    schema = proposed.document["schema"]

    assert not any("constraints" in field for field in plain["fields"])
    assert "primaryKey" not in plain
    assert [field.get("constraints") for field in schema["fields"]] == [
        {"required": True},
        {"required": True},
        {"required": True, "enum": ["a", "b"]},
        None,
    ]
    assert schema["primaryKey"] == ["id"]
    assert "unique: 120 different values in 120 records" in proposed.columns[0].facts
    assert "enum: 2 values: 'b' 60x, 'a' 60x" in proposed.columns[2].facts
    assert proposed.exceptions == ()


def test_an_encoding_other_than_utf8_is_a_guess_with_its_evidence() -> None:
    inference = infer("name,n\nZoë,1\nAnn,2\n".encode("cp1252"))

    assert inference.document["encoding"] == "cp1252"
    assert "1 of 3 lines are not valid UTF-8, and all are valid cp1252" in inference.doubts[0]
    assert "line 2 then has 'Zoë,1'" in inference.doubts[0]


def test_a_damaged_line_in_a_utf8_file_is_a_fault() -> None:
    inference = infer("name\nZoë\nÄnne\n".encode() + b"B\xffb\nAnn\n")

    assert inference.document["encoding"] == "utf-8"
    assert [(e.code, e.line) for e in inference.failures] == [("encoding-error", 4)]


def test_a_header_alone_leaves_all_types_undecided() -> None:
    inference = infer("a,b\n")

    assert [field["type"] for field in inference.document["schema"]["fields"]] == ["any", "any"]
    assert inference.columns[0].facts == ("no records, so the type is undecided",)


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
    assert "keeps the column names as they are" in inference.statements[-1]


def test_a_column_with_a_reserved_name_gets_another_name_in_the_output() -> None:
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


def test_malformed_records_are_faults_and_comments_are_not() -> None:
    text = 'a,b\n# note\n1,2\n3\n"4,5\n6,7\n\n'
    inference = infer(text, dialect=Dialect(comment_char="#"))

    assert [(fault.code, fault.line) for fault in inference.failures] == [
        ("missing-cell", 4),
        ("source-error", 5),
    ]


def test_the_contract_of_a_sample_with_blank_rows_lets_them_pass() -> None:
    content = b'a,b\n\n1,2\n,\n"",""\n3,\n\n'
    inference = infer(content)
    result = run(content, parse_contract(inference.document))

    assert result.data == [{"a": 1, "b": 2}, {"a": 3, "b": None}]
    assert result.rejects == []
    assert "skipBlankRows" not in infer("a,b\n1,2\n").document["dialect"]


def test_a_sample_is_the_head_of_a_larger_or_compressed_file() -> None:
    data = ("a,b\n" + "1,x\n" * 1000).encode()
    packed = gzip.compress(data)

    cut = inferred(data[:102], size=len(data))
    unpacked = inferred(packed, name="a.csv.gz")

    assert (cut.records, cut.whole) == (24, False)
    assert (unpacked.records, unpacked.whole) == (1000, True)


def test_a_quoted_cell_at_the_end_of_the_sample_is_left_out() -> None:
    data = b'a,b\n1,x\n2,"several\nlines"\n3,y\n'

    assert inferred(data[:22], size=len(data)).exceptions == ()


@pytest.mark.parametrize(
    ("text", "dialect", "names"),
    [
        ("Report of May\n\na;b;c\n1;2;3\n4;5;6\n7;8;9\n", {"headerRows": [3]}, ["a", "b", "c"]),
        ("\n\na;b\n1;2\n", {"headerRows": [3]}, ["a", "b"]),
        (
            "id;price;;size\n;net;gross;\n1;2;3;4\n2;3;4;5\n",
            {"headerRows": [1, 2]},
            ["id", "price net", "gross", "size"],
        ),
        (
            "id;a;;b;\n;x;y;x;y\n1;2;3;4;5\n2;3;4;5;6\n",
            {"header": False, "commentRows": [1, 2]},
            ["id", "a x", "a y", "b x", "b y"],
        ),
        (
            "id;n;n\n1;2;3\n4;5;6\n",
            {"header": False, "commentRows": [1]},
            ["id", "n", "n_2"],
        ),
        (
            "name;width;height\ntext;mm;mm\nA;1;2\nB;3;4\nC;5;6\nD;7;8\n",
            {"commentRows": [2]},
            ["name", "width", "height"],
        ),
        ("1;x\n2;y\n3;z\n4;z\n", {"header": False}, ["field1", "field2"]),
        ("a;b;\n1;2;\n3;4;\n", {}, ["a", "b"]),
        ("a~b\n1~2\n3~4\n", {"delimiter": "~"}, ["a", "b"]),
    ],
)
def test_every_header_gives_columns_with_names(
    text: str, dialect: dict[str, Any], names: list[str]
) -> None:
    inference = infer(text)
    result = run(text.encode(), parse_contract(inference.document))

    assert inference.document["dialect"] == {"delimiter": ";"} | dialect
    assert [field["name"] for field in inference.document["schema"]["fields"]] == names
    assert result.rejects == []
    assert result.part.record_count == inference.records > 0


def test_the_evidence_for_a_header_row_is_shown() -> None:
    rows = "".join(f"{n};x;{n}\n" for n in range(120))
    inference = infer(f"Statement\nAccount;1\n\n\nid;kind;sum\n{rows}1;2\n1\n1\n")

    assert inference.statements[0] == "header in row 5: 120 of 123 records have its 3 columns"


def test_a_footer_is_reported() -> None:
    rows = "".join(f"{n};x;{n}\n" for n in range(20))
    of_another_width = infer(f"id;kind;sum\n{rows}\nExported by A. Smith\n")
    total = infer(f"id;kind;sum\n{rows}Total;;190\n")

    assert "the last row (line 23) is not a record: is it a footer?" in of_another_width.doubts[0]
    assert "--footer-rows 1" in of_another_width.doubts[0]
    assert "footerRows" not in of_another_width.document["dialect"]
    assert "the last record is a total" in total.doubts[0]
    assert total.document["dialect"]["footerRows"] == 1


@pytest.mark.parametrize(
    ("footer", "rows"),
    [
        ("Total;190\n", 1),
        ("\n\nTotal;190\nExported by A. Smith\n\n", 2),
        ('"Total\n(all kinds)"\n', 1),
        ("Summe:;;190", 1),
        ("Summe der Umsätze;;190", 1),
        ("Total;;190\nExported by A. Smith\n", 2),
    ],
)
def test_a_total_at_the_end_is_left_out(footer: str, rows: int) -> None:
    records = "".join(f"{n};x;{n}\n" for n in range(20))
    inference = infer(f"id;kind;sum\n{records}{footer}")
    result = run(f"id;kind;sum\n{records}{footer}".encode(), parse_contract(inference.document))

    assert inference.document["dialect"]["footerRows"] == rows
    assert [field["type"] for field in inference.document["schema"]["fields"]][::2] == [
        "integer",
        "integer",
    ]
    assert (result.part.record_count, result.rejects) == (20, [])


def test_a_word_for_a_total_that_others_have_too_is_no_footer() -> None:
    rows = "".join(f"{n};{'Total' if n % 5 == 4 else 'x'};{n}\n" for n in range(20))
    assert "footerRows" not in infer(f"id;kind;sum\n{rows}").document["dialect"]


def test_a_record_that_only_begins_like_a_total_is_no_footer() -> None:
    rows = "".join(f"{n};x;{n}\n" for n in range(20))
    assert "footerRows" not in infer(f"id;kind;sum\n{rows}20;Total Care;7\n").document["dialect"]


def test_a_footer_that_only_some_files_have_is_not_left_out() -> None:
    rows = "".join(f"{n};x;{n}\n" for n in range(20))
    files = [f"id;kind;sum\n{rows}Total;190\n", f"id;kind;sum\n{rows}"]
    samples = [
        FileSample(f"{number}.csv", text.encode(), len(text)) for number, text in enumerate(files)
    ]
    inference = infer_contract(samples)
    assert "footerRows" not in inference.document["dialect"]
    assert any("0.csv 1 row, 1.csv none" in line for line in inference.statements)


@pytest.mark.parametrize(
    ("text", "error"), [("", EmptyFile), ("\n\n", EmptyFile), ("<html><body>", UnsupportedFormat)]
)
def test_a_file_that_is_not_a_table_is_refused(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        infer(text)


def test_the_error_about_an_ambiguous_delimiter_names_the_option_that_decides() -> None:
    text = "a;b,c\n1;2,3\n"
    with pytest.raises(UnreadableFile, match="--delimiter"):
        infer(text)

    data = text.encode()
    reading = ReadingOptions(delimiter=";")
    decided = infer_contract([FileSample("a.csv", data, len(data))], Options(reading=reading))
    assert [field["name"] for field in decided.document["schema"]["fields"]] == ["a", "b,c"]


def samples(*texts: str) -> list[FileSample]:
    return [FileSample(f"{n}.csv", t.encode(), len(t.encode())) for n, t in enumerate(texts, 1)]


def test_several_files_give_one_contract_and_their_differences() -> None:
    inference = infer_contract(samples("id,n\n1,5\n2,6\n", "id,extra,n\n3,x,7.5\n", "n,id\n8,4\n"))
    schema = inference.document["schema"]

    assert schema["fieldsMatch"] == "superset"
    assert schema["fields"] == [
        {"name": "id", "type": "integer"},
        {"name": "extra", "type": "string"},
        {"name": "n", "type": "number"},
    ]
    assert inference.records == 4
    assert inference.statements == (
        "column 'extra' is missing in 2 of 3 files, such as 1.csv",
        "3.csv has its columns in another order",
    )
    assert inference.unread == ()


def test_a_file_that_the_common_contract_cannot_read_is_named() -> None:
    inference = infer_contract(samples("id,n\n1,5\n2,6\n", "id;n\n3;7\n"))

    assert [name for name, _ in inference.unread] == ["2.csv"]
    assert "2.csv is written differently from 1.csv" in inference.statements[0]


def test_a_file_that_cannot_be_read_does_not_keep_the_others_from_being_read() -> None:
    inference = infer_contract(samples("id\n1\n", "", "id\n2\n"))

    assert inference.records == 2
    assert [name for name, _ in inference.unread] == ["2.csv"]
    with pytest.raises(EmptyFile):
        infer_contract(samples("", "a\n1\n")[:1])


def test_an_update_adds_only_columns_that_the_contract_lacks() -> None:
    contract = {
        "name": "orders",
        "schema": {
            "fields": [
                {"name": "id", "type": "integer", "constraints": {"minimum": 1}},
                {"name": "n", "type": "integer", "title": "Number"},
                {"name": "old", "type": "string"},
            ],
            "fieldsMatch": "superset",
        },
        "pipeline": {"maxRejectPercent": 5},
    }
    inference = update_contract(contract, samples("id,day,n\n0,2025-01-02,x\n5,2025-01-03,7\n"))
    fields = inference.document["schema"]["fields"]

    assert [field["name"] for field in fields] == ["id", "day", "n", "old"]
    assert fields[1] == {"name": "day", "type": "date"}
    assert [field for field in fields if field["name"] != "day"] == contract["schema"]["fields"]  # type: ignore[index]
    assert inference.document["pipeline"] == {"maxRejectPercent": 5}
    assert {(e.field, e.value, e.line) for e in inference.exceptions} == {
        ("id", "0", 2),
        ("n", "x", 2),
    }
    assert "'day': a new column" in inference.statements
    with pytest.raises(InvalidContract):
        update_contract({"schema": {"fields": []}}, samples("a\n1\n"))


def test_an_update_knows_columns_by_their_aliases() -> None:
    aliased = {"name": "id", "type": "integer", "pipeline": {"aliases": ["Order No"]}}
    inference = update_contract(
        {"schema": {"fields": [aliased]}}, samples("Order No,day\n1,2025-01-02\n")
    )

    assert inference.document["schema"]["fields"] == [aliased, {"name": "day", "type": "date"}]
    assert inference.unread == ()


def test_an_update_without_new_columns_does_not_change_the_contract() -> None:
    contract = {"schema": {"fields": [{"name": "a", "type": "string"}]}}
    inference = update_contract(contract, samples("a\n1\n"))

    assert inference.document == contract
    assert "nothing is added" in inference.statements[0]


def test_a_proposal_of_an_update_is_about_new_columns_only() -> None:
    contract = {"schema": {"fields": [{"name": "a", "type": "integer"}]}}
    rows = "".join(f"{n},{n}\n" for n in range(60))
    options = Options(proposals=True)
    fields = update_contract(contract, samples("a,b\n" + rows), options).document["schema"][
        "fields"
    ]

    assert fields[0] == {"name": "a", "type": "integer"}
    assert fields[1]["constraints"] == {"required": True}
    assert contract_of(*fields) is not None


def test_columns_of_the_same_name_are_numbered() -> None:
    names = [field["name"] for field in infer("a,a,a_2,a\n1,2,3,4\n").document["schema"]["fields"]]

    assert names == ["a", "a_2", "a_2_2", "a_3"]


def test_new_columns_of_a_file_follow_the_column_before_them() -> None:
    inference = infer_contract(samples("b,d\n1,2\n", "a,b,c,c2,d,e\n1,2,3,4,5,6\n", "x,b\n1,2\n"))
    names = [field["name"] for field in inference.document["schema"]["fields"]]

    assert names == ["x", "a", "b", "c", "c2", "d", "e"]


def test_a_header_of_equal_or_new_names_takes_linear_time() -> None:
    started = time.process_time()
    names = _unique(["a"] * 50_000)
    columns = _with_columns_of([f"a{n}" for n in range(50_000)], [f"b{n}" for n in range(50_000)])

    # Measured: 0.1 s. A search through the names for each name takes more than ten seconds.
    assert time.process_time() - started < 2
    assert len(set(names)) == 50_000
    assert len(columns) == 100_000
