"""`pipectl contract`: what it prints, what it writes, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from pipectl.client.stack_choice import Stack, StackChoice
from pipectl.commands.contract import command
from tests.unit.mocked_stack import mocked_deployment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

CONTRACT = {"name": "orders", "schema": {"fields": [{"name": "id", "type": "integer"}]}}
BUCKET = "input"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, list(map(str, arguments)))


def printed(result: Result) -> Any:
    """The JSON document on standard output, which this version of click mixes with the other."""
    return json.loads(result.output[result.output.index("{\n") :])


@pytest.fixture
def right(tmp_path: Path) -> Path:
    path = tmp_path / "orders.json"
    path.write_text(json.dumps(CONTRACT))
    return path


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.json"
    path.write_text('{"fields": [{"name": "id", "type": "integr"}], "primaryKey": "nr"}')
    return path


def test_check_exits_with_0_for_valid_contracts(right: Path) -> None:
    result = run("check", right)

    assert (result.exit_code, result.output) == (0, f"{right}: valid, 1 field\n")


def test_check_lists_every_problem_with_its_location_and_exits_with_1(
    right: Path, wrong: Path
) -> None:
    result = run("check", right, wrong)

    assert result.exit_code == 1
    assert f"{wrong}: 2 problems\n  fields[0].type: expected one of " in result.output
    assert "did you mean 'integer'?\n  primaryKey: expected names of fields" in result.output


def test_check_prints_one_json_document_when_asked(right: Path, wrong: Path) -> None:
    result = run("check", "--json", right, wrong)

    valid, invalid = json.loads(result.output)["contracts"]
    assert result.exit_code == 1
    assert valid == {"source": str(right), "valid": True, "fields": 1, "errors": []}
    assert not invalid["valid"]
    assert [error["path"] for error in invalid["errors"]] == ["fields[0].type", "primaryKey"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["check"],
        ["check", "no such file"],
        ["infer"],
        ["infer", "x.csv", "--header-row", "0"],
        ["infer", __file__, "--delimiter", "ab"],
        ["infer", __file__, "--delimiter", ""],
        ["infer", __file__, "--encoding", "klingon"],
        ["push"],
        ["pull"],
    ],
)
def test_a_wrong_command_line_has_status_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_infer_prints_a_contract_that_check_accepts(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text("id;total\n1;2,50\n2;0,75\n")

    result = run("infer", file, "--out", tmp_path / "in.json")

    assert result.exit_code == 0
    assert run("check", tmp_path / "in.json").exit_code == 0
    assert json.loads((tmp_path / "in.json").read_text()) == printed(run("infer", file))


def test_infer_says_what_it_did_and_what_is_in_doubt_beside_the_contract(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    rows = "".join(f"{number}.50,x\n" for number in range(1, 20))
    file.write_text('price,day\n"18,90 €",01/02/2024\n' + rows.replace("x", "01/02/2024"))

    result = run("infer", file, "--out", tmp_path / "in.json")

    document = json.loads((tmp_path / "in.json").read_text())
    assert result.output.splitlines() == [
        'in.csv: 20 records, encoding utf-8, dialect delimiter ","',
        "  price: number; 1 of 20 values is not: '18,90 €' (line 2)",
        "  day: string",
        "    check: date (%d/%m/%Y) and date (%m/%d/%Y) fit, but give different values",
        f"Wrote {tmp_path / 'in.json'}.",
    ]
    assert document["schema"]["fields"][1] == {"name": "day", "type": "string"}


def test_infer_overwrites_a_file_only_when_forced(tmp_path: Path) -> None:
    file, out = tmp_path / "in.csv", tmp_path / "out.json"
    file.write_text("a\n1\n")
    out.write_text("mine")

    refused = run("infer", file, "--out", out)
    kept = out.read_text()
    forced = run("infer", file, "--out", out, "--force", "--dataset", "orders")

    assert (refused.exit_code, kept) == (2, "mine")
    assert "--force" in refused.output
    assert forced.exit_code == 0
    assert json.loads(out.read_text())["name"] == "orders"


def test_infer_prints_its_findings_as_one_document(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text("n\n" + "7\n" * 20 + "x\n1,2\n")

    document = json.loads(run("infer", file, "--json").stdout)

    assert document["contract"]["schema"]["fields"] == [{"name": "n", "type": "integer"}]
    assert document["columns"][0]["exceptions"] == [
        {
            "file": "in.csv",
            "row": 21,
            "line": 22,
            "field": "n",
            "code": "type-error",
            "message": "expected an integer",
            "value": "x",
        }
    ]
    assert [fault["code"] for fault in document["faults"]] == ["extra-cell"]


def test_infer_updates_a_contract(tmp_path: Path) -> None:
    file, contract = tmp_path / "in.csv", tmp_path / "in.json"
    file.write_text("id,day\n1,2025-01-02\n")
    contract.write_text(json.dumps(CONTRACT))

    result = run("infer", file, "--update", contract)
    file.write_text("id,day\nx,2025-01-02\n")
    said = run("infer", file, "--update", contract).output
    wrong = run("infer", file, "--update", file)

    assert printed(result) == {
        "name": "orders",
        "schema": {"fields": [{"name": "id", "type": "integer"}, {"name": "day", "type": "date"}]},
    }
    assert "  id: 1 value rejected: 'x' (line 2)\n" in said
    assert wrong.exit_code == 1
    assert "expected JSON" in wrong.output


def test_infer_names_files_that_cannot_be_read_and_ends_with_status_1(tmp_path: Path) -> None:
    good, empty = tmp_path / "a.csv", tmp_path / "b.csv"
    good.write_text("id\n1\n")
    empty.write_text("")

    result = run("infer", good, empty, "--out", tmp_path / "c.json")

    assert result.exit_code == 1
    assert f"  {empty} can't be read: The file {empty} is empty." in result.output
    assert (tmp_path / "c.json").exists()


def test_options_of_infer_supply_what_the_file_does_not_show(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_bytes("Täglich\nGröße\tn\n1,5\t2\n".encode("cp1252"))

    result = run(
        *("infer", file, "--encoding", "cp1252", "--delimiter", "\\t", "--header-row", "2")
    )

    document = printed(result)
    assert document["encoding"] == "cp1252"
    assert document["dialect"] == {"delimiter": "\t", "headerRows": [2]}
    assert [field["name"] for field in document["schema"]["fields"]] == ["Größe", "n"]


@pytest.mark.parametrize("content", ["a;b,c\n1;2,3\n", "", "\n", '"', 'a,"b\n1,2\n', "%PDF-1.7\n"])
def test_an_error_of_infer_names_options_that_help(tmp_path: Path, content: str) -> None:
    file = tmp_path / "in.csv"
    file.write_text(content)

    result = run("infer", file)

    assert result.exit_code == 1
    assert "--" in result.output


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Client]:
    """The input bucket of a stack that the commands find."""
    with mocked_deployment(BUCKET, InputBucketName=BUCKET) as deployment:
        monkeypatch.setattr(StackChoice, "open", lambda _: Stack(deployment))
        yield deployment.client("s3")


def stored(s3: Any, key: str) -> bytes:
    return bytes(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())


def test_push_uploads_a_valid_contract_to_the_key_of_its_dataset(
    bucket: S3Client, right: Path
) -> None:
    result = run("push", right, "--yes")

    assert (result.exit_code, result.output) == (
        0,
        "Uploaded to s3://input/contracts/orders.json\n",
    )
    assert stored(bucket, "contracts/orders.json") == right.read_bytes()
    assert run("push", right, "--dataset", "returns", "--yes").exit_code == 0
    assert stored(bucket, "contracts/returns.json") == right.read_bytes()


def test_push_does_not_upload_an_invalid_contract(bucket: S3Client, wrong: Path) -> None:
    result = run("push", wrong)

    assert result.exit_code == 1
    assert "primaryKey: expected names of fields" in result.output
    assert "Contents" not in bucket.list_objects_v2(Bucket=BUCKET)


@pytest.mark.usefixtures("bucket")
def test_pull_gets_back_what_was_pushed(right: Path, tmp_path: Path) -> None:
    run("push", right, "--yes")

    printed = run("pull", "orders")
    written = run("pull", "orders", "--out", tmp_path / "copy.json")

    assert json.loads(printed.stdout) == CONTRACT
    assert written.exit_code == 0
    assert (tmp_path / "copy.json").read_bytes() == right.read_bytes()


@pytest.mark.usefixtures("bucket")
def test_pull_keeps_a_byte_order_mark_in_the_file_only(right: Path, tmp_path: Path) -> None:
    right.write_bytes(b"\xef\xbb\xbf" + right.read_bytes())
    run("push", right, "--yes")

    printed = run("pull", "orders")
    run("pull", "orders", "--out", tmp_path / "copy.json")

    assert json.loads(printed.stdout) == CONTRACT
    assert (tmp_path / "copy.json").read_bytes() == right.read_bytes()


@pytest.mark.usefixtures("bucket")
def test_pull_of_a_dataset_without_contract_says_so() -> None:
    result = run("pull", "nothing")

    assert result.exit_code == 1
    assert "contracts/nothing.json does not exist" in result.output


def test_push_without_a_stack_says_how_to_start_one(right: Path, tmp_path: Path) -> None:
    result = run("push", right, "--embedded", "--state-file", tmp_path / "embedded.json")

    assert result.exit_code == 1
    assert "Start one with: pipectl up" in result.output
