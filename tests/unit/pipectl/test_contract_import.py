"""`pipectl contract import`: Data Packages and ODCS data contracts become contracts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipectl.commands.contract import command
from pipectl.local.contract_import import _strptime

ODCS = """
apiVersion: v3.0.2
kind: DataContract
id: 53581432-6c55-4ba2-a65f-72344a91553a
name: sales
schema:
  - name: Orders
    physicalType: table
    properties:
      - name: order_id
        physicalName: Order ID
        logicalType: string
        required: true
        unique: true
        primaryKey: true
        logicalTypeOptions: {pattern: "O-[0-9]{6}", maxLength: 8}
        description: Number of the order
      - name: ordered_on
        logicalType: date
        logicalTypeOptions: {format: dd.MM.yyyy, minimum: 01.01.2020}
      - name: shipped_at
        logicalType: timestamp
        logicalTypeOptions: {format: "yyyy-MM-dd'T'HH:mm:ss"}
      - name: total
        logicalType: number
        logicalTypeOptions: {minimum: 0}
        quality: [{rule: nullCheck}]
      - name: shape
        logicalType: geometry
"""


def run(path: Path, *options: str) -> Result:
    return CliRunner().invoke(command, ["import", str(path), *options])


def printed(result: Result) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(result.output[result.output.index("{\n") :])
    return document


def test_an_odcs_table_becomes_a_contract(tmp_path: Path) -> None:
    path = tmp_path / "orders.odcs.yaml"
    path.write_text(ODCS)
    result = run(path)

    assert result.exit_code == 0, result.output
    document = printed(result)
    assert document["name"] == "orders"
    assert document["schema"] == {
        "fields": [
            {
                "name": "Order ID",
                "type": "string",
                "description": "Number of the order",
                "pipeline": {"outputName": "order_id"},
                "constraints": {
                    "maxLength": 8,
                    "pattern": "O-[0-9]{6}",
                    "required": True,
                    "unique": True,
                },
            },
            {
                "name": "ordered_on",
                "type": "date",
                "format": "%d.%m.%Y",
                "constraints": {"minimum": "01.01.2020"},
            },
            {"name": "shipped_at", "type": "datetime"},
            {"name": "total", "type": "number", "constraints": {"minimum": 0}},
            {"name": "shape", "type": "any"},
        ],
        "primaryKey": ["Order ID"],
    }
    assert "note: shape: the type geometry is not known" in result.output
    assert "note: quality rules are left out" in result.output


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of two resources, one of which has its schema in a file of its own."""
    schema = {
        "fields": [{"name": "id", "type": "integer"}],
        "foreignKeys": [{"fields": ["id"], "reference": {"resource": "b", "fields": ["id"]}}],
    }
    (tmp_path / "a.schema.json").write_text(json.dumps(schema))
    resources = [
        {"name": "a", "path": "a.csv", "schema": "a.schema.json", "dialect": {"delimiter": ";"}},
        {"name": "b", "path": "b.csv", "schema": {"fields": [{"name": "id"}]}},
        {"name": "far", "schema": "https://example.com/schema.json"},
        {"name": "out", "schema": "../schema.json"},
    ]
    path = tmp_path / "datapackage.json"
    path.write_text(json.dumps({"name": "p", "resources": resources}))
    return path


def test_a_resource_of_a_package_becomes_a_contract(package: Path) -> None:
    result = run(package, "--resource", "a", "--out", str(package.parent / "a.json"))

    assert result.exit_code == 0, result.output
    assert "note: foreignKeys is left out" in result.output
    assert json.loads((package.parent / "a.json").read_text()) == {
        "name": "a",
        "path": "a.csv",
        "schema": {"fields": [{"name": "id", "type": "integer"}]},
        "dialect": {"delimiter": ";"},
    }
    again = run(package, "--resource", "a", "--out", str(package.parent / "a.json"))
    assert again.exit_code == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "There are 4 of them. Name one with --resource: a, b, far, out."),
        (("--resource", "c"), "There is no resource 'c'."),
        (("--resource", "far"), "is not a file in the package's folder"),
        (("--resource", "out"), "is not a file in the package's folder"),
    ],
)
def test_an_ambiguous_or_missing_table_is_an_error(
    package: Path, options: tuple[str, ...], words: str
) -> None:
    result = run(package, *options)

    assert result.exit_code == 1
    assert words in result.output


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.json", "{}", "is neither a Frictionless Data Package"),
        ("a.json", "[]", "expected an object"),
        ("a.json", "{", "expected JSON"),
        ("a.yaml", "a: [", "expected YAML"),
        ("a.json", '{"fields": [{"name": "a", "type": "x"}]}', "fields[0].type: expected one of"),
    ],
)
def test_other_documents_are_refused(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    result = run(tmp_path / name)

    assert result.exit_code == 1
    assert words in result.output


@pytest.mark.parametrize(
    ("java", "strptime"),
    [
        ("yyyy-MM-dd", "%Y-%m-%d"),
        ("d MMM yy", "%d %b %y"),
        ("yyyy-MM-dd'T'HH:mm:ssXXX", "%Y-%m-%dT%H:%M:%S%z"),
        ("hh:mm a", "%I:%M %p"),
        ("uuuu-MM-dd'T'HH:mm:ss.SSSZ", "%Y-%m-%dT%H:%M:%S.%f%z"),
        ("dd.MM.yyyy 'o''clock' ''HH''", "%d.%m.%Y o'clock '%H'"),
        ("HH:mm '100%'", "%H:%M 100%%"),
    ],
)
def test_patterns_of_java_are_translated(java: str, strptime: str) -> None:
    assert _strptime(java) == strptime


def odcs(columns: str, version: str = "v3.0.2") -> str:
    return (
        f"{{kind: DataContract, apiVersion: {version},"
        f" schema: [{{name: t, properties: [{columns}]}}]}}"
    )


@pytest.mark.parametrize(
    ("java", "part"),
    [
        ("YYYY-ww", "YYYY"),
        ("yyyyy-MM-dd", "yyyyy"),
        ("yyyy-MM-dd HH:mm:ss.n", "n"),
        ("yyyy-MM-dd'T'HH:mm:ssxxx", "xxx"),
        ("yyyy-MM-dd[ HH:mm]", "["),
        ("yyyy-MM-dd 'at", "'"),
    ],
)
def test_a_pattern_without_counterpart_is_refused_with_its_field(
    tmp_path: Path, java: str, part: str
) -> None:
    path = tmp_path / "a.yaml"
    column = {"name": "sold", "logicalType": "timestamp", "logicalTypeOptions": {"format": java}}
    path.write_text(odcs(json.dumps(column)))
    result = run(path)

    assert result.exit_code == 1
    assert f"sold: the format {java!r} has {part!r}, which a contract can't" in result.output


@pytest.mark.parametrize(
    ("column", "note"),
    [
        ("{name: a, logicalType: string, logicalTypeOptions: {format: ipv4}}", "format 'ipv4'"),
        ("{name: a, logicalType: integer, logicalTypeOptions: {multipleOf: 5}}", "multipleOf"),
        ("{name: a, logicalType: integer, logicalTypeOptions: {maxLength: 5}}", "maxLength"),
    ],
)
def test_properties_that_a_contract_cannot_express_are_noted(
    tmp_path: Path, column: str, note: str
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(odcs(column))
    result = run(path)

    assert result.exit_code == 0, result.output
    assert note in result.output
    assert " is left out" in result.output
    (field,) = printed(result)["schema"]["fields"]
    assert field.keys() == {"name", "type"}


def test_dates_in_yaml_are_bounds_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(odcs("{name: a, logicalType: date, logicalTypeOptions: {minimum: 2020-01-31}}"))
    result = run(path)

    assert result.exit_code == 0, result.output
    assert printed(result)["schema"]["fields"][0]["constraints"] == {"minimum": "2020-01-31"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (odcs("{name: a}", version="v2.2.2"), "has the apiVersion v2.2.2; only version 3"),
        (odcs("{logicalType: date}"), "A property of the table has no name"),
        (odcs("a"), "A property of the table has no name"),
        (odcs("{name: a, logicalTypeOptions: [x]}"), "a: logicalTypeOptions: expected an object"),
    ],
)
def test_a_data_contract_that_is_damaged_or_old_is_an_error(
    tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    result = run(path)

    assert result.exit_code == 1
    assert words in " ".join(result.output.split())


def test_a_document_that_is_not_utf_8_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"{\xff}")
    result = run(path)

    assert result.exit_code == 1
    assert "expected JSON: 'utf-8' codec can't decode" in result.output
