"""Pictures for the documentation: the workflow, and terminals recorded from real runs.

`make docs` draws `docs/pictures/workflow.svg` from the workflow's definition. It also runs the
command behind `make demo` on a pseudo-terminal and draws what it prints as
`docs/pictures/demo.svg`. File ids and seconds differ from run to run, so that picture is only
rewritten when something else has changed.
"""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
import tempfile

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from pipectl.views.drawing import standalone
from pipectl.views.graph import read_graph
from tests.infrastructure.deployed import ROOT

DEMO = ROOT / "docs" / "pictures" / "demo.svg"
WORKFLOW = ROOT / "docs" / "pictures" / "workflow.svg"
COLUMNS = 84
_ARGUMENTS = (
    "run",
    "events/orders-2026-02.csv",
    "events/orders-2026-03.csv",
    "--dataset",
    "orders",
    "--contract",
    "events/orders.contract.json",
)
_FONT_FACE = re.compile(r"\s*@font-face \{.*?\}\n", re.DOTALL)
_VARYING = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])|\b\d+\.\d\b")
_TEXT = re.compile(r"<text class[^>]*>(.*?)</text>")


def recorded(*arguments: str) -> str:
    """What `pipectl` prints to standard output on a terminal of `COLUMNS` columns, with colours.

    The progress display goes to standard error and is not recorded: it erases itself at the end.
    """
    parent, child = pty.openpty()
    environment = os.environ | {"COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [sys.executable, "-m", "pipectl", *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=child,
            stderr=errors,
        ) as running,
    ):
        os.close(child)
        output = _read_to_end(parent)
        if running.wait():
            errors.seek(0)
            message = errors.read().decode(errors="replace")
            raise SystemExit(f"pipectl {arguments[0]} exited with {running.returncode}:\n{message}")
    return output.decode().replace("\r\n", "\n")


def _read_to_end(terminal: int) -> bytes:
    """Everything that is written to a pseudo-terminal until its other side is closed."""
    output = bytearray()
    try:
        while data := os.read(terminal, 65536):
            output += data
    except OSError:  # how Linux reports that the other side is closed; macOS returns nothing
        pass
    finally:
        os.close(terminal)
    return bytes(output)


def drawn(command: str, output: str) -> str:
    """A terminal in which the command was run, as SVG that loads nothing from elsewhere."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
    # The blank line keeps the drawing's lower edge from cutting the last one.
    console.print(Text.from_ansi(output.strip("\n") + "\n"), soft_wrap=True)
    svg = console.export_svg(title=command, theme=DIMMED_MONOKAI, unique_id="demo")
    return _FONT_FACE.sub("\n", svg).replace("Fira Code, monospace", "monospace")


def content(svg: str) -> list[str]:
    """The text of a picture, run by run, without what differs from one recording to the next."""
    return [_VARYING.sub("*", text) for text in _TEXT.findall(svg)]


def workflow() -> str:
    """The workflow, drawn from the definition that is deployed."""
    path = ROOT / "statemachine" / "pipeline.asl.json"
    definition = json.loads(path.read_text(encoding="utf-8"))
    return standalone(
        read_graph(definition), "The workflow's states and the transitions between them"
    )


def main() -> None:
    """Draw the workflow and record the demo; write what is new, and print its name."""
    if not WORKFLOW.exists() or WORKFLOW.read_text(encoding="utf-8") != workflow():
        WORKFLOW.write_text(workflow(), encoding="utf-8")
        sys.stdout.write(f"{WORKFLOW.relative_to(ROOT)}\n")
    with tempfile.TemporaryDirectory() as folder:
        output = recorded(*_ARGUMENTS, "--out", folder).replace(folder, "out")
    picture = drawn("make demo", output)
    if not DEMO.exists() or content(DEMO.read_text(encoding="utf-8")) != content(picture):
        DEMO.parent.mkdir(exist_ok=True)
        DEMO.write_text(picture, encoding="utf-8")
        sys.stdout.write(f"{DEMO.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
