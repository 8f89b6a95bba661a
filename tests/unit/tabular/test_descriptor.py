"""Descriptors become contracts, which can be stored; for wrong ones every problem is reported."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tabular.contract.descriptor import parse_contract, read_contract
from tabular.contract.jsonable import from_document, to_document
from tabular.contract.reference import reference_contract
from tabular.errors import HeaderMismatch, InvalidContract
from tabular.model import Constraints, Contract, Dialect, Field
from tabular.values.dates import Duration

OUTPUT_FORMATS = ("jsonl", "parquet")


def only_field(**properties: Any) -> Field:
    return parse_contract({"fields": [{"name": "a", **properties}]}).fields[0]


def problems_of(document: Any) -> dict[str, str]:
    with pytest.raises(InvalidContract) as caught:
        parse_contract(document, output_formats=OUTPUT_FORMATS)
    return dict(caught.value.problems)


def problems_of_field(**properties: Any) -> dict[str, str]:
    return problems_of({"fields": [{"name": "a", **properties}]})


RESOURCE = {
    "$schema": "https://datapackage.org/profiles/2.0/dataresource.json",
    "name": "orders",
    "path": "orders.csv",
    "encoding": "windows-1252",
    "dialect": {"delimiter": ";", "commentChar": "#", "nullSequence": "\\N"},
    "schema": {
        "fieldsMatch": "subset",
        "missingValues": ["", "n/a"],
        "fields": [
            {
                "name": "Order",
                "type": "integer",
                "constraints": {"minimum": 1},
                "pipeline": {"outputName": "order_id"},
            },
            {"name": "Placed", "type": "date", "missingValues": ["-"], "title": "When"},
            {"name": "Note"},
        ],
        "primaryKey": ["Order"],
        "uniqueKeys": [["Placed", "Note"]],
    },
    "pipeline": {
        "maxRejectPercent": 2.5,
        "maxRejectCount": 100,
        "missingColumns": "drop",
        "neutraliseFormulas": "prefix",
        "outputFormat": "parquet",
    },
}


def test_a_data_resource_becomes_a_contract() -> None:
    assert parse_contract(RESOURCE, output_formats=OUTPUT_FORMATS) == Contract(
        fields=(
            Field(
                name="Order",
                output_name="order_id",
                type="integer",
                missing_values=("", "n/a", "\\N"),
                constraints=Constraints(required=True, minimum=1),
            ),
            Field(name="Placed", output_name="placed", type="date", missing_values=("-", "\\N")),
            Field(name="Note", output_name="note", missing_values=("", "n/a", "\\N")),
        ),
        fields_match="subset",
        primary_key=("Order",),
        unique_keys=(("Placed", "Note"),),
        dialect=Dialect(delimiter=";", comment_char="#"),
        encoding="cp1252",
        max_reject_percent=2.5,
        max_reject_count=100,
        extra_columns="drop",
        missing_columns="drop",
        neutralise_formulas=True,
        output_format="parquet",
    )


def test_a_table_schema_alone_leaves_dialect_and_encoding_to_the_file() -> None:
    assert parse_contract({"fields": [{"name": "a"}]}) == Contract(fields=(Field("a", "a"),))


def test_a_contract_is_the_same_after_it_was_written_and_read() -> None:
    contract = parse_contract(RESOURCE, output_formats=OUTPUT_FORMATS)

    assert from_document(Contract, json.loads(json.dumps(to_document(contract)))) == contract


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("datetime", "2024-01-31T12:00:00.123456789+00:00"),
        ("time", "12:00:00.1234567"),
    ],
)
def test_bounds_keep_digits_beyond_the_microsecond(kind: str, text: str) -> None:
    contract = parse_contract(
        {"fields": [{"name": "a", "type": kind, "constraints": {"minimum": text}}]}
    )

    again = from_document(Contract, json.loads(json.dumps(to_document(contract))))

    assert again.fields[0].constraints.minimum.isoformat() == text


def test_the_reference_rules_are_a_contract_that_can_be_written_too() -> None:
    contract = reference_contract([" Order ID", "Amount ", "Price"])

    assert from_document(Contract, to_document(contract)) == contract
    assert contract.dialect is None
    assert [(f.name, f.output_name, f.type, f.trim) for f in contract.fields] == [
        (" Order ID", "order_id", "string", True),
        ("Amount ", "amount", "number", True),
        ("Price", "price", "number", True),
    ]


@pytest.mark.parametrize(
    ("header", "message"),
    [(["Name", "age", "NAME "], "columns 1 and 3"), (["a", "  "], "column 2 has no name")],
)
def test_the_reference_rules_give_every_column_a_different_name(
    header: list[str], message: str
) -> None:
    with pytest.raises(HeaderMismatch, match=message):
        reference_contract(header)


FIELDS: list[tuple[dict[str, Any], Field]] = [
    ({"format": "default"}, Field("a", "a")),
    (
        {"type": "number", "decimalChar": ",", "groupChar": ".", "bareNumber": False},
        Field("a", "a", "number", decimal_char=",", group_char=".", bare_number=False),
    ),
    ({"type": "integer", "groupChar": ""}, Field("a", "a", "integer")),
    (
        {"type": "boolean", "trueValues": ["yes"], "falseValues": ["no"]},
        Field("a", "a", "boolean", true_values=("yes",), false_values=("no",)),
    ),
    (
        {"type": "list", "delimiter": "; ", "itemType": "integer"},
        Field("a", "a", "list", list_delimiter="; ", list_item_type="integer"),
    ),
    ({"type": "time", "format": "any"}, Field("a", "a", "time", "any")),
    ({"type": "date", "format": "fmt:%d/%m/%Y"}, Field("a", "a", "date", "%d/%m/%Y")),
    (
        {"missingValues": [{"value": "", "label": "LEFT OUT"}, {"value": "-99"}]},
        Field("a", "a", missing_values=("", "-99")),
    ),
    ({"missingValues": []}, Field("a", "a", missing_values=())),
]


@pytest.mark.parametrize(("properties", "field"), FIELDS)
def test_the_properties_of_a_field_are_read(properties: dict[str, Any], field: Field) -> None:
    assert only_field(**properties) == field


CONSTRAINTS: list[tuple[dict[str, Any], Constraints]] = [
    ({"type": "number", "constraints": {"minimum": 0.1}}, Constraints(minimum=Decimal("0.1"))),
    (
        {"type": "number", "decimalChar": ",", "constraints": {"maximum": "1,50"}},
        Constraints(maximum=Decimal("1.50")),
    ),
    (
        {"type": "number", "decimalChar": ",", "constraints": {"maximum": 1.5}},
        Constraints(maximum=Decimal("1.5")),
    ),
    (
        {"type": "integer", "constraints": {"exclusiveMinimum": 5.0}},
        Constraints(exclusive_minimum=5),
    ),
    ({"type": "year", "constraints": {"minimum": 800}}, Constraints(minimum=800)),
    (
        {"type": "date", "format": "%d/%m/%Y", "constraints": {"minimum": "02/01/2024"}},
        Constraints(minimum=date(2024, 1, 2)),
    ),
    (
        {"type": "duration", "constraints": {"exclusiveMaximum": "P1Y"}},
        Constraints(exclusive_maximum=Duration(12, Decimal(0))),
    ),
    (
        {"type": "boolean", "trueValues": ["y"], "constraints": {"enum": [True]}},
        Constraints(enum=(True,)),
    ),
    (
        {"type": "object", "constraints": {"enum": [{"a": 0.5}]}},
        Constraints(enum=({"a": Decimal("0.5")},)),
    ),
    (
        {"type": "list", "constraints": {"enum": [["a", "b"], "c,d"]}},
        Constraints(enum=(["a", "b"], ["c", "d"])),
    ),
    (
        {"type": "geopoint", "format": "array", "constraints": {"enum": [[1, 2.5]]}},
        Constraints(enum=((Decimal(1), Decimal("2.5")),)),
    ),
    (
        {"type": "string", "constraints": {"minLength": 1, "maxLength": 2, "pattern": "a+"}},
        Constraints(min_length=1, max_length=2, pattern="a+"),
    ),
    ({"constraints": {"required": True, "unique": True}}, Constraints(required=True, unique=True)),
    (
        {"type": "string", "categories": ["a", {"value": "b", "label": "B"}]},
        Constraints(enum=("a", "b")),
    ),
    (
        {"type": "integer", "categories": [1, 2], "constraints": {"enum": [2]}},
        Constraints(enum=(2,)),
    ),
]


@pytest.mark.parametrize(("properties", "constraints"), CONSTRAINTS)
def test_constraints_are_cast_by_the_fields_type(
    properties: dict[str, Any], constraints: Constraints
) -> None:
    assert only_field(**properties).constraints == constraints


@pytest.mark.parametrize(("properties", "constraints"), CONSTRAINTS)
def test_constraints_are_the_same_after_they_were_written_and_read(
    properties: dict[str, Any], constraints: Constraints
) -> None:
    contract = parse_contract({"fields": [{"name": "a", **properties}]})

    assert from_document(Contract, json.loads(json.dumps(to_document(contract)))) == contract


DIALECTS: list[tuple[dict[str, Any], Dialect]] = [
    ({}, Dialect()),
    ({"csvddfVersion": 1.2, "caseSensitiveHeader": False}, Dialect(case_sensitive_header=False)),
    ({"quoteChar": None}, Dialect(quote_char=None)),
    ({"quoteChar": "", "escapeChar": "\\"}, Dialect(quote_char=None, escape_char="\\")),
    ({"escapeChar": '"'}, Dialect(escape_char='"')),
    ({"csv": {"delimiter": "\t"}, "headerRows": [1, 2]}, Dialect("\t", header_rows=(1, 2))),
    ({"headerJoin": "", "commentRows": [3]}, Dialect(header_join="", comment_rows=(3,))),
    ({"lineTerminator": "\n", "sheetName": "x", "header": False}, Dialect(header=False)),
    (
        {"skipBlankRows": True, "commentChar": "//"},
        Dialect(skip_blank_rows=True, comment_char="//"),
    ),
]


@pytest.mark.parametrize(("document", "dialect"), DIALECTS)
def test_dialects_of_both_versions_are_read(document: dict[str, Any], dialect: Dialect) -> None:
    contract = parse_contract({"schema": {"fields": [{"name": "a"}]}, "dialect": document})

    assert contract.dialect == dialect
    assert from_document(Contract, json.loads(json.dumps(to_document(contract)))) == contract


@pytest.mark.parametrize("name", ["quoteChar", "escapeChar"])
def test_quotes_and_escapes_beyond_ascii_are_refused(name: str) -> None:
    document = {"schema": {"fields": [{"name": "a"}]}, "dialect": {name: "\u00ab"}}

    assert problems_of(document)[f"dialect.{name}"].startswith("expected an ASCII character")


def test_a_descriptor_of_version_1_is_read() -> None:
    contract = parse_contract(
        {
            "profile": "tabular-data-resource",
            "name": "old",
            "path": "old.csv",
            "schema": {"fields": [{"name": "id"}, {"name": "n"}], "primaryKey": "id"},
        }
    )

    assert contract.primary_key == ("id",)
    assert contract.fields[0].constraints.required


@pytest.mark.parametrize(
    ("fields_match", "extra", "missing"),
    [
        ("exact", "fail", "fail"),
        ("equal", "fail", "fail"),
        ("subset", "drop", "fail"),
        ("superset", "fail", "keep"),
        ("partial", "drop", "keep"),
    ],
)
def test_extra_columns_are_dropped_and_missing_ones_null_where_fields_match_lets_them_pass(
    fields_match: str, extra: str, missing: str
) -> None:
    contract = parse_contract({"fields": [{"name": "a"}], "fieldsMatch": fields_match})

    assert (contract.extra_columns, contract.missing_columns) == (extra, missing)


def test_a_field_without_an_output_name_gets_its_own_name_cleaned_or_as_it_is() -> None:
    fields = [{"name": " Order ID"}, {"name": "B", "pipeline": {"outputName": "The B"}}]

    cleaned = parse_contract({"fields": fields})
    original = parse_contract({"fields": fields, "pipeline": {"outputNames": "original"}})

    assert [field.output_name for field in cleaned.fields] == ["order_id", "The B"]
    assert [field.output_name for field in original.fields] == [" Order ID", "The B"]


def test_the_settings_of_the_output_have_defaults() -> None:
    settings = {"record": "flat", "outputNames": "original", "versions": "all"}
    fields = [{"name": "a"}]

    default = parse_contract({"fields": fields})
    contract = parse_contract({"fields": fields, "pipeline": settings})
    without_schema = parse_contract({"pipeline": settings})

    assert (default.record, default.output_names, default.versions) == (
        "envelope",
        "cleaned",
        "latest",
    )
    for one in (contract, without_schema, from_document(Contract, to_document(contract))):
        assert (one.record, one.output_names, one.versions) == ("flat", "original", "all")


@pytest.mark.parametrize(
    ("properties", "zone"),
    [
        ({}, "utc"),
        ({"format": "any"}, "utc"),
        ({"format": "any", "pipeline": {"timeZone": "none"}}, "none"),
        ({"format": "%Y-%m-%d %H:%M"}, "none"),
        ({"format": "%Y-%m-%d %H:%M%%z"}, "none"),
        ({"format": "%Y-%m-%d %H:%M%z"}, "utc"),
        ({"format": "%Y-%m-%d %H:%M%z", "pipeline": {"timeZone": "utc"}}, "utc"),
    ],
)
def test_format_and_setting_say_whether_datetimes_have_a_time_zone(
    properties: dict[str, Any], zone: str
) -> None:
    assert only_field(type="datetime", **properties).time_zone == zone


def test_unknown_properties_are_ignored() -> None:
    parse_contract({"fields": [{"name": "a", "unit": "kg"}], "x-owner": "sales", "contact": {}})


def test_all_problems_are_reported_at_once_with_their_paths() -> None:
    problems = problems_of(
        {
            "encoding": "utf-99",
            "dialect": {"delimiter": "||", "headerRows": [0]},
            "schema": {
                "fields": [
                    {"name": "a", "type": "integer", "constraints": {"minimum": "few"}},
                    {"name": "b", "type": "string", "constraints": {"maxLength": -1}},
                    {"name": "c", "type": "text"},
                    {"title": "no name"},
                    "d",
                ],
                "primaryKey": ["z"],
            },
            "pipeline": {
                "maxRejectPercent": 101,
                "outputFormat": "csv",
                "reportExamples": "all",
                "freshness": 0,
            },
        }
    )

    assert problems == {
        "encoding": "expected a text encoding such as utf-8 or cp1252, found 'utf-99'",
        "dialect.delimiter": "expected one character, found '||'",
        "dialect.headerRows": "expected ascending row numbers from 1, found [0]",
        "schema.fields[0].constraints.minimum": "expected an integer, found 'few'",
        "schema.fields[1].constraints.maxLength": "expected an integer of at least 0, found -1",
        "schema.fields[2].type": problems["schema.fields[2].type"],
        "schema.fields[3].name": "expected the name of a column, found nothing",
        "schema.fields[4]": "expected an object, found 'd'",
        "schema.primaryKey": "expected names of fields, found 'z'",
        "pipeline.maxRejectPercent": "expected a number from 0 to 100, found 101",
        "pipeline.outputFormat": "expected one of jsonl, parquet, found 'csv'",
        "pipeline.reportExamples": "expected one of first, none, found 'all'",
        "pipeline.freshness": "expected a number of hours, more than 0 and at most 8784, found 0",
    }


def test_a_name_has_no_nul() -> None:
    with pytest.raises(InvalidContract, match=r"fields\[0\]\.name: has a NUL character"):
        parse_contract({"schema": {"fields": [{"name": "a\0"}]}})


def test_the_message_names_every_problem() -> None:
    with pytest.raises(InvalidContract) as caught:
        parse_contract({"fields": [{"name": "a", "type": "integr"}], "primaryKey": ["b"]})

    assert "fields[0].type: expected one of " in str(caught.value)
    assert "did you mean 'integer'?" in str(caught.value)
    assert "primaryKey: expected names of fields" in str(caught.value)


WRONG_FIELDS: list[tuple[dict[str, Any], str, str]] = [
    ({"required": True}, "required", "belongs in"),
    ({"decimalChar": ","}, "decimalChar", "applies to number fields only"),
    ({"type": "string", "delimiter": ","}, "delimiter", "applies to list fields only"),
    ({"constraint": {}}, "constraint", "did you mean 'constraints'?"),
    ({"typ": "string"}, "typ", "did you mean 'type'?"),
    ({"missingvalues": []}, "missingvalues", "did you mean 'missingValues'?"),
    ({"missingValues": "-"}, "missingValues", "expected a list of texts"),
    ({"missingValues": ["-", "-"]}, "missingValues", "differ from each other"),
    ({"missingValues": ["-", {"value": "?"}]}, "missingValues[0]", "expected an object"),
    ({"outputName": "b"}, "outputName", "belongs in"),
    ({"aliases": ["b"]}, "aliases", "belongs in"),
    ({"pipeline": {"aliases": "b"}}, "pipeline.aliases", "expected a list of texts"),
    ({"pipeline": {"aliases": ["b", "b"]}}, "pipeline.aliases", "differ from each other"),
    ({"pipeline": {"outptName": "b"}}, "pipeline.outptName", "did you mean 'outputName'?"),
    ({"pipeline": {"colour": "b"}}, "pipeline.colour", "known are outputName, trim"),
    ({"type": "geojson"}, "type", "use type object"),
    ({"type": "string", "format": "emial"}, "format", "did you mean 'email'?"),
    ({"type": "date", "format": "YYYY-MM-DD"}, "format", "strptime pattern such as"),
    ({"type": "date", "format": "%Q"}, "format", "is not a strptime pattern"),
    ({"type": "date", "format": "%d.%m."}, "format", "has no year"),
    ({"type": "date", "pipeline": {"timeZone": "utc"}}, "pipeline.timeZone", "unknown property"),
    ({"type": "datetime", "pipeline": {"timeZone": "UTC"}}, "pipeline.timeZone", "utc, none"),
    (
        {"type": "datetime", "format": "%Y-%m-%d %H:%M", "pipeline": {"timeZone": "utc"}},
        "pipeline.timeZone",
        "expected none, found 'utc': the format has no time zone (%z)",
    ),
    (
        {"type": "datetime", "format": "%Y-%m-%d %H%z", "pipeline": {"timeZone": "none"}},
        "pipeline.timeZone",
        "expected utc, found 'none': the format has a time zone (%z)",
    ),
    ({"type": "integer", "format": "%d"}, "format", "expected one of default for integer"),
    ({"type": "number", "decimalChar": "7"}, "decimalChar", "numbers do not have"),
    ({"type": "number", "groupChar": "."}, "groupChar", "another character than decimalChar"),
    ({"type": "boolean", "trueValues": []}, "trueValues", "at least one"),
    ({"type": "boolean", "trueValues": ["0"]}, "falseValues", "expected none of trueValues"),
    ({"type": "list", "itemType": "object"}, "itemType", "expected one of"),
    ({"type": "array", "arrayItem": {}}, "arrayItem", "is not supported"),
]


@pytest.mark.parametrize(("properties", "name", "message"), WRONG_FIELDS)
def test_a_wrong_property_of_a_field_is_named_with_what_was_expected(
    properties: dict[str, Any], name: str, message: str
) -> None:
    assert message in problems_of_field(**properties)[f"fields[0].{name}"]


WRONG_CONSTRAINTS: list[tuple[str, dict[str, Any], str, str]] = [
    ("string", {"requried": True}, "requried", "did you mean 'required'?"),
    ("string", {"minimum": 1}, "minimum", "does not apply to type string"),
    ("integer", {"pattern": "1"}, "pattern", "does not apply to type integer"),
    ("any", {"minLength": 1}, "minLength", "does not apply to type any"),
    ("array", {"jsonSchema": {}}, "jsonSchema", "is not supported"),
    ("string", {"required": "yes"}, "required", "expected true or false, found 'yes'"),
    ("string", {"minLength": 5, "maxLength": 4}, "minLength", "no value could pass"),
    ("integer", {"minimum": 5, "maximum": 4}, "minimum", "no value could pass"),
    ("integer", {"exclusiveMinimum": 5, "maximum": 5}, "exclusiveMinimum", "no value could pass"),
    ("number", {"minimum": "NaN"}, "minimum", "found NaN"),
    ("integer", {"minimum": 1.5}, "minimum", "expected an integer, found 1.5"),
    ("date", {"minimum": 2024}, "minimum", "expected a date written as YYYY-MM-DD"),
    ("string", {"pattern": "[a"}, "pattern", "expected a regular expression"),
    ("string", {"pattern": r"\p{IsGreek}"}, "pattern", "not supported"),
    ("string", {"enum": []}, "enum", "at least one value"),
    ("string", {"enum": ["a", 1]}, "enum[1]", "expected text, found 1"),
    ("integer", {"enum": ["a"]}, "enum[0]", "expected an integer, found 'a'"),
]


@pytest.mark.parametrize(("kind", "constraints", "name", "message"), WRONG_CONSTRAINTS)
def test_a_wrong_constraint_is_named_with_what_was_expected(
    kind: str, constraints: dict[str, Any], name: str, message: str
) -> None:
    problems = problems_of_field(type=kind, constraints=constraints)

    assert message in problems[f"fields[0].constraints.{name}"]


WRONG_DOCUMENTS: list[tuple[Any, str, str]] = [
    ([], "(document)", "expected an object"),
    ({"schema": None}, "schema", "expected a Table Schema"),
    ({"dialect": {"header": False}}, "schema", "is needed where files have no header"),
    ({"dialect": {"nullSequence": "-"}}, "schema", "is needed beside nullSequence"),
    ({"pipeline": {"maxRejects": 1}}, "pipeline.maxRejects", ""),
    ({"feilds": []}, "schema", "did you mean 'fields'?"),
    ({"fields": []}, "fields", "at least one field"),
    ({"fields": {}}, "fields", "expected a list"),
    ({"resources": []}, "resources", "this is a Data Package"),
    ({"schema": "schema.json"}, "schema", "not followed"),
    ({"schema": {"$ref": "#/x", "fields": [{"name": "a"}]}}, "schema.$ref", "not supported"),
    ({"fields": [{"name": "a"}], "profile": "https://example.com/p"}, "profile", "not supported"),
    ({"fields": [{"name": "a"}], "encoding": "utf-8"}, "encoding", "belongs in a Data Resource"),
    ({"fields": [{"name": "a"}], "delimiter": ";"}, "delimiter", "belongs in the dialect"),
    ({"fields": [{"name": "a"}], "foreignKeys": []}, "foreignKeys", "is not supported"),
    ({"fields": [{"name": "a"}], "fieldMatch": "equal"}, "fieldMatch", "did you mean"),
    ({"fields": [{"name": "a"}], "fieldsMatch": "same"}, "fieldsMatch", "expected one of exact"),
    (
        {
            "fields": [{"name": "a"}],
            "fieldsMatch": "subset",
            "pipeline": {"extraColumns": "fail"},
        },
        "pipeline.extraColumns",
        "expected drop or keep",
    ),
    ({"fields": [{"name": "a"}], "uniqueKeys": ["a"]}, "uniqueKeys", "list of lists"),
    ({"fields": [{"name": "a"}], "uniqueKeys": [["b"]]}, "uniqueKeys[0]", "names of fields"),
    ({"fields": [{"name": "a"}], "uniqueKeys": [[]]}, "uniqueKeys", "list of lists"),
    ({"fields": [{"name": "a", "$ref": "b.json"}]}, "fields[0].$ref", "not followed"),
    ({"fields": [{"name": "a"}, {"name": "a"}]}, "fields[1].name", "same as that of fields[0]"),
    (
        {"fields": [{"name": "a"}, {"name": "b", "pipeline": {"outputName": "a"}}]},
        "fields[1].pipeline.outputName",
        "gives the output name 'a', which fields[0] has too",
    ),
    (
        {"fields": [{"name": "Order ID"}, {"name": " order_id"}]},
        "fields[1].name",
        "gives the output name 'order_id', which fields[0] has too; set outputName, or",
    ),
    (
        {"fields": [{"name": "a"}, {"name": " _Row "}]},
        "fields[1].name",
        "'_row' is reserved for a column of the pipeline; set another outputName",
    ),
    (
        {"fields": [{"name": "a", "pipeline": {"outputName": "_file_id"}}]},
        "fields[0].pipeline.outputName",
        "'_file_id' is reserved for a column of the pipeline",
    ),
    ({"fields": [{"name": " "}]}, "fields[0].name", "is blank; give the column a name"),
    (
        {"fields": [{"name": "a"}], "pipeline": {"record": "nested"}},
        "pipeline.record",
        "expected one of envelope, flat, found 'nested'",
    ),
    (
        {"fields": [{"name": "a"}], "pipeline": {"outputNames": "clean"}},
        "pipeline.outputNames",
        "did you mean 'cleaned'?",
    ),
    (
        {"fields": [{"name": "a"}], "pipeline": {"versions": True}},
        "pipeline.versions",
        "expected one of latest, all, found True",
    ),
    (
        {"fields": [{"name": "a"}], "pipeline": {"maxRejectCount": -2}},
        "pipeline.maxRejectCount",
        "at least -1",
    ),
    (
        {"fields": [{"name": "a"}], "pipeline": {"extraColumn": "drop"}},
        "pipeline.extraColumn",
        "did you",
    ),
]


@pytest.mark.parametrize(("document", "path", "message"), WRONG_DOCUMENTS)
def test_a_wrong_document_is_reported_with_its_path(document: Any, path: str, message: str) -> None:
    assert message in problems_of(document)[path]


WRONG_RESOURCES: list[tuple[dict[str, Any], str, str]] = [
    ({"dialect": "dialect.json"}, "dialect", "not followed"),
    ({"dialect": {"$ref": "dialect.json"}}, "dialect.$ref", "not followed"),
    ({"dialect": {"$schema": "https://example.com"}}, "dialect.$schema", "is not supported"),
    ({"dialect": {"lineTerminator": ";"}}, "dialect.lineTerminator", "expected CRLF, LF or CR"),
    ({"dialect": {"quoteChar": ","}}, "dialect.quoteChar", "expected another character"),
    ({"dialect": {"delimeter": ";"}}, "dialect.delimeter", "did you mean 'delimiter'?"),
    ({"dialect": {"commentRows": [1]}}, "dialect.commentRows", "not among headerRows"),
    ({"delimiter": ";"}, "delimiter", 'belongs in "dialect"'),
    ({"primaryKey": "a"}, "primaryKey", 'belongs in "schema"'),
    ({"format": "xlsx"}, "format", "expected csv"),
    ({"type": "json"}, "type", "expected table"),
    ({"compression": "bz2"}, "compression", "expected one of gz, no, zip"),
    ({"data": []}, "data", "is not supported"),
    ({"dialect": {"delimiter": ""}}, "dialect.delimiter", "expected one character"),
    ({"encoding": "cp1252", "dialect": {"delimiter": "☃"}}, "dialect.delimiter", "cp1252 has"),
    ({"encoding": "base64"}, "encoding", "expected a text encoding"),
    ({"encoding": "utf-7"}, "encoding", "is not supported"),
    ({"encoding": "idna"}, "encoding", "is not supported"),
    ({"pipeline": {"maxRejectCount": 2.5}}, "pipeline.maxRejectCount", "found 2.5"),
    ({"pipeline": []}, "pipeline", "expected an object"),
]


@pytest.mark.parametrize(("properties", "path", "message"), WRONG_RESOURCES)
def test_a_wrong_resource_is_reported_with_its_path(
    properties: dict[str, Any], path: str, message: str
) -> None:
    document = {"schema": {"fields": [{"name": "a"}]}, **properties}

    assert message in problems_of(document)[path]


def test_names_that_differ_in_case_alone_are_refused_where_it_does_not_matter() -> None:
    schema = {
        "fields": [{"name": "Ab"}, {"name": "aB"}],
        "pipeline": {"outputNames": "original"},
    }

    assert parse_contract({"schema": schema, "dialect": {}}).fields[1].name == "aB"
    assert problems_of({"schema": schema, "dialect": {"caseSensitiveHeader": False}}) == {
        "schema.fields[1].name": "differs only in case from that of fields[0]: caseSensitiveHeader"
    }


def test_no_problem_that_depends_on_a_wrong_type_is_reported() -> None:
    field = {"name": "a", "type": "int", "format": "x", "constraints": {"minimum": 1}}

    assert problems_of({"fields": [field]}).keys() == {"fields[0].type"}


def test_settings_may_be_next_to_the_schema_or_in_it_but_not_both() -> None:
    inside = {"fields": [{"name": "a"}], "pipeline": {"maxRejectCount": 1}}

    assert parse_contract({"schema": inside}).max_reject_count == 1
    assert "schema.pipeline" in problems_of({"schema": inside, "pipeline": {}})


def test_the_bytes_of_a_contract_are_read_without_losing_digits() -> None:
    field = b'{"name": "a", "type": "number", "constraints": {"maximum": 1.00000000000000000001}}'

    contract = read_contract(b'\xef\xbb\xbf{"fields": [' + field + b"]}", output_formats=())

    assert contract.fields[0].constraints.maximum == Decimal("1.00000000000000000001")


def test_a_bound_of_an_integer_may_have_any_number_of_digits() -> None:
    bound = 10**400 + 1
    field = {"name": "a", "type": "integer", "constraints": {"minimum": bound}}

    assert parse_contract({"fields": [field]}).fields[0].constraints.minimum == bound


def test_a_contract_without_a_schema_has_settings_only() -> None:
    contract = parse_contract(
        {
            "encoding": "cp1252",
            "dialect": {"delimiter": ";"},
            "pipeline": {"maxRejectCount": 3, "outputFormat": "parquet", "reportExamples": "none"},
        },
        output_formats=OUTPUT_FORMATS,
    )
    assert contract.fields == ()
    assert contract.encoding == "cp1252"
    assert contract.dialect is not None
    assert contract.dialect.delimiter == ";"
    assert (contract.max_reject_count, contract.output_format) == (3, "parquet")
    assert not contract.report_examples
    assert parse_contract({}) == Contract(fields=())


def test_a_schema_that_is_null_is_missing() -> None:
    assert problems_of({"schema": None, "name": "x"}) == {
        "schema": "expected a Table Schema with its fields, found nothing"
    }


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"fields": [}', r"expected JSON: .* line 1 column 13"),
        (b'{"fields": "\xff"}', "expected UTF-8, found another byte at offset 12"),
        (b'{"fields": [], "fields": []}', "fields: occurs more than once"),
        (b"[" * 100_000, "expected JSON"),
        (
            rb'{"fields": [{"name": "\ud83d"}]}',
            r"fields\[0\].name: contains half of a surrogate pair",
        ),
    ],
)
def test_bytes_that_are_not_a_contract_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(InvalidContract, match=message):
        read_contract(data, output_formats=())


@pytest.mark.parametrize(
    ("names", "dialect"),
    [
        ((("a", ["b"]), ("b", [])), {}),
        ((("a", ["c"]), ("b", ["c"])), {}),
        ((("a", ["a"]), ("b", [])), {}),
        ((("a", ["B"]), ("b", [])), {"caseSensitiveHeader": False}),
    ],
)
def test_an_alias_differs_from_all_other_names(
    names: tuple[tuple[str, list[str]], ...], dialect: dict[str, Any]
) -> None:
    fields = [{"name": name, "pipeline": {"aliases": aliases}} for name, aliases in names]
    with pytest.raises(InvalidContract, match="aliases: "):
        parse_contract({"schema": {"fields": fields}, "dialect": dialect})
