"""What the README says exists: parameters, outputs, targets, commands, and the calls to AWS."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import botocore.session
import click
import pytest
from botocore.model import OperationModel

from pipectl.cli import pipectl
from tests.infrastructure.deployed import ROOT, template

README = (ROOT / "README.md").read_text()
# `aws s3` is the CLI's own, and these are its own words for any call.
CLI_OPTIONS = {"query", "output", "endpoint-url"}


def _calls() -> Iterator[list[str]]:
    """The words of each call of the AWS CLI, in blocks and in the text."""
    text = README.replace("\\\n", " ")
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    inline = [" ".join(code.split()) for code in re.findall(r"`(aws [^`]+)`", README)]
    for line in lines + inline:
        found = re.search(r"\baws [a-z].*", line)
        if found:
            words = shlex.split(found[0].rstrip(")").replace("...", ""), comments=True)
            if len(words) > 2 and words[1] != "s3":
                yield words


def _operation(words: list[str]) -> OperationModel:
    model = botocore.session.get_session().get_service_model(words[1])
    operations = {_dashed(name): name for name in model.operation_names}
    return model.operation_model(operations[words[2]])


def _dashed(name: str) -> str:
    return botocore.xform_name(name, "-")


def test_some_calls_are_found() -> None:
    services = {words[1] for words in _calls()}
    assert {"cloudformation", "stepfunctions", "sqs", "dynamodb", "sns"} <= services


@pytest.mark.parametrize("words", list(_calls()), ids=" ".join)
def test_a_call_to_aws_is_one_that_the_service_knows(words: list[str]) -> None:
    shape = _operation(words).input_shape
    assert shape is not None
    known = {_dashed(member) for member in shape.members} | CLI_OPTIONS
    options = {word[2:] for word in words if word.startswith("--")}
    assert options <= known
    assert {_dashed(member) for member in shape.required_members} <= options


def test_every_parameter_stands_there_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", README, re.MULTILINE))
    defaults = {
        name: f"`{parameter['Default']}`" if parameter["Default"] != "" else ""
        for name, parameter in template().document["Parameters"].items()
    }
    assert rows == defaults


def test_every_output_stands_there() -> None:
    assert all(f"`{name}`" in README for name in template().document["Outputs"])


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"\bmake ([a-z-]+)", README))
    assert targets
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets - {"any"})


def test_pipectl_commands_exist() -> None:
    used = set(re.findall(r"pipectl ([a-z]+)", README)) - {"command"}
    context = click.Context(pipectl)
    assert used
    assert used <= set(pipectl.list_commands(context))
