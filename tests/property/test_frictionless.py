"""Cells get the verdict and value that frictionless-py gives them, except for named differences."""

from __future__ import annotations

import gzip
import json
from datetime import date, time, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import isodate  # type: ignore[import-untyped]
import pytest
from frictionless import Field as PeerField
from frictionless import Schema as PeerSchema
from frictionless import describe
from hypothesis import given, settings
from hypothesis import strategies as st

from tabular.contract.descriptor import parse_contract
from tabular.model import Field
from tabular.values.cells import Cell, reader
from tabular.values.dates import Duration
from tests.effort import examples
from tests.property.fields_and_texts import CONSTRAINED, SEEDS, VARIANTS, texts_near
from tests.property.frictionless_differences import DIFFERENCES, explained
from tests.unit.tabular.engine import run

if TYPE_CHECKING:
    from collections.abc import Callable

CONTRACTS_PAGE = Path(__file__).parents[2] / "docs" / "contracts.md"


def rules_broken(cell: Cell) -> set[str]:
    """Name what is wrong with a cell as frictionless does: `type`, or the broken constraints."""
    return {
        "type" if fault.code == "type-error" else fault.message.split('"')[1]
        for fault in cell.faults
    }


def comparable(value: Any) -> Any:
    """Bring values of both sides to what == can compare."""
    for kinds, convert in COMPARABLE:
        if isinstance(value, kinds):
            return convert(value)
    return value


def peer_duration(value: Any) -> tuple[int, Decimal]:
    """Give the months and seconds of an isodate.Duration, as our durations have them."""
    return int(12 * value.years + value.months), comparable(value.tdelta)[1]


COMPARABLE: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (Duration, tuple),
    (timedelta, lambda value: (0, Decimal(value // timedelta(microseconds=1)).scaleb(-6))),
    (isodate.Duration, peer_duration),
    ((date, time), lambda value: value.isoformat()),
    (Decimal, lambda value: "NaN" if value.is_nan() else value),
    (float, lambda value: Decimal(str(value))),
    (dict, lambda value: {name: comparable(item) for name, item in value.items()}),
    ((list, tuple), lambda value: [comparable(item) for item in value]),
)


@cache
def readers(properties: str) -> tuple[Field, Callable[[str], Cell], Any]:
    descriptor = {"name": "a", **json.loads(properties)}
    field = parse_contract({"fields": [descriptor]}).fields[0]
    return field, reader(field), PeerField.from_descriptor(descriptor).create_cell_reader()


def judge(properties: dict[str, Any], text: str) -> None:
    field, read, peer_read = readers(json.dumps(properties))
    cell = read(text)
    try:
        value, notes = peer_read(text)
    except TypeError:
        assert explained(field, text, "compares")
        return

    if notes and not cell.faults:
        assert explained(field, text, "accepts"), (notes, cell)
    elif cell.faults and not notes:
        assert explained(field, text, "refuses"), (value, cell)
    elif cell.faults:
        assert rules_broken(cell) == set(notes) or explained(field, text, "refuses")
    elif comparable(value) != comparable(cell.value):
        assert explained(field, text, "reads another value"), (value, cell)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("properties", [*VARIANTS, *CONSTRAINED], ids=str)
@examples(4)
@given(data=st.data())
def test_a_cell_gets_the_verdict_of_frictionless(
    properties: dict[str, Any], data: st.DataObject
) -> None:
    judge(properties, data.draw(texts_near(SEEDS[properties["type"]])))


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("properties", [*VARIANTS, *CONSTRAINED], ids=str)
@settings(max_examples=2000)
@given(data=st.data())
def test_a_cell_gets_the_verdict_of_frictionless_in_many_cases(
    properties: dict[str, Any], data: st.DataObject
) -> None:
    judge(properties, data.draw(texts_near(SEEDS[properties["type"]])))


@examples(8)
@given(
    schema_missing=st.lists(st.sampled_from(["", "-", "n/a", "0"]), unique=True),
    field_missing=st.lists(st.sampled_from(["", "-", "n/a", "0"]), unique=True),
    row=st.tuples(*[st.sampled_from(["", "-", "n/a", "0", "5"])] * 3),
)
def test_missing_values_of_schema_and_field_mean_the_same_as_in_frictionless(
    schema_missing: list[str], field_missing: list[str], row: tuple[str, str, str]
) -> None:
    schema = {
        "$schema": "https://datapackage.org/profiles/2.0/tableschema.json",
        "missingValues": schema_missing,
        "fields": [
            {"name": "a", "type": "integer"},
            {"name": "b", "type": "integer", "missingValues": field_missing},
            {"name": "c", "type": "string", "constraints": {"required": True}},
        ],
    }
    values, notes = PeerSchema.from_descriptor(schema).read_cells(list(row))

    cells = [
        reader(field)(text) for field, text in zip(parse_contract(schema).fields, row, strict=True)
    ]

    assert [cell.value for cell in cells] == values
    assert [rules_broken(cell) for cell in cells] == [set(note or ()) for note in notes]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz"])
def test_a_file_passes_the_contract_in_which_frictionless_describes_it(
    tmp_path: Path, name: str
) -> None:
    content = "day;n\n2024-01-31;1\n".replace(";", "\t" if "tsv" in name else ";").encode()
    stored = gzip.compress(content, mtime=0) if name.endswith("gz") else content
    (tmp_path / name).write_bytes(stored)

    described = json.loads(describe(name, basepath=str(tmp_path)).to_json())

    assert run(stored, parse_contract(described), name=name).data == [{"day": "2024-01-31", "n": 1}]


@pytest.mark.parametrize("name", sorted({difference.name for difference in DIFFERENCES}))
def test_every_difference_is_documented_with_its_reason(name: str) -> None:
    assert f"| `{name}` |" in CONTRACTS_PAGE.read_text(encoding="utf-8")
