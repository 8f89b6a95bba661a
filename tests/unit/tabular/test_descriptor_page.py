"""docs/contracts.md is correct: its examples are run, and its lists are complete."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from tabular.contract.descriptor import parse_contract
from tabular.contract.dialect_descriptor import dialect_document
from tabular.errors import TabularError
from tabular.faults import ADVICE, FaultCode
from tabular.model import Dialect
from tabular.values.cells import read_cell
from tabular.writing.parquet import parquet_schema
from tests.unit.tabular.engine import run

PAGE = (Path(__file__).parents[3] / "docs" / "contracts.md").read_text(encoding="utf-8")


def example(name: str) -> str:
    """The block, or the rows of the table, after the comment that names the example."""
    _, _, text = PAGE.partition(f"<!-- example: {name} -->\n")
    if text.startswith("```"):
        return text.partition("\n")[2].partition("```")[0]
    return text.partition("\n\n")[0]


def rows(table: str) -> list[list[str]]:
    lines = table.strip().splitlines()[2:]
    return [
        [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")]
        for line in lines
    ]


def code(cell: str) -> str:
    return cell[1:-1] if cell.startswith("`") else cell


def test_the_example_gives_the_records_and_faults_that_the_page_shows() -> None:
    contract = parse_contract(json.loads(example("contract")))

    result = run(example("file").encode(), contract)

    assert result.data == [json.loads(example("data"))]
    assert [
        [
            str(reject["row"]),
            str(reject["line"]),
            fault["field"],
            fault["code"],
            fault["message"],
            fault["value"],
        ]
        for reject in result.rejects
        for fault in reject["errors"]
    ] == rows(example("faults"))


@pytest.mark.parametrize(("kind", "properties", "cell", "json_text"), rows(example("cells")))
def test_a_cell_becomes_the_json_that_the_page_shows(
    kind: str, properties: str, cell: str, json_text: str
) -> None:
    settings = json.loads(code(properties) or "{}")
    (field,) = parse_contract({"fields": [{"name": "a", "type": kind, **settings}]}).fields

    _, json_shown, faults = read_cell(field, code(cell))

    assert (json_shown, faults) == (code(json_text), ())


@pytest.mark.parametrize(("kind", "column", "refused"), rows(example("parquet")))
def test_a_type_has_the_parquet_column_that_the_page_shows(
    kind: str, column: str, refused: str
) -> None:
    contract = parse_contract({"fields": [{"name": "a", "type": kind}, {"name": "b"}]})
    content = f"a,b\n{code(refused)},x\n".encode()

    assert str(parquet_schema(contract.fields)["a"]) == column
    assert run(content, contract, output_format="parquet").part.error_count == bool(refused)


@pytest.mark.parametrize(("properties", "column", "cell", "refused"), rows(example("zones")))
def test_datetimes_have_a_time_zone_in_parquet_or_none_as_the_page_shows(
    properties: str, column: str, cell: str, refused: str
) -> None:
    field = {"name": "a", "type": "datetime", **json.loads(code(properties))}
    contract = parse_contract({"fields": [field, {"name": "b"}]})
    content = f"a,b\n{code(cell)},x\n" + (f"{code(refused)},x\n" if refused else "")

    assert str(parquet_schema(contract.fields)["a"]) == column
    assert run(content.encode(), contract, output_format="parquet").codes == (
        {2: ["type-error"]} if refused else {}
    )


@pytest.mark.parametrize("fault_code", get_args(FaultCode))
def test_every_code_of_a_fault_is_explained_as_in_the_report(fault_code: FaultCode) -> None:
    advice = ADVICE[fault_code]
    assert f"| `{fault_code}` | {advice.when} | {advice.fix} |" in PAGE


@pytest.mark.parametrize(
    "error",
    sorted({kind.__name__ for kind in TabularError.__subclasses__()} - {"MisalignedSplits"}),
)
def test_every_file_level_error_that_people_see_is_explained(error: str) -> None:
    assert f"| `{error}` |" in PAGE


@pytest.mark.parametrize("name", dialect_document(Dialect(comment_rows=(1,), comment_char="#")))
def test_every_property_of_a_dialect_is_explained(name: str) -> None:
    assert re.search(rf"^\|.*`{name}`.*\|", PAGE, re.MULTILINE)
