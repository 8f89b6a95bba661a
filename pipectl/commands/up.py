"""`pipectl up`: run the stack on an embedded AWS until Ctrl-C."""

from __future__ import annotations

import gc
import itertools
import os
import shlex
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipectl.client.loading import check_folder, load_folder
from pipectl.client.stack_choice import Stack
from pipectl.client.state_file import STATE_FILE, STATE_FOLDER, RunningStack
from pipectl.console.server import DEFAULT_PORT as DEFAULT_CONSOLE_PORT
from pipectl.console.server import serve_console
from pipectl.errors import PipectlError
from pipectl.options import (
    PROJECT,
    concurrency_option,
    parameter_option,
    port_option,
    template_option,
)
from pipectl.output import counted, echo
from pipectl.signals import ending_signals

if TYPE_CHECKING:
    from pipectl.client.deployment import Deployment
    from pipectl.client.history import Run
    from pipectl.client.step_functions import DescribedExecution, Executions
    from pipectl.console.state import Console
    from pipectl.embedded.stack import EmbeddedStack

DEFAULT_PORT = 4560

# Seconds between two polls of the executions, if there is something new.
_TICK = 0.5


@click.command(epilog="Example: pipectl up --port 5000 --parameter OutputFormat=parquet")
@port_option("--port", DEFAULT_PORT, "endpoint")
@click.option(
    "--time-factor",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Factor for the waits between retries and before a failed message is redelivered: 0.1"
    " makes them a tenth as long, 0 removes them.",
)
@click.option(
    "--state-file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=STATE_FILE,
    help="File in which the stack's endpoint is recorded for other commands.  [default:"
    " .pipectl/embedded.json]",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder in which the stack's contents are kept: objects, table items, executions and"
    " messages. The next `up` with it continues there. Without it, they are deleted at the end.",
)
@click.option(
    "--load",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="Folder whose contracts/<dataset>.json and raw/<dataset>/... are uploaded at the start."
    " Files that exist already are not changed.",
)
@port_option("--console-port", DEFAULT_CONSOLE_PORT, "console")
@click.option("--console/--no-console", default=True, help="Serve the console.  [default: yes]")
@concurrency_option
@parameter_option
@template_option
def command(
    *,
    port: int,
    console_port: int,
    console: bool,
    time_factor: float,
    state_file: Path,
    data: Path | None,
    load: Path | None,
    concurrency: int | None,
    parameters: Mapping[str, str],
    template: Path,
) -> None:
    """Run the pipeline's stack on an embedded AWS until Ctrl-C.

    Files that you upload to its input bucket are processed as on AWS. Any AWS client on this
    machine can use the endpoint, with any credentials. Requests from web pages are refused.

    The console shows the stack in a browser. Open it with the address that is printed: it contains
    a token, without which nobody can use it.
    """
    from pipectl.embedded.stack import STACK_NAME, EmbeddedStack
    from pipectl.embedded.template import REGION

    running = RunningStack.find(state_file)
    if running is not None:
        raise PipectlError(
            f"A stack is already running at {running.endpoint} (process {running.pid}). Stop it"
            " first, or use another --state-file."
        )
    if load is not None:
        check_folder(load)
    ending = ending_signals()
    log_folder = state_file.parent / "logs" if state_file != STATE_FILE else STATE_FOLDER / "logs"
    stack = EmbeddedStack(
        template,
        parameters,
        port=port,
        time_factor=time_factor,
        concurrency=concurrency,
        log_folder=log_folder,
        data=data,
    )
    _say("Starting the embedded AWS ...", err=True)
    with (
        stack,
        _announced(stack, state_file, REGION, STACK_NAME),
        _console(stack, console_port if console else None, state_file) as url,
    ):
        _explain(stack, url, data)
        # In a separate thread: with thousands of executions, one poll takes longer than anyone
        # waits after Ctrl-C.
        reporting = threading.Thread(target=_report_executions, args=(stack, ending), daemon=True)
        reporting.start()
        if load is not None:
            _load(stack, load, ending)
        ending.wait()
    # The stack is closed, so its calls fail.
    reporting.join(timeout=_TICK)
    _say("Stopped.", err=True)
    # Freeing the memory of thousands of executions takes longer than everything else at exit.
    gc.freeze()


@contextmanager
def _announced(stack: EmbeddedStack, path: Path, region: str, stack_name: str) -> Iterator[None]:
    """Record the stack for other commands while it is up, and afterwards that it has ended."""
    deployment = stack.deployment
    running = RunningStack(
        pid=os.getpid(),
        endpoint=str(deployment.endpoint),
        region=region,
        stack_name=stack_name,
        log_folder=str(stack.log_folder),
        token=stack.token,
    )
    running.write(path)
    try:
        yield
    finally:
        running.write_ended(path)


@contextmanager
def _console(stack: EmbeddedStack, port: int | None, state_file: Path) -> Iterator[str | None]:
    """Serve the console at a port; gives its address. None serves nothing.

    If the default port is taken, a free one is used. The stack of another template than the
    pipeline's has no files to show, and so no console.
    """
    shown = Stack(stack.deployment, stack.log_folder)
    if port is None or shown.missing_outputs:
        yield None
        return

    def make() -> Console:
        from pipectl.console.commands import Commands
        from pipectl.console.state import Console

        return Console(
            shown,
            allow_writes=True,
            commands=Commands(
                () if state_file == STATE_FILE else ("--state-file", str(state_file))
            ),
            changes=stack.changes,
            messages=stack.notifications,
        )

    def failed(error: Exception) -> None:
        _say(f"The console can't be shown: {type(error).__name__}: {error}", err=True)

    or_any = port == DEFAULT_CONSOLE_PORT
    with serve_console(make, port, or_any=or_any, failed=failed) as address:
        yield address


def _load(stack: EmbeddedStack, folder: Path, ending: threading.Event) -> None:
    """Upload the contracts and files of a folder."""
    loaded = load_folder(stack.deployment, folder, ending.is_set)
    for path, reason in loaded.ignored:
        _say(f"{path} is not loaded: {reason}", err=True)
    unchanged = f"; {counted(loaded.unchanged, 'is', 'are')} there already" * bool(loaded.unchanged)
    _say(
        f"Loaded from {folder}: {counted(loaded.contracts, 'contract', 'contracts')} and"
        f" {counted(loaded.files, 'file', 'files')}{unchanged}."
    )


def _explain(stack: EmbeddedStack, console: str | None, data: Path | None) -> None:
    endpoint, outputs = stack.deployment.endpoint, stack.deployment.outputs
    lines = [f"{'Console':<15} {console}", ""] if console else []
    lines += [f"{'Endpoint':<15} {endpoint}"]
    lines += [
        f"{name:<15} {outputs[output]}"
        for name, output in _SHOWN_OUTPUTS.items()
        if output in outputs
    ]
    lines += [f"{'Function logs':<15} {stack.log_folder}", "", *aws_cli_lines(stack.deployment), ""]
    if data is None:
        lines += ["Ctrl-C stops it and deletes everything in it."]
    else:
        lines += _about_data(stack, data)
    for line in lines:
        _say(line)


def _about_data(stack: EmbeddedStack, data: Path) -> list[str]:
    """What the stack has started with, and where its contents are kept."""
    restored = stack.restored
    assert restored is not None  # noqa: S101  # the stack has the folder
    lines = []
    if restored.objects or restored.executions:
        lines += [
            f"Restored from {data}: {counted(restored.objects, 'object', 'objects')} and"
            f" {counted(restored.executions, 'execution', 'executions')}."
        ]
    if restored.interrupted:
        number = len(restored.interrupted)
        lines += [
            f"{counted(number, 'execution was', 'executions were')} running when the stack stopped,"
            f" and {'is' if number == 1 else 'are'} aborted now. Continue with `pipectl rerun"
            " --all`."
        ]
    return [*lines, f"Ctrl-C stops it. Everything in it is kept in {data}."]


def aws_cli_lines(deployment: Deployment) -> list[str]:
    """Lines to paste into a shell: a function `awslocal`, and example calls.

    They use `--endpoint-url` because it works in every version of the AWS CLI: `aws sqs` of version
    1 ignores AWS_ENDPOINT_URL and a profile's `endpoint_url`.
    """
    endpoint, outputs = deployment.endpoint, deployment.outputs
    region = deployment.session.region_name
    settings = f"AWS_ACCESS_KEY_ID=embedded AWS_SECRET_ACCESS_KEY=embedded AWS_REGION={region}"
    return [
        "With the AWS CLI, paste these lines:",
        f"  awslocal() {{ {settings} AWS_DEFAULT_REGION={region} NO_PROXY=127.0.0.1"
        f' no_proxy=127.0.0.1 aws --endpoint-url {endpoint} "$@"; }}',
        *(
            f"  awslocal {example.format(shlex.quote(outputs[output]), file=_sample())}"
            for output, example in _EXAMPLES
            if output in outputs
        ),
    ]


def _sample() -> str:
    """The path of a sample file of the repository, relative to the current folder and quoted."""
    path = PROJECT / "events" / "orders-2026-03.csv"
    return shlex.quote(os.path.relpath(path))


_SHOWN_OUTPUTS = {
    "Input bucket": "InputBucketName",
    "Output bucket": "OutputBucketName",
    "Queue": "ProcessingQueueUrl",
    "Dead letters": "DeadLetterQueueUrl",
    "Topic": "NotificationTopicArn",
    "State machine": "StateMachineArn",
    "Metadata table": "MetadataTableName",
}

# The stack output that an example needs, and the example.
_EXAMPLES = (
    ("InputBucketName", "s3 cp {file} s3://{}/raw/orders/"),
    ("OutputBucketName", "s3 ls --recursive s3://{}/"),
    ("StateMachineArn", "stepfunctions list-executions --state-machine-arn {}"),
    ("MetadataTableName", "dynamodb scan --table-name {}"),
    ("DeadLetterQueueUrl", "sqs receive-message --queue-url {}"),
)


class _Reporter:
    """Prints a line for each execution that has ended.

    An error is printed once and never ends the stack.
    """

    def __init__(self, executions: Executions | _Ended, ending: threading.Event) -> None:
        """Once `ending` is set, nothing more is read or printed."""
        self._executions = executions
        self._ending = ending
        self._reported: set[tuple[str, int]] = set()
        self._problem: str | None = None

    def look(self) -> None:
        """Print the executions that have ended since the last call."""
        try:
            for execution in reversed(list(self._until_the_end(self._executions.all()))):
                self._report(execution)
            self._problem = None
        except Exception as error:  # noqa: BLE001  # no error may end the stack
            self._complain(f"Executions can't be shown: {type(error).__name__}: {error}")

    def _until_the_end(
        self, executions: Iterator[DescribedExecution]
    ) -> Iterator[DescribedExecution]:
        return itertools.takewhile(lambda _: not self._ending.is_set(), executions)

    def _report(self, execution: DescribedExecution) -> None:
        if self._ending.is_set():
            return
        key = (execution.arn, execution.redrive_count)
        if execution.status == "running" or key in self._reported:
            return
        # Before reading it, so that an unreadable execution doesn't hide those after it.
        self._reported.add(key)
        # Only a failure needs the whole history.
        failed = execution.status != "succeeded"
        failure = self._executions.run(execution).failure if failed else None
        why = f": {failure.code}: {failure.message}" if failure else ""
        _say(f"{execution.source.get('key', execution.name)} {execution.status}{why}")

    def _complain(self, problem: str) -> None:
        if problem != self._problem and not self._ending.is_set():
            self._problem = problem
            _say(problem, err=True)


class _Ended:
    """The executions of the stack that have ended, each of which is described once."""

    def __init__(self, stack: EmbeddedStack, executions: Executions) -> None:
        self._stack = stack
        self._executions = executions
        # Those that the stack was started with are not news.
        self._described = {
            (execution.arn, execution.redrive_count)
            for execution in (stack.executions() if stack.restored else ())
            if execution.status != "RUNNING"
        }

    def all(self) -> Iterator[DescribedExecution]:
        """The executions that have ended since the last call, newest first."""
        for execution in reversed(self._stack.executions()):
            key = (execution.arn, execution.redrive_count)
            if execution.status == "RUNNING" or key in self._described:
                continue
            described = self._executions.describe(execution.arn)
            self._described.add(key)
            if described is not None:
                yield described

    def run(self, execution: DescribedExecution) -> Run:
        """The execution's history, read."""
        return self._executions.run(execution)


def _say(line: str, *, err: bool = False) -> None:
    """Print a line, or drop it if the reader is gone, as after `pipectl up | head -1`."""
    try:
        echo(line, err=err)
    except (OSError, ValueError):
        # Otherwise the buffered text is written again at exit, and fails again.
        stream = sys.stderr if err else sys.stdout
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _report_executions(stack: EmbeddedStack, ending: threading.Event) -> None:
    """Print a line for each execution that has ended, until `ending` is set."""
    from pipectl.client.step_functions import Executions

    reporter = _Reporter(_Ended(stack, Executions(Stack(stack.deployment))), ending)
    seen = 0
    # Several executions that end at almost the same time are read together.
    while not ending.wait(_TICK):
        reporter.look()
        seen = stack.changes.wait(seen)
