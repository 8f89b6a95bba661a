"""Usage errors, and errors before anything has been done."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from moto import mock_aws

from pipectl.cli import main

FILE_ID = "0" * 32


class Command:
    """Runs `pipectl` in an environment without any AWS configuration, and no embedded stack up."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
    ) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self._state_file = folder / "embedded.json"

    def __call__(self, *arguments: str) -> tuple[int, str]:
        line = ["pipectl", *arguments, "--state-file", str(self._state_file)]
        self._monkeypatch.setattr(sys, "argv", line)
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), self._capsys.readouterr().err


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return Command(monkeypatch, capsys, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("rerun",), "Name executions or files, or rerun all failed files with --all."),
        (("rerun", FILE_ID, "--all"), "Name executions or files"),
        (("rerun", FILE_ID, "--error", "EmptyFile"), "need --all"),
        (("rerun", FILE_ID, "--limit", "1"), "need --all"),
        (("rerun", "--all", "--force"), "--force needs named files"),
        (("rerun", "--all", "--since", "yesterday"), "neither a time such as"),
        (("rerun", "--all", "--canary", "-1"), "--canary"),
        (("rerun", "raw/orders/a.csv"), "neither a file id"),
        (("show",), "Missing argument"),
        (("show", "a b"), "neither a file id"),
        (("executions", "--status", "lost"), "--status"),
        (("executions", "--limit", "0"), "--limit"),
        (("failures", "--embedded", "--region", "eu-central-1"), "can't be combined"),
        (("backfill", "--since", "soon"), "neither a time such as"),
    ],
)
def test_a_wrong_command_line_is_explained_with_status_2(
    command: Command, arguments: tuple[str, ...], problem: str
) -> None:
    exit_code, said = command(*arguments)
    assert exit_code == 2
    assert problem in " ".join(said.split())


COMMANDS = (("executions",), ("failures",), ("show", FILE_ID), ("rerun", FILE_ID), ("backfill",))


@pytest.mark.parametrize("arguments", COMMANDS)
def test_missing_credentials_are_a_sentence_with_status_1(
    command: Command, arguments: tuple[str, ...]
) -> None:
    exit_code, said = command(*arguments, "--region", "eu-central-1")
    assert exit_code == 1
    assert "There are no AWS credentials." in said
    assert "Traceback" not in said


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_missing_region_is_a_sentence_with_status_1(
    command: Command, arguments: tuple[str, ...]
) -> None:
    exit_code, said = command(*arguments, "--aws")
    assert exit_code == 1
    assert "No region is set." in said


def test_a_missing_profile_is_a_sentence_with_status_1(command: Command) -> None:
    exit_code, said = command("failures", "--profile", "nobody")
    assert exit_code == 1
    assert "(nobody) could not be found. List the profiles with" in said


def test_a_missing_embedded_stack_is_a_sentence_with_status_1(command: Command) -> None:
    exit_code, said = command("failures", "--embedded")
    assert exit_code == 1
    assert "No embedded stack is running. Start one with: pipectl up" in said


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_missing_stack_is_a_sentence_with_status_1(
    command: Command, arguments: tuple[str, ...]
) -> None:
    with mock_aws():
        exit_code, said = command(*arguments, "--region", "eu-central-1", "--stack-name", "nothing")
    assert exit_code == 1
    assert "There is no stack nothing in eu-central-1. Set its name with --stack-name" in said
