"""The README's example of a bad row is a row of the sample file, with its real result."""

from __future__ import annotations

import json

from tabular.contract.descriptor import parse_contract
from tests.documentation.pages import blocks
from tests.infrastructure.deployed import ROOT
from tests.unit.tabular.engine import run

README = (ROOT / "README.md").read_text(encoding="utf-8")
SAMPLE = ROOT / "events" / "orders-2026-03.csv"


def test_the_bad_row_of_the_readme_is_rejected_as_shown() -> None:
    (row,) = blocks(README, "csv")
    (shown,) = blocks(README, "json")
    contract = json.loads((ROOT / "events" / "orders.contract.json").read_text(encoding="utf-8"))

    result = run(SAMPLE.read_bytes(), parse_contract(contract))

    reject = result.rejects[0]
    assert json.loads(shown) == reject
    assert reject["raw"] == row.rstrip("\n")
