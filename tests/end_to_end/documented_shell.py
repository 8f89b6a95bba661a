"""A shell that runs commands of the documentation on the embedded AWS.

The commands are those of the pages, with two exceptions. `make build` does nothing, because the
functions run from this folder whatever a package contains. And questions of `sam` are answered with
yes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipectl.cli import pipectl
from tests.infrastructure.deployed import ROOT

if TYPE_CHECKING:
    from pipectl.embedded.process import StackProcess

# The function of the README that reads an output of the stack.
OUTPUT = re.findall(
    r"^output\(\) \{.*?^\}\n", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.M
)[0]
_MARK = "--- end of the commands, status "


class Shell:
    """A shell in a copy of the project's deployable files, whose AWS is the embedded one."""

    def __init__(self, stack: StackProcess, folder: Path) -> None:
        self.folder = folder
        for name in ("functions", "layers", "statemachine", "template.yaml", "samconfig.toml"):
            source = ROOT / name
            ignored = shutil.ignore_patterns("__pycache__")
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=ignored)
            else:
                shutil.copy(source, folder / name)
        region = stack.deployment.session.region_name
        self._process = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=os.environ
            | {
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "AWS_ENDPOINT_URL": str(stack.deployment.endpoint),
                "ENDPOINT": str(stack.deployment.endpoint),
                "STATE_FILE": str(stack.state_file),
                "AWS_ACCESS_KEY_ID": "embedded",
                "AWS_SECRET_ACCESS_KEY": "embedded",
                "AWS_REGION": region,
                "AWS_DEFAULT_REGION": region,
                "NO_PROXY": "127.0.0.1",
                "SAM_CLI_TELEMETRY": "0",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        patterns = "|".join(f'"{name}"*' for name in of_stacks(pipectl))
        self.run(OUTPUT + _WRAPPERS.replace("OF_STACKS", patterns))

    def run(self, commands: str, *, status: int = 0) -> str:
        """What the commands print; the last one must end with this exit status."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{{ {commands}\n}} </dev/null\necho '{_MARK}'$?\n")
        self._process.stdin.flush()
        printed = ""
        for line in self._process.stdout:
            if line.startswith(_MARK):
                assert int(line.removeprefix(_MARK)) == status, printed
                break
            printed += line
        return printed

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


# `aws sqs` of version 1 of the CLI ignores AWS_ENDPOINT_URL.
_WRAPPERS = """
aws() { command aws --endpoint-url "$ENDPOINT" "$@"; }
make() { :; }
sam() { yes | command sam "$@"; }
pipectl() {
    case "$* " in
        OF_STACKS) command pipectl "$@" --state-file "$STATE_FILE" ;;
        *) command pipectl "$@" ;;
    esac
}
"""


def of_stacks(command: click.Command, name: str = "") -> Iterator[str]:
    """The names of the commands that need a stack, such as `contract push `."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for one in command.list_commands(context):
            found = command.get_command(context, one)
            assert found is not None
            yield from of_stacks(found, f"{name}{one} ")
    elif any("--state-file" in parameter.opts for parameter in command.params):
        yield name
