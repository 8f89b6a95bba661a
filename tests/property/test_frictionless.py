"""Cells get the verdict and value that frictionless-py gives them, but for named differences."""

from __future__ import annotations

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
from hypothesis import given, settings
from hypothesis import strategies as st

from tabular.cells import Cell, reader
from tabular.contract import Field
from tabular.descriptor import parse_contract
from tabular.temporal import Duration
from tests.property.frictionless_differences import DIFFERENCES, explained

if TYPE_CHECKING:
    from collections.abc import Callable

CONTRACTS_PAGE = Path(__file__).parents[2] / "docs" / "contracts.md"

NUMBERS = ("1234.5", "-1,234.50", "1.234,5", "€5", "5 %", "NaN", "-INF", "1.5e-5", "+.5", "007")
DATES = ("2024-01-05", "05/01/2024", "5 Jan 2024", "2024-1-5")
MOMENTS = ("2024-01-26T15:00:00Z", "2024-01-26T15:00:00.300-05:00", "2024-01-26 15:00")
SEEDS: dict[str, tuple[str, ...]] = {
    "string": (
        "jane@example.com",
        "https://example.com/a?b=%20#c",
        "aGVsbG8=",
        "123e4567-e89b-12d3-a456-426614174000",
        "Zürich",
    ),
    "number": NUMBERS,
    "integer": ("1234", "1,234", "-5", "+07", "12 pcs", " 3"),
    "boolean": ("true", "False", "1", "0", "yes"),
    "date": DATES,
    "datetime": MOMENTS,
    "time": ("15:00:00", "15:00:00.5Z", "24:00:00", "3:00 PM"),
    "year": ("2024", "-0044", "12024"),
    "yearmonth": ("2024-05", "2024-5"),
    "duration": ("P1Y2M3DT4H5M6.5S", "P2W", "-PT1H", "P1.5D"),
    "object": ('{"a": 1.50}', "{}", '{"a": [null]}'),
    "array": ("[1]", '["a", {}]'),
    "list": ("a,b", "1,2.5", "2024-01-05,2024-01-06", "a;b", "true,0"),
    "geopoint": ("90.5, 45", "[90.5,-45]", '{"lon": 90, "lat": 45}'),
    "any": ("007", ""),
}
VARIANTS: list[dict[str, Any]] = [
    {"type": "string"},
    {"type": "string", "format": "email"},
    {"type": "string", "format": "uri"},
    {"type": "string", "format": "binary"},
    {"type": "string", "format": "uuid"},
    {"type": "number"},
    {"type": "number", "groupChar": ","},
    {"type": "number", "decimalChar": ",", "groupChar": "."},
    {"type": "number", "bareNumber": False},
    {"type": "number", "bareNumber": False, "decimalChar": ",", "groupChar": "."},
    {"type": "integer"},
    {"type": "integer", "groupChar": ","},
    {"type": "integer", "bareNumber": False},
    {"type": "boolean"},
    {"type": "boolean", "trueValues": ["yes"], "falseValues": ["no", ""]},
    {"type": "date"},
    {"type": "date", "format": "%d/%m/%Y"},
    {"type": "date", "format": "any"},
    {"type": "datetime"},
    {"type": "datetime", "format": "%Y-%m-%d %H:%M"},
    {"type": "datetime", "format": "any"},
    {"type": "time"},
    {"type": "time", "format": "%I:%M %p"},
    {"type": "time", "format": "any"},
    {"type": "year"},
    {"type": "yearmonth"},
    {"type": "duration"},
    {"type": "object"},
    {"type": "array"},
    {"type": "list"},
    {"type": "list", "itemType": "integer"},
    {"type": "list", "itemType": "number"},
    {"type": "list", "itemType": "date"},
    {"type": "list", "itemType": "boolean", "delimiter": ";"},
    {"type": "geopoint"},
    {"type": "geopoint", "format": "array"},
    {"type": "geopoint", "format": "object"},
    {"type": "any"},
]
CONSTRAINED: list[dict[str, Any]] = [
    {"type": "string", "constraints": {"required": True, "minLength": 3, "maxLength": 8}},
    {"type": "string", "constraints": {"pattern": "[a-z.@]*", "enum": ["a", "jane@example.com"]}},
    {"type": "number", "constraints": {"minimum": 5, "exclusiveMaximum": "1234.5"}},
    {
        "type": "number",
        "constraints": {"exclusiveMinimum": -5.5, "maximum": 7, "enum": [7, "1.5e-5"]},
    },
    {
        "type": "integer",
        "constraints": {"minimum": "-5", "exclusiveMaximum": 1234, "required": True},
    },
    {"type": "boolean", "constraints": {"enum": [True]}},
    {"type": "date", "constraints": {"minimum": "2024-01-05", "exclusiveMaximum": "2025-01-05"}},
    {"type": "date", "format": "%d/%m/%Y", "constraints": {"maximum": "05/01/2024"}},
    {"type": "time", "constraints": {"exclusiveMinimum": "15:00:00", "maximum": "23:00:00"}},
    {"type": "year", "constraints": {"minimum": 2000, "maximum": "2024"}},
    {"type": "yearmonth", "constraints": {"minimum": "2024-05"}},
    {"type": "object", "constraints": {"minLength": 1, "maxLength": 1}},
    {"type": "array", "constraints": {"maxLength": 1, "required": True}},
    {"type": "list", "constraints": {"minLength": 2, "maxLength": 3}},
    {"type": "any", "constraints": {"enum": ["007"]}},
]


@st.composite
def texts_near(draw: st.DrawFn, seeds: tuple[str, ...]) -> str:
    """A seed with up to three characters put in, taken out or changed; or any text at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.text(max_size=12))
    text = draw(st.sampled_from(seeds))
    letters = st.sampled_from(sorted({*"".join(seeds), *"0123456789+-.,: _eT", "٣", "\u00a0"}))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        kept = at + draw(st.integers(0, 1))
        text = text[:at] + draw(st.one_of(st.just(""), letters)) + text[kept:]
    return text


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
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_cell_gets_the_verdict_of_frictionless(
    properties: dict[str, Any], data: st.DataObject
) -> None:
    judge(properties, data.draw(texts_near(SEEDS[properties["type"]])))


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("properties", [*VARIANTS, *CONSTRAINED], ids=str)
@settings(max_examples=2000, deadline=None)
@given(data=st.data())
def test_a_cell_gets_the_verdict_of_frictionless_in_many_cases(
    properties: dict[str, Any], data: st.DataObject
) -> None:
    judge(properties, data.draw(texts_near(SEEDS[properties["type"]])))


@settings(max_examples=50, deadline=None)
@given(
    schema_missing=st.lists(st.sampled_from(["", "-", "n/a", "0"]), unique=True),
    field_missing=st.lists(st.sampled_from(["", "-", "n/a", "0"]), unique=True),
    row=st.tuples(*[st.sampled_from(["", "-", "n/a", "0", "5"])] * 3),
)
def test_missing_values_of_schema_and_field_mean_what_they_mean_to_frictionless(
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


@pytest.mark.parametrize("name", sorted({difference.name for difference in DIFFERENCES}))
def test_every_difference_is_documented_with_its_reason(name: str) -> None:
    assert f"| `{name}` |" in CONTRACTS_PAGE.read_text(encoding="utf-8")
