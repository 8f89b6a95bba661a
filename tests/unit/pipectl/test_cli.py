"""The command line itself: help, mistakes, and never a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pipectl import cli
from pipectl.commands import run, up


def pipectl(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        [sys.executable, "-m", "pipectl", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_imports_no_aws() -> None:
    code = (
        "import sys; from pipectl import cli; sys.argv = ['pipectl', '--help']\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "print({'boto3', 'moto', 'rich', 'polars'} & set(sys.modules))"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout.endswith("set()\n")


@pytest.mark.parametrize("name", cli.SUBCOMMANDS)
def test_every_subcommand_has_help_and_is_listed(name: str) -> None:
    outcome = CliRunner().invoke(cli.pipectl, [name, "--help"])
    assert outcome.exit_code == 0
    assert name in CliRunner().invoke(cli.pipectl, ["--help"]).output


@pytest.mark.parametrize("command", [run.command, up.command])
def test_commands_show_an_example(command: click.Command) -> None:
    assert "Example: pipectl" in CliRunner().invoke(command, ["--help"]).output


def test_a_file_that_is_not_there_is_a_usage_error() -> None:
    process = pipectl("run", "nowhere.csv")
    assert process.returncode == 2
    assert "There is no file nowhere.csv." in process.stderr
    assert process.stdout == ""


def test_a_name_that_starts_nothing_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "a.csv.tmp").touch()
    process = pipectl("run", tmp_path / "a.csv.tmp")
    assert process.returncode == 2
    assert "its name ends with .tmp, so it is not complete. Rename it." in process.stderr


def test_a_parameter_without_value_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    process = pipectl("run", tmp_path / "a.csv", "--parameter", "OutputFormat")
    assert process.returncode == 2
    assert "not of the form NAME=VALUE" in process.stderr


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    target = tmp_path / "missing" / "a.json"
    process = pipectl("contract", "infer", tmp_path / "a.csv", "--out", target)
    assert process.returncode == 1
    assert process.stderr == f"Error: {target}: No such file or directory.\n"


def test_an_unexpected_error_is_a_sentence_and_not_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def break_down(**_: object) -> None:
        raise RuntimeError("out of paper")

    monkeypatch.delenv("PIPECTL_DEBUG", raising=False)
    monkeypatch.setattr(cli, "pipectl", break_down)
    with pytest.raises(SystemExit) as ending:
        cli.main()
    assert ending.value.code == 1
    message = capsys.readouterr().err
    assert message.startswith("Error: RuntimeError: out of paper (test_cli.py:")
    assert "Traceback" not in message
