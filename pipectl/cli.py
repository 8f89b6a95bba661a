"""The command `pipectl`."""

from __future__ import annotations

import atexit
import importlib
import io
import os
import signal
import sys
import traceback
from contextlib import suppress
from typing import NoReturn

import click

from pipectl.errors import PipectlError
from pipectl.output import accept_any_text, echo, printable

# Each is a separate module, imported when the subcommand is used. So `pipectl --help` doesn't
# import AWS's SDK, and a broken subcommand doesn't break the others.
SUBCOMMANDS = {
    "run": "Process files with the whole pipeline on this machine, without AWS.",
    "up": "Run the pipeline's stack on this machine, without AWS.",
    "check": "Validate files against a contract, without running anything.",
    "head": "Show the first records of a file: each cell and its typed value.",
    "stats": "Show statistics of a file's columns.",
    "contract": "Draft, check and compare contracts, and copy them to and from a stack.",
    "executions": "List executions and their files.",
    "show": "Show everything about one execution and its file.",
    "console": "Show a stack in the browser: files, failures, datasets, notifications.",
    "failures": "List failed files: error, state, since when, and how to rerun them.",
    "dead-letters": "Replay dead letters, or discard them with a reason.",
    "rejects": "Show the rejected records of a file, and why they were rejected.",
    "correct": "Process a file again with corrected rows in place of the rejected ones.",
    "rerun": "Rerun failed files.",
    "backfill": "Run objects in the bucket that have no successful run.",
    "erase": "Erase a file and everything that was made of it.",
    "smoke": "Send a tiny file through a stack, check its outcome, and remove it.",
    "live-check": "Check in a deployed stack that AWS does what the pipeline relies on.",
    "doctor": "Check this machine, the credentials and the stack.",
    "estimate": "Estimate requests, time, cost and quotas of a load on AWS.",
}


# The distribution's name, and what each of its extras installs.
DISTRIBUTION = "csv-step-pipeline"
EXTRAS = {
    "engine": ("polars", "orjson"),
    "console": ("starlette", "uvicorn", "jinja2", "multipart", "polars", "orjson"),
    "local": ("moto", "samtranslator", "yaml", "polars", "orjson"),
}


class _Subcommands(click.Group):
    """Imports a subcommand when it is used."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(SUBCOMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in SUBCOMMANDS:
            return None
        command = importlib.import_module(f"pipectl.commands.{name.replace('-', '_')}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"pipectl.commands.{name} has no click command named `command`.")
        return command

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(SUBCOMMANDS.items()))


@click.group(
    cls=_Subcommands, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=True
)
@click.version_option(package_name=DISTRIBUTION)
def pipectl() -> None:
    """Run, watch and repair the data pipeline.

    For help on a command: pipectl COMMAND --help.
    """


def main() -> None:
    """Run the command. Errors are printed as one sentence.

    With PIPECTL_DEBUG set, unexpected errors are printed with their traceback.
    """
    accept_any_text()
    try:
        pipectl(standalone_mode=False)
    except click.Abort:
        _end_interrupted()
    except click.ClickException as error:
        _show(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Nobody reads the output any more, as after `pipectl ... | head`.
        sys.stdout = None
        sys.exit(0)
    except Exception as error:
        if os.environ.get("PIPECTL_DEBUG"):
            raise
        _show(_explain(error))
        sys.exit(PipectlError.exit_code)


def _end_interrupted() -> NoReturn:
    """End with status 130, as shells report a process that Ctrl-C has ended.

    Not by `sys.exit`: where the interrupt hit code that runs `exec` on text, as `dataclass` does
    during an import, CPython kills the process by SIGINT at its end although the interrupt was
    handled (`_PyRuntime.signals.unhandled_keyboard_interrupt`).
    """
    # Another Ctrl-C while the process ends would change its exit status.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    echo("Stopped.", err=True)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(130)


def _show(error: click.ClickException) -> None:
    """Print an error, with unprintable characters in it escaped."""
    if not isinstance(error, PipectlError):
        # Click quotes the command line, which may contain any character.
        error.message = printable(error.message)
    text = io.StringIO()
    error.show(text)
    for line in text.getvalue().rstrip("\n").split("\n"):
        echo(line, err=True)


def _explain(error: Exception) -> PipectlError:
    """An unexpected error as a sentence."""
    if isinstance(error, ModuleNotFoundError):
        missing = str(error.name).partition(".")[0]
        extra = next((extra for extra, names in EXTRAS.items() if missing in names), None)
        if extra is not None:
            return PipectlError(
                f"This needs {missing}, which is not installed. Install pipectl with its extra"
                f" {extra}: pipx install '{DISTRIBUTION}[{extra}]'"
            )
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return PipectlError(f"{error.filename}: {error.strerror}.")
    kind = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({os.path.basename(frames[-1].filename)}:{frames[-1].lineno})" if frames else ""  # noqa: PTH119  # as it is written in the frame
    return PipectlError(
        f"{kind}: {error}{place}. Set PIPECTL_DEBUG=1 to see where this comes from."
    )
