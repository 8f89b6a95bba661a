"""The first hour with files of one's own: infer, check, head and stats of all kinds of files."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipectl.commands.check import command as check
from pipectl.commands.contract import command as contract
from pipectl.commands.head import command as head
from pipectl.commands.stats import command as stats
from tests.benchmarks.infer_files import KnownFile, known_files

FILES = known_files()
# Files of which a person would reject some records: typos, a footer, a value of another kind.
WITH_FAULTS = {
    *("sensors.csv", "customers.csv", "inventory.csv", "dirty.csv"),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command: Any, *arguments: str) -> Result:
    result = CliRunner().invoke(command, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    assert "InternalError" not in result.output
    return result


def inferred(*names: str) -> dict[str, Any]:
    """The findings of infer about files; the contract is in contract.json."""
    result = run(contract, "infer", *names, "--out", "contract.json", "--force", "--json")
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.output)
    return document


def verdicts(*names: str) -> list[dict[str, Any]]:
    result = run(check, *names, "--contract", "contract.json", "--json", "--limit", "9999")
    found: list[dict[str, Any]] = json.loads(result.output)["files"]
    assert result.exit_code == int(not all(file["valid"] for file in found))
    return found


@pytest.mark.parametrize("known", FILES, ids=[known.name for known in FILES])
def test_every_kind_of_file_goes_from_infer_to_check(known: KnownFile, folder: Path) -> None:
    (folder / known.name).write_bytes(known.content)
    document = inferred(known.name)
    (verdict,) = verdicts(known.name)

    assert verdict["file_error"] is None
    assert verdict["valid"] == (known.name not in WITH_FAULTS)
    listed = [one for column in document["columns"] for one in column["exceptions"]]
    assert sorted(
        (one["line"], one["field"] or "", one["value"] or "") for one in listed + document["faults"]
    ) == sorted((e["line"], e["field"] or "", e["value"] or "") for e in verdict["errors"])
    for command in (head, stats):
        result = run(command, known.name, "--contract", "contract.json")
        assert result.exit_code == 0, result.output


def test_compressed_files_are_read_as_plain_ones(folder: Path) -> None:
    content = b"id\tday\n" + b"".join(b"%d\t2025-01-02\n" % n for n in range(100))
    (folder / "a.tsv").write_bytes(content)
    (folder / "a.tsv.gz").write_bytes(gzip.compress(content))
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("a.tsv", content)
    contracts = []
    for name in ("a.tsv", "a.tsv.gz", "a.zip"):
        document = inferred(name)["contract"]
        contracts.append({key: document[key] for key in ("encoding", "dialect", "schema")})
        assert verdicts(name)[0]["record_count"] == 100

    assert contracts[0]["dialect"] == {"delimiter": "\t"}
    assert contracts[0] == contracts[1] == contracts[2]


def test_sixty_small_files_give_one_contract(folder: Path) -> None:
    names = [f"day-{number:02d}.csv" for number in range(60)]
    for number, name in enumerate(names):
        extra = ",note" if number % 20 == 7 else ""
        cells = ",x" if extra else ""
        (folder / name).write_text(
            f"id,price{extra}\n" + "".join(f"{n},{n}.5{cells}\n" for n in range(5))
        )
    document = inferred(*names)

    assert document["record_count"] == 300
    assert document["contract"]["schema"]["fieldsMatch"] == "superset"
    assert document["statements"] == [
        "column 'note' is missing in 57 of 60 files, such as day-00.csv"
    ]
    assert all(file["valid"] for file in verdicts(*names))
