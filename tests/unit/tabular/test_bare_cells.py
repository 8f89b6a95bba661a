"""Rejected rows are written the same, whether quotes are searched in their cells or not."""

from __future__ import annotations

from random import Random

import pytest

from tabular.values import fault_combinations
from tabular.writing import corrections, rejects
from tests.unit.tabular.engine import TransformResult, contract_of, run

CELLS = ("", "x", "12", 'x"y', "=x", "-x", "'=x", "\0", "\udcff", "\\", "é", " ", "z;z")


def read(seed: int, delimiter: str) -> TransformResult:
    random = Random(seed)
    widths = (1, 2, 3, 3, 4, 6)
    rows = [delimiter.join(random.choices(CELLS, k=random.choice(widths))) for _ in range(200)]
    text = delimiter.join("abc") + "\n" + "".join(row + "\n" for row in rows)
    fields = [{"name": "a", "type": "string"}, {"name": "b", "type": "integer"}]
    contract = contract_of(*fields, {"name": "c", "type": "date"}, dialect={"delimiter": delimiter})
    return run(text.encode(errors="surrogateescape"), contract)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("seed", range(4))
def test_the_outputs_do_not_depend_on_what_is_known_of_quotes(
    seed: int, delimiter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fault_combinations, "_FEW", 10**9)
    monkeypatch.setattr(corrections, "write_rows", None)
    found = read(seed, delimiter)  # no cell needs a quote: they are not searched
    monkeypatch.undo()
    monkeypatch.setattr(corrections, "_has_bare_cells", lambda _: False)
    assert read(seed, delimiter).outputs == found.outputs


def test_the_outputs_do_not_depend_on_the_size_of_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fault_combinations, "_FEW", 10**9)
    found = read(0, ",")
    monkeypatch.setattr(rejects, "_PIECE_BYTES", 2_000)
    assert read(0, ",").outputs == found.outputs
