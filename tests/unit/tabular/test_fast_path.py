"""Plain columns take the fast path: no cell that is written like its value is read by `cells`.

The results would be the same on the slow path, only many times later. So nothing else fails if a
property that every contract has, or a new one, makes columns leave the fast path.
"""

from __future__ import annotations

import re
from typing import Any

import polars as pl
import pytest

from tabular.values import cells, fast_valid
from tabular.values.columns import ColumnReader
from tests.unit.tabular.engine import contract_of

Descriptor = dict[str, Any]

STRINGS = [f"text {number}" for number in range(1000)]
INTEGERS = [str(number) for number in range(-400, 600)]
NUMBERS = [f"{number}.{number % 10}5" for number in range(1000)]
DATES = [f"{2000 + n // 336}-{n // 28 % 12 + 1:02}-{n % 28 + 1:02}" for n in range(1000)]
TIMES = [f"{n % 24:02}:{n % 60:02}:{n // 24:02}" for n in range(1000)]
TEXTS: dict[tuple[str, str], list[str]] = {
    ("string", "default"): STRINGS,
    ("any", "default"): STRINGS,
    ("string", "email"): [f"user.{number}@mail.example.org" for number in range(1000)],
    ("string", "uuid"): [f"{number:08x}-0000-4000-8000-000000000000" for number in range(1000)],
    ("string", "uri"): [f"https://example.org:80/a/{n}?b=c-d#e" for n in range(1000)],
    ("integer", "default"): INTEGERS,
    ("year", "default"): [str(number) for number in range(1000, 2000)],
    ("number", "default"): NUMBERS + INTEGERS,
    ("date", "default"): DATES,
    ("datetime", "default"): [
        f"{day}T{time}{zone}"
        for day, time, zone in zip(DATES, TIMES, ["Z", "", "+02:00", "-05:30"] * 250, strict=True)
    ],
    ("time", "default"): TIMES,
    ("yearmonth", "default"): [f"{1900 + n // 12}-{n % 12 + 1:02}" for n in range(1000)],
}
"""For each type that has a fast path, texts that are written like their values."""

# Their texts are rarely those of their values: `cells` reads each distinct text once.
SLOW_TYPES = {"array", "boolean", "duration", "geopoint", "list", "object"}

LIMITS: dict[str, tuple[Any, Any]] = {
    "integer": (-1000, 1000),
    "year": (999, 2001),
    "number": (-1000, 1000.5),
    "date": ("1999-12-31", "2099-01-01"),
}
"""For each type whose bounds are compared on the fast path, bounds beyond all its texts."""


def constraints_of(kind: str, texts: list[str]) -> list[Descriptor]:
    """The constraints that have conditions on the fast path for this type."""
    found: list[Descriptor] = [{"required": True}, {"unique": True}]
    if kind in {"string", "any"}:
        found.append({"enum": texts})
    if kind == "string":
        found += [{"minLength": 1}, {"maxLength": 200}, {"pattern": "[a-z0-9 @.:/?=#-]+"}]
    if kind == "date":
        found.append({"enum": texts})
    if kind in LIMITS:
        low, high = LIMITS[kind]
        found += [
            {"minimum": low},
            {"maximum": high},
            {"exclusiveMinimum": low},
            {"exclusiveMaximum": high},
        ]
    return found


CASES: list[Any] = [
    pytest.param(
        {"type": kind, "format": form, "constraints": constraints},
        texts,
        id=f"{kind}-{form}-{next(iter(constraints), 'plain')}",
    )
    for (kind, form), texts in TEXTS.items()
    for constraints in [{}, *constraints_of(kind, texts)]
]


def reader_of(monkeypatch: pytest.MonkeyPatch, **descriptor: Any) -> tuple[ColumnReader, list[str]]:
    """The reader of a contract's field, and the texts that it gives to the slow path."""
    contract = contract_of({"name": "f", **descriptor})
    column = ColumnReader(contract.fields[0])
    read, slow = column.read_text, list[str]()

    def noted(text: str) -> Any:
        slow.append(text)
        return read(text)

    monkeypatch.setitem(column.__dict__, "read_text", noted)
    return column, slow


def test_every_type_and_constraint_has_a_case_here() -> None:
    assert set(TEXTS) == set(fast_valid._PATTERNS)
    types = {*cells._SIMPLE_CASTERS, *cells._CASTER_MAKERS}
    assert {kind for kind, _ in TEXTS} | SLOW_TYPES == types
    tested = {name for case in CASES for name in case.values[0]["constraints"]}
    assert {_snake(name) for name in tested} == set(fast_valid._SUFFICIENT)


def _snake(name: str) -> str:
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


@pytest.mark.parametrize("times", [1, 20], ids=["distinct", "repeated"])
@pytest.mark.parametrize(("descriptor", "texts"), CASES)
def test_a_plain_column_takes_the_fast_path(
    monkeypatch: pytest.MonkeyPatch, descriptor: Descriptor, texts: list[str], times: int
) -> None:
    column, slow = reader_of(monkeypatch, **descriptor)
    values = column.read(pl.Series(texts * times))
    assert slow == []
    assert values.faults is None
    assert values.texts.to_list() == texts * times


@pytest.mark.parametrize(
    "more",
    [
        {"title": "A title", "description": "What it is", "example": "1", "rdfType": "x:y"},
        {"missingValues": ["", "NA", "-"]},
        {"pipeline": {"aliases": ["old name", "older name"]}},
        {"pipeline": {"outputName": "another"}},
        {"pipeline": {"trim": True}},
    ],
    ids=["documentation", "missing values", "aliases", "output name", "trim"],
)
@pytest.mark.parametrize("kind", sorted({kind for kind, _ in TEXTS}))
def test_ordinary_settings_of_a_contract_stay_on_the_fast_path(
    monkeypatch: pytest.MonkeyPatch, kind: str, more: Descriptor
) -> None:
    texts = TEXTS[kind, "default"]
    column, slow = reader_of(monkeypatch, type=kind, **more)
    column.read(pl.Series(texts))
    assert slow == []


NOTATIONS: list[Any] = [
    ({"type": "number", "decimalChar": ","}, ["{0},5", "-{0},50"], ["{0}.5", "-{0}.50"]),
    (
        {"type": "number", "decimalChar": ",", "groupChar": "."},
        ["1.{0}.007,5", "+{0}"],
        ["1{0}007.5", "{0}"],
    ),
    (
        {"type": "number", "bareNumber": False, "decimalChar": ","},
        ["€ {0},50", "-{0}%", "EUR{0}", "{0},5 kWh"],
        ["{0}.50", "-{0}", "{0}", "{0}.5"],
    ),
    ({"type": "integer", "groupChar": " "}, ["+7 {0}", "00{0}"], ["7{0}", "{0}"]),
    ({"type": "number"}, ["+{0}", "0{0}.5", "{0}."], ["{0}", "{0}.5", "{0}"]),
    ({"type": "number", "constraints": {"minimum": 1}}, ["+{0}", "{0}.0"], ["{0}", "{0}.0"]),
]


@pytest.mark.parametrize(("descriptor", "forms", "values"), NOTATIONS)
def test_numbers_in_another_notation_are_rewritten_as_a_column(
    monkeypatch: pytest.MonkeyPatch, descriptor: Descriptor, forms: list[str], values: list[str]
) -> None:
    column, slow = reader_of(monkeypatch, **descriptor)
    numbers = range(100, 1000)
    read = column.read(pl.Series([form.format(n) for n in numbers for form in forms]))
    assert slow == []
    assert read.faults is None
    assert read.texts.to_list() == [value.format(n) for n in numbers for value in values]


@pytest.mark.parametrize("kind", sorted(SLOW_TYPES))
def test_a_column_of_another_type_reads_each_distinct_text_once(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    examples = {
        "array": "[1, 2]",
        "boolean": "true",
        "duration": "P1D",
        "geopoint": "1, 2",
        "list": "a,b",
        "object": '{"a": 1}',
    }
    column, slow = reader_of(monkeypatch, type=kind)
    for _ in range(3):
        assert column.read(pl.Series([examples[kind]] * 1000)).faults is None
    assert slow == [examples[kind]]


NO_TYPES: list[Any] = [
    ({"type": "integer"}, "1-{}"),
    ({"type": "number"}, "1.2.{}"),
    ({"type": "number"}, "{}e999"),
    ({"type": "date"}, "1{:03}-02-30"),
    ({"type": "datetime"}, "2024-02-30T00:00:00.{}"),
    ({"type": "datetime"}, "2024-02-28T00:60:00.{}"),
    ({"type": "time"}, "25:00:00.{}"),
    ({"type": "time"}, "24:00:00.1{}"),
    ({"type": "yearmonth"}, "1{:03}-13"),
    ({"type": "string", "format": "email"}, "user{}@localhost"),
    ({"type": "string", "format": "uuid"}, "{:08x}-0000-4000-8000-00000000000g"),
    ({"type": "date", "constraints": {"enum": ["2024-01-01"]}}, "1{:03}-02-28"),
    (
        {"type": "string", "format": "email", "constraints": {"maxLength": 5}},
        "user{}@mail.example.org",
    ),
]
"""Texts of which thousands have the same fault, each with another number in it."""


@pytest.mark.parametrize(("descriptor", "template"), NO_TYPES)
def test_of_faulty_texts_of_a_kind_one_is_read(
    monkeypatch: pytest.MonkeyPatch, descriptor: Descriptor, template: str
) -> None:
    column, slow = reader_of(monkeypatch, **descriptor)
    texts = [template.format(number) for number in range(1, 1000)]
    faults = column.read(pl.Series(texts)).faults
    assert faults is not None
    assert (len(faults), len(slow)) == (len(texts), 1)
