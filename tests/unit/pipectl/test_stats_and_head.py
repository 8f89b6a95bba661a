"""`pipectl stats` and `pipectl head`: what is in a file, in the terminal."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipectl.commands.head import command as head
from pipectl.commands.stats import command as stats

CONTRACT = {"fields": [{"name": "id", "type": "integer"}, {"name": "Sum", "type": "number"}]}
CONTENT = b'id,Sum\n1,2.50\nx,3\n3,\n"4,5\n5,7\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "contract.json").write_text(json.dumps(CONTRACT))
    (tmp_path / "a.csv").write_bytes(CONTENT)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(CONTENT))
    (tmp_path / "odd.csv").write_bytes(b"id,id\n")
    return tmp_path


def run_stats(*arguments: str) -> Result:
    return CliRunner().invoke(stats, arguments)


def run_head(*arguments: str) -> Result:
    return CliRunner().invoke(head, arguments)


@pytest.mark.usefixtures("folder")
def test_stats_shows_each_column_of_the_processed_records() -> None:
    result = run_stats("a.csv", "--contract", "contract.json")

    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert result.exit_code == 0
    assert lines == [
        "a.csv: 5 records, 3 processed, 2 rejected",
        "COLUMN TYPE VALUES NULLS DISTINCT MIN MEDIAN MAX MOST COMMON",
        "id integer 3 0 3 1 3 5 1 (1x)",
        "sum number 2 1 2 2.5 2.5 7.0 2.5 (1x)",
        "Rejected: source-error, 1 record",
        "Rejected: id: type-error, 1 record",
    ]


@pytest.mark.usefixtures("folder")
def test_stats_prints_the_summary_as_json() -> None:
    document = json.loads(run_stats("a.csv.gz", "--contract", "contract.json", "--json").output)

    assert document["total_input_rows"] == 5
    assert document["field_statistics"]["id"]["max"] == 5
    assert document["file"]["compression"] == "gzip"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_head_shows_cells_beside_their_values(name: str) -> None:
    result = run_head(name, "--contract", "contract.json", "-n", "4")

    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert result.exit_code == 0
    assert lines == [
        "row 1, line 2: processed",
        "FIELD CELL VALUE",
        "id 1 1",
        "sum 2.50 2.50",
        "row 2, line 3: rejected",
        "FIELD CELL VALUE",
        "id x type-error: expected an integer",
        "sum 3 3",
        "row 3, line 4: processed",
        "FIELD CELL VALUE",
        "id 3 3",
        "sum null",
        "row 4, line 5: rejected",
        '"4,5',
        "source-error: unterminated or misplaced quote",
    ]


@pytest.mark.usefixtures("folder")
def test_head_prints_records_as_json() -> None:
    document = json.loads(run_head("a.csv", "-n", "1", "--json").output)

    assert document == {
        "records": [
            {
                "row": 1,
                "line": 2,
                "raw": "1,2.50",
                "cells": [
                    {"field": "id", "text": "1", "json": '"1"', "code": None, "message": None},
                    {
                        "field": "sum",
                        "text": "2.50",
                        "json": '"2.50"',
                        "code": None,
                        "message": None,
                    },
                ],
                "errors": [],
            }
        ]
    }


@pytest.mark.usefixtures("folder")
def test_a_file_that_cannot_be_read_has_status_1() -> None:
    for run in (run_stats, run_head):
        assert run("odd.csv").exit_code == 1
        assert "HeaderMismatch" in run("odd.csv").output
        assert run("nowhere.csv").exit_code == 2


def test_head_leaves_out_the_footer(folder: Path) -> None:
    contract = {"dialect": {"footerRows": 1}, "schema": CONTRACT}
    (folder / "footer.json").write_text(json.dumps(contract))
    (folder / "total.csv").write_bytes(b"id,Sum\n1,2.50\nTotal,2.50\n")
    result = run_head("total.csv", "--contract", "footer.json", "--json")

    assert result.exit_code == 0
    assert [record["row"] for record in json.loads(result.output)["records"]] == [1]


def test_head_refuses_a_file_that_ends_before_its_footer(folder: Path) -> None:
    contract = {"dialect": {"footerRows": 1}, "schema": CONTRACT}
    (folder / "footer.json").write_text(json.dumps(contract))
    (folder / "cut.csv").write_bytes(b"id,Sum\n")
    result = run_head("cut.csv", "--contract", "footer.json")

    assert result.exit_code == 1
    assert "ends before its footer" in result.output
