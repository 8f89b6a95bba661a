"""`pipectl up`: the stack on an embedded AWS, until Ctrl-C."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipectl.client.state_file import STATE_FILE, STATE_FOLDER, RunningStack
from pipectl.errors import PipectlError
from pipectl.options import PROJECT, concurrency_option, parameter_option, template_option
from pipectl.output import echo

if TYPE_CHECKING:
    from pipectl.client.deployment import Deployment
    from pipectl.client.step_functions import DescribedExecution, Executions
    from pipectl.embedded.stack import EmbeddedStack

DEFAULT_PORT = 4560

# How often executions are looked at, in seconds.
_TICK = 0.5


@click.command(epilog="Example: pipectl up --port 5000 --parameter OutputFormat=parquet")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="Port of the endpoint on 127.0.0.1; 0 takes a free one.",
)
@click.option(
    "--time-factor",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Length of the waits between retries, and before a refused message comes again; 0 doesn't"
    " wait.",
)
@click.option(
    "--state-file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=STATE_FILE,
    help="File that records this stack for other commands.  [default: .pipectl/embedded.json]",
)
@concurrency_option
@parameter_option
@template_option
def command(
    *,
    port: int,
    time_factor: float,
    state_file: Path,
    concurrency: int | None,
    parameters: Mapping[str, str],
    template: Path,
) -> None:
    """Keep the pipeline's stack up on an embedded AWS, until Ctrl-C.

    Files that are put into the input bucket run as they do on AWS. Any AWS client of this machine
    reaches it with the endpoint's address and any keys. Web pages don't: requests of other origins
    are refused.
    """
    from pipectl.embedded.stack import STACK_NAME, EmbeddedStack
    from pipectl.embedded.template import REGION

    running = RunningStack.find(state_file)
    if running is not None:
        raise PipectlError(
            f"A stack is up already at {running.endpoint} (process {running.pid}). Stop that one"
            " first, or give this one a --state-file of its own."
        )
    ending = _ending_signals()
    log_folder = state_file.parent / "logs" if state_file != STATE_FILE else STATE_FOLDER / "logs"
    stack = EmbeddedStack(
        template,
        parameters,
        port=port,
        time_factor=time_factor,
        concurrency=concurrency,
        log_folder=log_folder,
    )
    _say("Starting the embedded AWS ...", err=True)
    with stack, _announced(stack, state_file, REGION, STACK_NAME):
        _explain(stack)
        _report_executions(stack, ending)
    _say("Stopped.", err=True)


def _ending_signals() -> threading.Event:
    """An event that Ctrl-C and a polite kill set, from now on instead of what they did."""
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ending.set())
    return ending


@contextmanager
def _announced(stack: EmbeddedStack, path: Path, region: str, stack_name: str) -> Iterator[None]:
    """Record the stack for other commands as long as it is up, and then that it was."""
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


def _explain(stack: EmbeddedStack) -> None:
    endpoint, outputs = stack.deployment.endpoint, stack.deployment.outputs
    lines = [f"{'Endpoint':<15} {endpoint}"]
    lines += [
        f"{name:<15} {outputs[output]}"
        for name, output in _SHOWN_OUTPUTS.items()
        if output in outputs
    ]
    lines += [f"{'Function logs':<15} {stack.log_folder}", "", *aws_cli_lines(stack.deployment), ""]
    lines += ["Ctrl-C stops it and deletes everything in it."]
    for line in lines:
        _say(line)


def aws_cli_lines(deployment: Deployment) -> list[str]:
    """Lines to paste into a shell: a command `awslocal`, and calls with it.

    `--endpoint-url` is what every service of every version of the AWS CLI takes: `aws sqs` of
    version 1 ignores AWS_ENDPOINT_URL and a profile's `endpoint_url`.
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
    """A file of the repository to try, as the shell here finds it."""
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

# The stack's output that an example needs, and the example.
_EXAMPLES = (
    ("InputBucketName", "s3 cp {file} s3://{}/raw/orders/"),
    ("OutputBucketName", "s3 ls --recursive s3://{}/"),
    ("StateMachineArn", "stepfunctions list-executions --state-machine-arn {}"),
    ("MetadataTableName", "dynamodb scan --table-name {}"),
    ("DeadLetterQueueUrl", "sqs receive-message --queue-url {}"),
)


class _Reporter:
    """Prints a line for each execution that has ended.

    What goes wrong here is said once and ends nothing: the stack doesn't depend on it.
    """

    def __init__(self, executions: Executions) -> None:
        self._executions = executions
        self._reported: set[tuple[str, int]] = set()
        self._problem: str | None = None

    def look(self) -> None:
        """Print what is new."""
        try:
            for execution in reversed(list(self._executions.all())):
                self._report(execution)
            self._problem = None
        except Exception as error:  # noqa: BLE001  # whatever it is, the stack stays up
            self._complain(f"Executions can't be shown: {type(error).__name__}: {error}")

    def _report(self, execution: DescribedExecution) -> None:
        key = (execution.arn, execution.redrive_count)
        if execution.status == "running" or key in self._reported:
            return
        # First, so that one that can't be shown does not hide those after it.
        self._reported.add(key)
        run = self._executions.run(execution)
        why = f": {run.failure.code}: {run.failure.message}" if run.failure else ""
        _say(f"{execution.source.get('key', execution.name)} {execution.status}{why}")

    def _complain(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            _say(problem, err=True)


def _say(line: str, *, err: bool = False) -> None:
    """Print a line. Where nobody takes it, as after `pipectl up | head -1`, it is left out."""
    try:
        echo(line, err=err)
    except (OSError, ValueError):
        # What is buffered would be tried again at the end, and fail again.
        stream = sys.stderr if err else sys.stdout
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _report_executions(stack: EmbeddedStack, ending: threading.Event) -> None:
    """Print a line for each execution that has ended, until the end is asked for."""
    from pipectl.client.stack_choice import Stack
    from pipectl.client.step_functions import Executions

    reporter = _Reporter(Executions(Stack(stack.deployment)))
    pause = _TICK
    while not ending.wait(pause):
        started = time.monotonic()
        reporter.look()
        # Of thousands of executions a look takes seconds, which the executions themselves need.
        pause = max(_TICK, 10 * (time.monotonic() - started))
