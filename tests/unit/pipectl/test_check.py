"""`pipectl check`: verdicts, their JSON shape, and exit statuses."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from polars.exceptions import PanicException

from pipectl.commands.check import command
from pipectl.local.processes import WORTHWHILE_BYTES
from pipectl.options import PROJECT

CONTRACT = {
    "fields": [
        {"name": "id", "type": "integer"},
        {"name": "x", "type": "string", "constraints": {"minLength": 2}},
    ]
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "contract.json").write_text(json.dumps(CONTRACT))
    (tmp_path / "good.csv").write_bytes(b"id,x\n1,ab\n")
    (tmp_path / "bad.csv").write_bytes(b'id,x\n1,"a\nb"\nx,y\n3,cd\n')
    (tmp_path / "odd.csv").write_bytes(b"id,id\n")
    return tmp_path


def check(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(command, arguments, input=stdin)


def test_a_valid_file_exits_with_0(folder: Path) -> None:
    result = check("good.csv", "--contract", "contract.json", "--json")
    assert result.exit_code == 0
    (file,) = json.loads(result.stdout)["files"]
    assert file == {
        "source": "good.csv",
        "valid": True,
        "record_count": 1,
        "processed_count": 1,
        "error_count": 0,
        "errors": [],
        "errors_truncated": False,
        "file_error": None,
        "encoding": "utf-8",
        "dialect": file["dialect"],
    }
    assert file["dialect"]["delimiter"] == ","
    assert file["dialect"]["header_rows"] == [1]


def test_every_fault_is_listed_with_its_place(folder: Path) -> None:
    result = check("bad.csv", "--contract", "contract.json", "--json")
    assert result.exit_code == 1
    (file,) = json.loads(result.stdout)["files"]
    assert file["record_count"] == file["processed_count"] + file["error_count"] == 3
    assert file["errors"] == [
        {
            "row": 2,
            "line": 4,
            "byte_offset": 13,
            "field": "id",
            "code": "type-error",
            "rule": "type",
            "message": "expected an integer",
            "value": "x",
        },
        {
            "row": 2,
            "line": 4,
            "byte_offset": 13,
            "field": "x",
            "code": "constraint-error",
            "rule": "minLength",
            "message": 'constraint "minLength" is 2',
            "value": "y",
        },
    ]


def test_the_limit_cuts_the_list_and_says_so(folder: Path) -> None:
    result = check("bad.csv", "--contract", "contract.json", "--json", "--limit", "1")
    (file,) = json.loads(result.stdout)["files"]
    assert (len(file["errors"]), file["errors_truncated"], file["error_count"]) == (1, True, 1)


def test_a_file_that_cannot_be_read_is_named_with_its_error(folder: Path) -> None:
    name, code = "odd.csv", "HeaderMismatch"
    result = check(name, "good.csv", "--json")
    assert result.exit_code == 1
    first, second = json.loads(result.stdout)["files"]
    assert (first["valid"], first["file_error"]["code"], second["valid"]) == (False, code, True)


def test_an_invalid_contract_is_reported_in_the_same_shape(folder: Path) -> None:
    (folder / "contract.json").write_text('{"fields": 1}')
    result = check("good.csv", "--contract", "contract.json", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["files"][0]["file_error"]["code"] == "InvalidContract"


def test_the_contracts_limit_for_rejects_is_part_of_the_verdict(folder: Path) -> None:
    contract = {"name": "n", "path": "p.csv", "schema": CONTRACT, "pipeline": {"maxRejectCount": 0}}
    (folder / "contract.json").write_text(json.dumps(contract))
    result = check("bad.csv", "--contract", "contract.json", "--json")
    (file,) = json.loads(result.stdout)["files"]
    assert (file["file_error"]["code"], file["error_count"]) == ("TooManyRejects", 1)


def test_what_the_contracts_parquet_cannot_hold_is_a_fault(folder: Path) -> None:
    schema = {"fields": [{"name": "n", "type": "number"}]}
    contract = {"name": "n", "schema": schema, "pipeline": {"outputFormat": "parquet"}}
    (folder / "contract.json").write_text(json.dumps(contract))
    (folder / "large.csv").write_text("n\n1e25\n1\n")
    (file,) = json.loads(check("large.csv", "--contract", "contract.json", "--json").stdout)[
        "files"
    ]
    assert (file["valid"], [error["row"] for error in file["errors"]]) == (False, [1])


def test_people_get_a_table(folder: Path) -> None:
    result = check("bad.csv", "good.csv", "--contract", "contract.json")
    assert result.exit_code == 1
    assert "constraint-error" in result.stdout
    assert "invalid" in result.stdout


def test_nothing_to_check_is_a_usage_error() -> None:
    assert check().exit_code == 2
    assert check("x", "--limit", "-1").exit_code == 2


def test_a_file_that_crashes_the_engine_does_not_affect_other_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, *_: object, **__: object) -> None:
        if path.name == "bad.csv":
            path.unlink()
            path.open()
        raise {"odd.csv": PanicException, "good.csv": TypeError}[path.name]("a cell: 4711")

    monkeypatch.setattr("pipectl.local.small_files.check_small", lambda *_: None)
    monkeypatch.setattr("pipectl.local.processes.transform_file", fail)
    (folder / "odd.csv").write_bytes(b"id,x\n1,ab\n")
    result = check("odd.csv", "good.csv", "bad.csv", "--json")
    assert result.exit_code == 1
    files = json.loads(result.stdout)["files"]
    assert [file["file_error"]["code"] for file in files] == [
        "InternalError",
        "InternalError",
        "SourceNotFound",
    ]
    assert "Unexpected PanicException at " in files[0]["file_error"]["message"]
    assert "4711" not in result.output


def test_a_file_that_is_not_there_is_a_usage_error(folder: Path) -> None:
    (folder / "empty").mkdir()
    for missing in ("nowhere.csv", "no*.csv", "empty"):
        result = check("good.csv", missing, "--json")
        assert result.exit_code == 2
        assert f"'{missing}'" in result.output
        assert '"files"' not in result.output


def test_ctrl_c_ends_it_without_a_traceback(folder: Path) -> None:
    # Large enough for a second process, which gets the interrupt as well.
    (folder / "large.csv").write_bytes(b"id,x\n" + b"1,abcdefgh\n" * (WORTHWHILE_BYTES // 10))
    process = subprocess.Popen(
        [sys.executable, "-m", "pipectl", "check", "large.csv"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        start_new_session=True,
    )
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        deadline = time.monotonic() + 30
        while not (helpers := children.read_text().split()) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        output, problems = process.communicate(timeout=30)
    finally:
        process.kill()
    assert helpers
    assert (process.returncode, output, problems.strip()) == (130, "", "Stopped.")
    assert not [pid for pid in helpers if Path(f"/proc/{pid}").exists()]


@pytest.mark.parametrize(
    ("name", "options", "code", "words"),
    [
        ("a.xlsx", (), "UnsupportedFormat", "Export the sheet as CSV in UTF-8."),
        ("_a.csv", (), "Ignored", "The pipeline ignores this file: its name begins with _."),
        ("a.csv", ("--ignored-names", "x, A*"), "Ignored", "its name matches A* in IgnoredNames"),
    ],
)
def test_names_are_judged_as_by_the_pipeline(
    folder: Path, name: str, options: tuple[str, ...], code: str, words: str
) -> None:
    (folder / name).write_bytes(b"id,x\n1,ab\n")
    result = check(name, "--json", *options)
    assert result.exit_code == 1
    (file,) = json.loads(result.stdout)["files"]
    assert file["file_error"]["code"] == code
    assert words in file["file_error"]["message"]


def test_a_malformed_list_of_ignored_names_is_a_usage_error(folder: Path) -> None:
    result = check("good.csv", "--ignored-names", "*")
    assert result.exit_code == 2
    assert "--ignored-names" in result.output


def test_a_large_archive_is_read_from_its_end(folder: Path) -> None:
    rows = b"".join(b"%d,%d\n" % (n, n * n % 7919) for n in range(200_000))
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("__MACOSX/._a.csv", b"x")
        archive.writestr("a.csv", b"a,b\n" + rows)
    assert (folder / "a.zip").stat().st_size > 2 * 1024 * 1024
    result = check("a.zip", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["files"][0]["record_count"] == 200_000


def files_of(result: Result) -> list[str]:
    # This version of click mixes both streams.
    document, _ = json.JSONDecoder().raw_decode(result.output)
    return [file["source"] for file in document["files"]]


def test_folders_and_patterns_mean_the_files_that_the_pipeline_accepts(folder: Path) -> None:
    day = folder / "day" / "one"
    day.mkdir(parents=True)
    for name in ("a.csv", "b.tsv", "_SUCCESS", "c.csv.part", "notes.pdf"):
        (day / name).write_bytes(b"id\tx\n1\tab\n" if name == "b.tsv" else b"id,x\n1,ab\n")
    result = check("day", "--format", "json")
    plain = check("day")

    assert result.exit_code == 0
    assert files_of(result) == ["day/one/a.csv", "day/one/b.tsv"]
    assert "Left out day/one/_SUCCESS: its name begins with _" in plain.output
    assert "Left out day/one/notes.pdf" in plain.output
    assert files_of(check("day/**/*.csv", "--json")) == ["day/one/a.csv"]


def test_standard_input_is_a_file_called_minus(folder: Path) -> None:
    result = check("-", "--contract", "contract.json", "--json", stdin=b"id,x\n1,ab\nx,cd\n")

    assert result.exit_code == 1
    (file,) = json.loads(result.stdout)["files"]
    assert (file["source"], file["record_count"], file["error_count"]) == ("-", 2, 1)


@pytest.mark.parametrize(
    ("limit", "status"), [("0", 1), ("1", 0), ("33%", 1), ("34%", 0), ("100%", 0)]
)
def test_a_file_with_few_rejects_is_accepted_if_asked(
    folder: Path, limit: str, status: int
) -> None:
    result = check("bad.csv", "--contract", "contract.json", "--max-rejects", limit)

    assert result.exit_code == status
    assert ("accepted" if status == 0 else "invalid") in result.output


@pytest.mark.parametrize("limit", ["-1", "101%", "x", "1.5", ""])
def test_a_wrong_limit_is_a_usage_error(folder: Path, limit: str) -> None:
    assert check("good.csv", "--max-rejects", limit).exit_code == 2


def test_github_gets_annotations_at_the_lines(folder: Path) -> None:
    result = check("bad.csv", "odd.csv", "--contract", "contract.json", "--format", "github")

    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[0] == (
        '::error file=bad.csv,line=4,title=id%3A type-error::id: expected an integer, found "x"'
    )
    assert lines[2].startswith("::error file=odd.csv,title=HeaderMismatch::Columns 1, 2 of")
    accepted = check(
        "bad.csv", "--contract", "contract.json", "--format", "github", "--max-rejects", "1"
    )
    assert accepted.output.startswith("::warning file=bad.csv,line=4,")


def test_sarif_names_rule_line_and_byte(folder: Path) -> None:
    result = check("bad.csv", "--contract", "contract.json", "--format", "sarif")

    log = json.loads(result.stdout)
    (run,) = log["runs"]
    first = run["results"][0]
    place = first["locations"][0]["physicalLocation"]
    assert log["version"] == "2.1.0"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [
        "constraint-error",
        "type-error",
    ]
    assert (first["ruleId"], first["level"]) == ("type-error", "error")
    assert place["artifactLocation"] == {"uri": "bad.csv"}
    assert place["region"] == {"startLine": 4, "byteOffset": 13}


def test_junit_has_a_test_case_per_file(folder: Path) -> None:
    result = check(
        "good.csv", "bad.csv", "odd.csv", "--contract", "contract.json", "--format", "junit"
    )

    suites = ElementTree.fromstring(result.stdout)
    cases = suites.findall("testsuite/testcase")
    assert suites.attrib == {"tests": "3", "failures": "2"}
    assert [case.get("name") for case in cases] == ["good.csv", "bad.csv", "odd.csv"]
    assert [case.find("failure") is None for case in cases] == [True, False, False]
    failure = cases[1].find("failure")
    assert failure is not None
    assert failure.get("message") == "1 of 3 records are rejected."
    assert 'line 4, row 2: id: expected an integer, found "x"' in (failure.text or "")


def test_csv_has_a_row_per_error(folder: Path) -> None:
    result = check("bad.csv", "odd.csv", "--contract", "contract.json", "--format", "csv")

    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert [(row["source"], row["line"], row["code"], row["value"]) for row in rows] == [
        ("bad.csv", "4", "type-error", "x"),
        ("bad.csv", "4", "constraint-error", "y"),
        ("odd.csv", "", "HeaderMismatch", ""),
    ]


def test_columns_that_are_dropped_or_missing_are_named(folder: Path) -> None:
    fields = [{"name": "id", "type": "integer"}, {"name": "y"}]
    schema = {"fields": fields, "fieldsMatch": "partial"}
    (folder / "contract.json").write_text(json.dumps(schema))
    result = check("good.csv", "--contract", "contract.json")

    assert result.exit_code == 0
    assert "good.csv: dropped, because the contract has no field: 'x'" in result.output
    assert "good.csv: missing, so null in the output: 'y'" in result.output


def test_a_small_file_is_checked_without_the_slow_imports(folder: Path) -> None:
    script = (
        "import sys; from pipectl.cli import pipectl; "
        "pipectl(['check', 'bad.csv', '--contract', 'contract.json'], standalone_mode=False)"
    )
    wrapped = (
        f"import sys\ntry:\n    exec({script!r})\nexcept SystemExit:\n    pass\n"
        "print(sorted({'polars', 'boto3', 'moto'} & set(sys.modules)))"
    )
    process = subprocess.run(
        [sys.executable, "-c", wrapped], capture_output=True, text=True, check=True, cwd=folder
    )
    assert process.stdout.splitlines()[-1] == "[]"
    assert "type-error" in process.stdout
