"""Runs the commands of the tutorial and writes what they print into it.

A console block after `<!-- run: local -->` needs nothing but the project; one after
`<!-- run: stack -->` needs a running stack and the AWS CLI. The blocks run in one shell, one after
the other, in a folder of their own that has the project's `events/`. `make docs` rewrites the
blocks whose output has changed; a test fails where one is stale.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipectl.embedded.process import StackProcess
from tests.infrastructure.deployed import ROOT

TUTORIAL = ROOT / "docs" / "tutorial.md"
KINDS = ("local", "stack")
_BLOCK = re.compile(
    r"(?P<start><!-- run: (?P<kind>\w+) -->\n```console\n)(?P<body>.*?)(?P<end>```\n)", re.DOTALL
)
_COMMAND = re.compile(r"^\$ (.*)$", re.MULTILINE)
_MARK = "--- the next command ---"
# What differs from one run to the next: ids, times, durations, and the widths that follow.
_VARYING = (
    (re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])"), "ID"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "TIME"),
    (re.compile(r"\b\d+(\.\d+)? (ms|s|min)\b"), "DURATION"),
    (re.compile(r"\b\d+\.\d$", re.MULTILINE), "SECONDS"),
    (re.compile(r'"processed_at":"[^"]*"'), '"processed_at":"TIME"'),
    (re.compile(r" +"), " "),
    (re.compile(r" +$", re.MULTILINE), ""),
)
# How far a command is, printed if it is silent for a while; a terminal shows that in another way.
_PROGRESS = re.compile(
    r"^((Starting the embedded AWS|Running), .*|(Checking|Reading) .*: .* of .*)\n",
    re.MULTILINE,
)
# `pipectl` looks for this stack instead of the developer's own, and waits for uploads to end.
_SHELL = r"""
exec 2>&1
uploads=0
ended() {
    command pipectl executions --json --state-file "$STATE_FILE" 2>/dev/null \
        | grep -cE '"status": *"(succeeded|failed)"'
}
awslocal() {
    aws --endpoint-url "$ENDPOINT" "$@"
    case "$*" in *" cp "*/raw/*) uploads=$((uploads + 1)) ;; esac
}
pipectl() {
    case "$1 $2" in
        "contract push" | executions* | failures* | rejects* | correct* | rerun*)
            until [ "$(ended)" -ge "$uploads" ]; do sleep 0.2; done
            command pipectl "$@" --state-file "$STATE_FILE" ;;
        *) command pipectl "$@" ;;
    esac
}
"""


def blocks(page: str) -> list[tuple[str, list[str]]]:
    """The kind and the commands of each block that is run."""
    return [(block["kind"], _COMMAND.findall(block["body"])) for block in _BLOCK.finditer(page)]


def bodies(page: str, kinds: Sequence[str]) -> list[str]:
    """The text of each block of these kinds: commands, and what they printed."""
    return [block["body"] for block in _BLOCK.finditer(page) if block["kind"] in kinds]


def outputs_of(commands: Iterable[str], environment: dict[str, str]) -> list[str]:
    """What each command prints on both streams, in one shell in a new folder."""
    lines = list(commands)
    script = _SHELL + "".join(f"{line}\necho '{_MARK}'\n" for line in lines)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "events").symlink_to(ROOT / "events")
        run = subprocess.run(
            ["bash", "-c", script],
            cwd=folder,
            env=os.environ | environment | {"PATH": path, "COLUMNS": "80"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=300,
        )
    found = run.stdout.split(f"{_MARK}\n")
    assert len(found) == len(lines) + 1, run.stdout
    return [_PROGRESS.sub("", printed) for printed in found[:-1]]


def made(page: str, kinds: Sequence[str] = KINDS) -> list[str]:
    """The bodies of the page's blocks of these kinds, run now."""
    chosen = [commands for kind, commands in blocks(page) if kind in kinds]
    commands = [command for block in chosen for command in block]
    if "stack" in kinds:
        with StackProcess(time_factor=1) as stack:
            endpoint = str(stack.deployment.endpoint)
            printed = outputs_of(
                commands,
                {
                    "STATE_FILE": str(stack.state_file),
                    "ENDPOINT": endpoint,
                    "AWS_ACCESS_KEY_ID": "embedded",
                    "AWS_SECRET_ACCESS_KEY": "embedded",
                    "AWS_DEFAULT_REGION": stack.deployment.session.region_name,
                    "NO_PROXY": "127.0.0.1",
                },
            )
        printed = [text.replace(endpoint, "http://127.0.0.1:4560") for text in printed]
    else:
        printed = outputs_of(commands, {})
    results = iter(printed)
    return [
        "".join(f"$ {command}\n{next(results)}" for command in block_commands)
        for block_commands in chosen
    ]


def normal(body: str) -> str:
    """A block without what differs from one run to the next."""
    for pattern, replacement in _VARYING:
        body = pattern.sub(replacement, body)
    return body


def rewritten(page: str, new: Sequence[str]) -> str:
    """The page with these bodies if any shows something new; all of them, so that ids agree."""
    if [normal(body) for body in bodies(page, KINDS)] == [normal(body) for body in new]:
        return page
    texts = iter(new)
    return _BLOCK.sub(lambda found: found["start"] + next(texts) + found["end"], page)


def main() -> None:
    """Run the tutorial; rewrite it, and print its name, if a command prints something new."""
    page = TUTORIAL.read_text(encoding="utf-8")
    if page != (new := rewritten(page, made(page))):
        TUTORIAL.write_text(new, encoding="utf-8")
        sys.stdout.write(f"{TUTORIAL.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
