"""docs/operating.md has the help of each command, an example, and the ways without `pipectl`."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from pipectl.cli import pipectl

PAGE = (Path(__file__).parents[3] / "docs" / "operating.md").read_text(encoding="utf-8")
# Click leaves two of the usual 80 columns free.
TERMINAL_WIDTH = 78

COMMANDS = ("executions", "show", "failures", "rejects", "rerun", "backfill")
_, _, _AFTER = PAGE.partition("\n## Rerun without pipectl\n")
WITHOUT_PIPECTL = _AFTER.partition("\n## ")[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_on_the_page_is_the_commands_own(command: str) -> None:
    blocks = re.findall(rf"<!-- help: {command} -->\n```text\n(.+?)\n```", PAGE, re.DOTALL)
    assert blocks == [help_of(command)]


def help_of(command: str) -> str:
    """What the command prints with --help in a terminal of the default width."""
    names = pipectl.context_settings["help_option_names"]
    whole = click.Context(
        pipectl, info_name="pipectl", help_option_names=names, terminal_width=TERMINAL_WIDTH
    )
    own = pipectl.get_command(whole, command)
    assert own is not None
    return click.Context(own, info_name=command, parent=whole).get_help().rstrip()


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_an_example(command: str) -> None:
    epilog = pipectl.get_command(None, command).epilog  # type: ignore[arg-type, union-attr]
    assert f"pipectl {command} " in str(epilog)
    assert f"$ pipectl {command}" in PAGE


def test_the_page_shows_both_ways_to_rerun_without_pipectl() -> None:
    calls = re.findall(r"^aws \S+ (\S+)", WITHOUT_PIPECTL, re.MULTILINE)
    assert {"redrive-execution", "start-message-move-task"} <= set(calls)
