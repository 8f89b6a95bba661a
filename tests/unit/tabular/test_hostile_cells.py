"""No cell, however large, takes more than linear time: types, formats and constraints."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tabular.values.cells import reader
from tests.unit.tabular.engine import contract_of

N = 300_000
NINES = "9" * N
HOSTILE: list[tuple[dict[str, Any], list[str]]] = [
    (
        {"type": "number", "constraints": {"minimum": 5, "enum": [7]}},
        [NINES, f"1.{NINES}", f"1e{NINES}", f"{NINES}e-5", "0" * N + "1"],
    ),
    ({"type": "integer", "constraints": {"maximum": 5, "enum": [7]}}, [NINES, f"-{NINES}"]),
    (
        {"type": "number", "bareNumber": False, "groupChar": ","},
        ["x" * N + "1", "1" + "x" * N, "1," * N, " " * N + "x1", "1" * N + "x" * N],
    ),
    (
        {"type": "duration", "constraints": {"minimum": "P1D", "maximum": "P9D"}},
        [f"PT1.{NINES}S", f"P{NINES}Y"],
    ),
    (
        {"type": "datetime", "constraints": {"minimum": "2020-01-01T00:00:00"}},
        [f"2024-01-01T00:00:00.{NINES}"],
    ),
    ({"type": "time", "constraints": {"enum": ["01:00:00"]}}, [f"10:00:00.{NINES}"]),
    ({"type": "datetime", "format": "any"}, [" " * N, "2024 " * N, "31 Jan " + " " * N + "2024"]),
    ({"type": "date", "format": "%d %B %Y"}, ["1" + " " * N + "May" + " " * N, "1 " * N]),
    ({"type": "list", "itemType": "number", "constraints": {"maxLength": 3}}, ["1," * N]),
    (
        {"type": "array", "constraints": {"maxLength": 3, "enum": [[1]]}},
        ["[" * N, f"[{NINES}]", '["' + "\\u0041" * N + '"]'],
    ),
    ({"type": "object", "constraints": {"maxLength": 1}}, ['{"a":' * N, '{"a":' + NINES + "}"]),
    ({"type": "geopoint"}, [f"{NINES},1", "1," * N, f"1.{NINES},5"]),
    ({"type": "string", "format": "email"}, ["a." * N + "@b.co", "a@" + "b." * N + "co"]),
    ({"type": "string", "format": "uri"}, ["http:" + "a" * N + " ", "http://" + "%41" * N + "<"]),
]


@pytest.mark.parametrize(
    ("field", "text"),
    [(field, text) for field, texts in HOSTILE for text in texts],
    ids=lambda value: str(value)[:40],
)
def test_a_large_cell_takes_linear_time(field: dict[str, Any], text: str) -> None:
    read = reader(contract_of({"name": "f", **field}).fields[0])
    started = time.process_time()
    read(text)
    assert time.process_time() - started < 2


def test_fractions_of_a_second_have_a_thousand_digits_at_most() -> None:
    read = reader(contract_of({"name": "f", "type": "duration"}).fields[0])
    assert not read("PT1." + "9" * 1000 + "S").faults
    assert [fault.code for fault in read("PT1." + "9" * 1001 + "S").faults] == ["type-error"]
