"""Faults are written the same, whether composed for combinations of them or one by one."""

from __future__ import annotations

from random import Random

import pytest

from tabular.values import fault_combinations
from tests.unit.tabular.engine import TransformResult, contract_of, run

CELLS: tuple[str, ...] = (
    "",
    "x",
    "12",
    "7",
    "2024-02-30",
    "2024-02-28",
    '"a""b"',
    '"l\nm"',
    'x"y',
    "=x",
    "\0",
    "\t",
)
CELLS += ("\udcff", "\\", "y" * 250)
FIELDS = (
    {"name": "a", "type": "string", "constraints": {"minLength": 2, "unique": True}},
    {"name": "b", "type": "integer", "constraints": {"minimum": 10}},
    {"name": "c", "type": "date"},
)
UNIQUE = {"uniqueKeys": [["b"], ["a", "c"]]}


def read(seed: int, kinds: int) -> TransformResult:
    random = Random(seed)
    widths = [random.choice((0, 1, 2, 3, 3, 3, 4, 6, 30)) for _ in range(kinds)]
    rows = [",".join(random.choices(CELLS, k=random.choice(widths))) for _ in range(200)]
    text = "a,b,c\n" + "".join(row + "\n" for row in rows)
    contract = contract_of(*FIELDS, **UNIQUE, dialect={"delimiter": ","})
    return run(text.encode(errors="surrogateescape"), contract)


OTHERWISE = {
    "one by one": {"_FEW": 0, "_RECORDS_A_COMBINATION": 10**9},
    "searched": {"_FEW": 10**9, "_TABLE_SIZE": 0},
    "joined after each column": {"_FEW": 10**9, "_MOST_CODES": 1},
}


@pytest.mark.parametrize("otherwise", OTHERWISE)
@pytest.mark.parametrize("kinds", [1, 2, 9])
@pytest.mark.parametrize("seed", range(6))
def test_the_outputs_do_not_depend_on_how_faults_are_composed(
    seed: int, kinds: int, otherwise: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fault_combinations, "_FEW", 10**9)
    found = read(seed, kinds)
    for name, value in OTHERWISE[otherwise].items():
        monkeypatch.setattr(fault_combinations, name, value)
    assert read(seed, kinds).outputs == found.outputs
    assert found.part.error_count > 100


def test_each_record_with_other_faults_than_all_others() -> None:
    names = [f"f{number}" for number in range(12)]
    wrong = [[name for place, name in enumerate(names) if n >> place & 1] for n in range(1, 1200)]
    rows = [",".join("x" if name in some else "1" for name in names) for some in wrong]
    contract = contract_of(*({"name": name, "type": "integer"} for name in names))
    found = run("\n".join([",".join(names), *rows, ""]).encode(), contract)
    listed = [[fault["field"] for fault in reject["errors"]] for reject in found.rejects]
    assert listed == wrong
    sentences = [line.split(b",")[1] for line in found.corrections.splitlines()[1:]]
    assert [sentence.count(b"; ") + 1 for sentence in sentences] == [len(some) for some in wrong]
