"""`pipectl contract`: what it prints, what it writes, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from pipectl.client.deployment import Deployment
from pipectl.client.stack_choice import Stack, StackChoice
from pipectl.commands.contract import command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

CONTRACT = {"name": "orders", "schema": {"fields": [{"name": "id", "type": "integer"}]}}
BUCKET = "input"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, list(map(str, arguments)))


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


def test_check_tells_valid_contracts_by_status_0(right: Path) -> None:
    result = run("check", right)

    assert (result.exit_code, result.output) == (0, f"{right}: valid, 1 field\n")


def test_check_tells_every_problem_with_its_place_by_status_1(right: Path, wrong: Path) -> None:
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
    assert json.loads((tmp_path / "in.json").read_text()) == json.loads(run("infer", file).stdout)


def test_infer_notes_what_is_in_doubt_beside_the_contract(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text("day,n\n01/02/2024,1\n")

    result = run("infer", file, "--out", tmp_path / "in.json")

    document = json.loads((tmp_path / "in.json").read_text())
    assert "note: 'day' stays text: " in result.output
    assert document["schema"]["fields"][0] == {"name": "day", "type": "string"}


def test_infer_takes_what_the_file_cannot_tell_from_options(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_bytes("Täglich\nGröße\tn\n1,5\t2\n".encode("cp1252"))

    refused = run("infer", file)
    result = run(
        *("infer", file, "--encoding", "cp1252", "--delimiter", "\\t", "--header-row", "2")
    )

    document = json.loads(result.stdout)
    assert refused.exit_code == 1
    assert "--encoding" in refused.output
    assert document["encoding"] == "cp1252"
    assert document["dialect"] == {"delimiter": "\t", "headerRows": [2]}
    assert [field["name"] for field in document["schema"]["fields"]] == ["Größe", "n"]


def test_infer_speaks_of_its_options_only_where_they_help(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_bytes(b"")

    result = run("infer", file)

    assert result.exit_code == 1
    assert result.output.endswith("Upload it again with a header and records.\n")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Client]:
    """The input bucket of a stack that the commands find."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        session = boto3.Session(region_name="us-east-1")
        deployment = Deployment(session, "stack")
        deployment.__dict__["outputs"] = {"InputBucketName": BUCKET}
        monkeypatch.setattr(StackChoice, "open", lambda _: Stack(deployment))
        s3 = deployment.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        yield s3


def stored(s3: Any, key: str) -> bytes:
    return bytes(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())


def test_push_puts_a_right_contract_where_its_dataset_is_looked_for(
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


def test_push_keeps_a_wrong_contract_here(bucket: S3Client, wrong: Path) -> None:
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
def test_pull_of_a_dataset_without_contract_says_so() -> None:
    result = run("pull", "nothing")

    assert result.exit_code == 1
    assert "contracts/nothing.json does not exist" in result.output


def test_push_without_a_stack_says_how_to_start_one(right: Path, tmp_path: Path) -> None:
    result = run("push", right, "--embedded", "--state-file", tmp_path / "embedded.json")

    assert result.exit_code == 1
    assert "Start one with: pipectl up" in result.output
