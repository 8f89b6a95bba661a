"""The files of `events/make_samples.py` fit the contracts that are inferred from them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from pipectl.options import PROJECT
from tabular.contract.descriptor import parse_contract
from tests.unit.tabular.engine import inferred, run

SCRIPT = PROJECT / "events" / "make_samples.py"

# Records, and types of the columns: s(tring), i(nteger), n(umber), d(ate), t(imestamp),
# b(oolean), m(onth), ? (undecided).
EXPECTED = {
    "excel-german.csv": (40, "s s d n i b"),
    "excel-us.csv": (40, "s s d s i b"),
    "shopify-orders.csv": (37, "s s s t s n t i s n b s s ? i s"),
    "bank.csv": (25, "d d s n s"),
    "survey.csv": (35, "i i i i b s"),
    "logs.csv": (200, "t s n s"),
    "fixed-dates.csv": (50, "i d m s d"),
    "export.tsv": (100, "i s n"),
    "logs.csv.gz": (200, "t s n s"),
    "survey.zip": (35, "i i i i b s"),
}
LETTERS = {
    "string": "s",
    "integer": "i",
    "number": "n",
    "date": "d",
    "datetime": "t",
    "boolean": "b",
    "yearmonth": "m",
    "any": "?",
}


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("make_samples", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(script: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    script.write_samples(folder)
    return folder


def test_every_file_is_expected(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {*EXPECTED, "days"}
    assert len(list((folder / "days").iterdir())) == 60


@pytest.mark.parametrize("name", EXPECTED)
def test_a_file_fits_its_inferred_contract(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    inference = inferred(content, name=name)
    fields = inference.document["schema"]["fields"]
    records, types = EXPECTED[name]
    assert " ".join(LETTERS[field["type"]] for field in fields) == types
    plain = folder / name.removesuffix(".gz").replace(".zip", ".csv")
    result = run(plain.read_bytes(), parse_contract(inference.document), name=plain.name)
    assert (result.part.record_count, result.rejects) == (records, [])


def test_the_large_file_is_as_large_as_asked(script: Any, tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    script.write_large(path, 1)
    assert 1 <= path.stat().st_size / 1024 / 1024 < 2
