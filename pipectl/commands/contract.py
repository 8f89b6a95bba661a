"""`pipectl contract`: draft and check contracts, and copy them to and from a stack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from pipectl.client.stack_choice import StackChoice, changing_stack_options, stack_options
from pipectl.commands.contract_diff import diff
from pipectl.commands.contract_import import import_document
from pipectl.commands.contract_infer import infer
from pipectl.commands.contract_test import try_out
from pipectl.errors import PipectlError
from pipectl.options import json_option
from pipectl.output import echo, echo_json, echo_json_text

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group()
def command() -> None:
    """Draft, check and compare contracts, and copy them to and from a stack.

    A contract describes the files of a dataset. docs/contracts.md lists its properties.
    """


@command.command(epilog="Example: pipectl contract check contracts/*.json")
@click.argument("files", nargs=-1, required=True, type=_FILE)
@json_option
def check(files: tuple[Path, ...], *, as_json: bool) -> None:
    """Check that FILES are valid contracts, and list every problem with its path.

    Exit status: 0 if all are valid, 1 if one is not, 2 on usage errors.
    """
    verdicts = [_check(path) for path in files]
    if as_json:
        documents = [verdict.to_document() for verdict in verdicts]
        echo_json({"contracts": documents})
    else:
        for verdict in verdicts:
            for line in verdict.lines():
                echo(line)
    if not all(verdict.valid for verdict in verdicts):
        raise SystemExit(1)


@command.command(epilog="Example: pipectl contract push orders.contract.json --stack-name NAME")
@click.argument("file", type=_FILE)
@click.option("--dataset", help="Dataset of the contract.  [default: the contract's name]")
@changing_stack_options
def push(*, choice: StackChoice, file: Path, dataset: str | None) -> None:
    """Check the contract in FILE and upload it to the stack.

    It applies to executions that start afterwards. On AWS, the command asks for confirmation unless
    you pass --yes.

    Exit status: 0 on success, 1 if it is invalid or can't be uploaded, 2 on usage errors.
    """
    from pipectl.client.uploads import dataset_for, put_contract

    verdict = _check(file)
    if not verdict.valid:
        raise PipectlError(*verdict.lines())
    dataset = dataset_for(dataset, file)
    stack = choice.open_to_change(f"Upload the contract of the dataset {dataset}")
    bucket = stack.output("InputBucketName")
    key = put_contract(stack.deployment, file, str(dataset))
    echo(f"Uploaded to s3://{bucket}/{key}")


@command.command(epilog="Example: pipectl contract pull orders --out orders.contract.json")
@click.argument("dataset")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write to.")
@stack_options
def pull(*, choice: StackChoice, dataset: str, out: Path | None) -> None:
    """Print or save the contract of DATASET in the stack.

    Exit status: 0 on success, 1 if there is none or it can't be read, 2 on usage errors.
    """
    from pipectl.client.uploads import dataset_for, find_contract
    from shared.keys import contract_key

    dataset_for(dataset, None)
    stack = choice.open()
    bucket = stack.output("InputBucketName")
    key = find_contract(stack.deployment, dataset)
    if key is None:
        raise PipectlError(
            f"The dataset {dataset} has no contract: s3://{bucket}/{contract_key(dataset)} does not"
            " exist."
        )
    content = stack.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    if out is None:
        echo_json_text(content.decode("utf-8-sig", "replace"))
    else:
        out.write_bytes(content)
        echo(f"Wrote {out}.", err=True)


@dataclass(frozen=True)
class _Verdict:
    """The result of checking a contract; each problem is (path of the property, message)."""

    source: str
    fields: int
    problems: tuple[tuple[str, str], ...]

    @property
    def valid(self) -> bool:
        return not self.problems

    def to_document(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "valid": self.valid,
            "fields": self.fields,
            "errors": [{"path": path, "message": message} for path, message in self.problems],
        }

    def lines(self) -> list[str]:
        if self.valid:
            return [f"{self.source}: valid, {self.fields} field{'s' if self.fields > 1 else ''}"]
        count = len(self.problems)
        return [
            f"{self.source}: {count} problem{'s' if count > 1 else ''}",
            *(f"  {path}: {message}" for path, message in self.problems),
        ]


def _check(path: Path) -> _Verdict:
    from pipectl.local.local_layouts import read_contract_file
    from tabular.errors import InvalidContract

    try:
        contract = read_contract_file(path)
    except InvalidContract as error:
        return _Verdict(str(path), 0, error.problems)
    return _Verdict(str(path), len(contract.fields), ())


command.add_command(infer)
command.add_command(diff)
command.add_command(import_document)
command.add_command(try_out)
