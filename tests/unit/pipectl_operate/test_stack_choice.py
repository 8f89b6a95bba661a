"""Which stack a command uses, and the error if it can't be reached."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import click
import pytest
from botocore import exceptions
from botocore.exceptions import ClientError

from pipectl.cli import pipectl
from pipectl.client.aws_errors import explain, explained
from pipectl.client.deployment import Deployment
from pipectl.client.links import log_url
from pipectl.client.stack_choice import OUTPUTS_READ, Place, Stack, StackChoice
from pipectl.client.state_file import RunningStack
from pipectl.errors import PipectlError, UsageError
from shared.executions import console_url
from tests.unit.pipectl.registry import commands_below

PIPECTL = Path(__file__).parents[3] / "pipectl"
ARN = "arn:aws:states:eu-central-1:123456789012:execution:data-pipeline-dev:abc"


def choice(
    place: Place | None = None, stack_name: str | None = None, region: str | None = None
) -> StackChoice:
    return StackChoice(place, stack_name, None, region, Path("embedded.json"))


@pytest.mark.parametrize(
    ("chosen", "embedded_was_up", "place"),
    [
        (choice(), True, "embedded"),
        (choice(), False, "aws"),
        (choice(region="eu-central-1"), True, "aws"),
        (choice(stack_name="data-pipeline"), True, "aws"),
        (choice("aws"), True, "aws"),
        (choice("embedded"), False, "embedded"),
    ],
)
def test_the_embedded_stack_is_used_if_it_was_up_and_no_option_says_otherwise(
    chosen: StackChoice, embedded_was_up: bool, place: Place
) -> None:
    assert chosen.where(embedded_was_up=embedded_was_up) == place


def test_options_that_contradict_each_other_are_a_usage_error() -> None:
    with pytest.raises(UsageError, match="--embedded and --region can't be combined"):
        choice("embedded", region="eu-central-1").where(embedded_was_up=True)


@pytest.fixture
def ended(tmp_path: Path) -> Path:
    """The state file of a stack that has ended."""
    path = tmp_path / "embedded.json"
    RunningStack(1, "http://127.0.0.1:1", "us-east-1", "data-pipeline", "logs").write_ended(path)
    return path


@pytest.mark.parametrize("content", [None, "", "{}", '{"pid": 4194305}'])
def test_the_end_of_the_embedded_stack_does_not_make_aws_the_default(
    ended: Path, content: str | None
) -> None:
    if content is not None:
        ended.write_text(content)
    for method in (StackChoice.open, lambda choice: choice.open_to_change("Rerun files")):
        with pytest.raises(PipectlError, match=r"`pipectl up` has ended.* --aws") as refusal:
            method(StackChoice(None, None, None, None, ended, yes=True))
        assert str(ended) in refusal.value.message


class Answers:
    """Standard input with someone who answers at a terminal, or without a terminal."""

    def __init__(self, answer: str | None) -> None:
        self._answer = answer

    def isatty(self) -> bool:
        return self._answer is not None

    def readline(self) -> str:
        return f"{self._answer}\n"


@pytest.fixture
def on_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    def stack(name: str, **_: object) -> Deployment:
        deployment = Deployment(boto3.Session("a", "b", region_name="eu-central-1"), name)
        deployment.__dict__["outputs"] = {"StateMachineArn": ARN}
        return deployment

    monkeypatch.setattr(Deployment, "on_aws", stack)


WHERE = "Rerun files in stack data-pipeline, account 123456789012, region eu-central-1"


def test_a_change_on_aws_is_confirmed_with_account_region_and_stack(
    on_aws: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", Answers("y"))
    assert not choice("aws").open_to_change("Rerun files").emulated
    assert f"{WHERE}? [y/N]" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", Answers("n"))
    with pytest.raises(PipectlError, match="Nothing was changed"):
        choice("aws").open_to_change("Rerun files")
    monkeypatch.setattr("sys.stdin", Answers(""))
    with pytest.raises(PipectlError, match="Nothing was changed"):
        choice("aws").open_to_change("Rerun files")


def test_without_a_terminal_only_yes_changes_something(
    on_aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Answers(None))
    with pytest.raises(UsageError, match=rf"{WHERE}: there is no terminal.* Add --yes"):
        choice("aws").open_to_change("Rerun files")
    assert UsageError.exit_code == 2
    consent = StackChoice("aws", None, None, None, Path("embedded.json"), yes=True)
    assert not consent.open_to_change("Rerun files").emulated


CHANGES = {
    "backfill",
    "contract push",
    "correct",
    "dead-letters discard",
    "dead-letters replay",
    "erase",
    "live-check",
    "rerun",
    "smoke",
}


def test_exactly_the_commands_that_change_a_stack_have_yes() -> None:
    leaves = dict(commands_below(pipectl))
    assert {name for name, leaf in leaves.items() if takes(leaf, "--yes")} == CHANGES
    assert all(takes(leaves[name], "--stack-name") for name in CHANGES)


def takes(command: click.Command, option: str) -> bool:
    """Whether a command has an option."""
    return any(option in parameter.opts for parameter in command.params)


def test_a_stack_without_the_pipelines_outputs_is_an_error() -> None:
    deployment = Deployment(boto3.Session("a", "b", region_name="eu-central-1"), "other")
    deployment.__dict__["outputs"] = {}
    with pytest.raises(PipectlError, match="other has no output StateMachineArn"):
        Stack(deployment).output("StateMachineArn")


def refusal(code: str, message: str = "") -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": message}}
    return ClientError(response, "RedriveExecution")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (exceptions.NoCredentialsError(), "There are no AWS credentials. Name a profile with"),
        (exceptions.NoRegionError(), "No region is set. Set one with --region"),
        (exceptions.ProfileNotFound(profile="x"), "aws configure list-profiles"),
        (
            exceptions.EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
            "http://127.0.0.1:1 can't be reached",
        ),
        (refusal("ExpiredTokenException"), "have expired. Sign in again"),
        (refusal("UnrecognizedClientException"), "aws sts get-caller-identity"),
        (refusal("ThrottlingException"), "Try again in a minute"),
        (
            refusal(
                "AccessDeniedException",
                "User: arn:aws:iam::1:user/x is not authorized to perform:"
                f" states:RedriveExecution on resource: {ARN} because ...",
            ),
            f"these credentials need the permission states:RedriveExecution on {ARN}.",
        ),
        (refusal("AccessDenied"), "need the permission for RedriveExecution."),
        (refusal("Odd", "Words."), "AWS refused RedriveExecution: Words. (Odd)"),
    ],
)
def test_an_error_of_aws_becomes_a_sentence_that_says_what_to_do(error: Any, sentence: str) -> None:
    assert sentence in explain(error)
    with pytest.raises(PipectlError, match=r"^[^\n]+$"), explained():
        raise error


def test_the_link_to_an_execution_in_the_console() -> None:
    assert console_url(ARN) == (
        "https://eu-central-1.console.aws.amazon.com/states/home?region=eu-central-1"
        f"#/v2/executions/details/{ARN}"
    )


def test_the_link_to_a_functions_log_lines_about_an_execution() -> None:
    start = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
    function = "arn:aws:lambda:eu-central-1:123456789012:function:data-pipeline-transform-dev"
    assert log_url(function, "abc", start=start, end=start) == (
        "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1"
        "#logsV2:log-groups/log-group/$252Faws$252Flambda$252Fdata-pipeline-transform-dev"
        "/log-events$3FfilterPattern$3D$2522abc$2522$26start$3D1772351940000$26end$3D1772352060000"
    )


def test_the_outputs_that_a_stack_must_have_are_those_that_the_code_reads() -> None:
    folders = ("client", "operate", "views", "console", "local")
    paths = (path for folder in folders for path in (PIPECTL / folder).rglob("*"))
    texts = [path.read_text("utf-8") for path in paths if path.suffix in (".py", ".html")]
    read = re.compile(r"""\boutput(?:\(|s\[)["'](\w+)["'][\])]""")
    assert {name for text in texts for name in read.findall(text)} == set(OUTPUTS_READ)
