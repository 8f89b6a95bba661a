"""`pipectl up`: the stack on an embedded AWS, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipectl.client.state_file import STATE_FILE, STATE_FOLDER, RunningStack
from pipectl.errors import PipectlError
from pipectl.options import concurrency_option, parameter_option, template_option

if TYPE_CHECKING:
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
    help="Where other commands look for this stack.  [default: .pipectl/embedded.json]",
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

    Files that are put into the input bucket run as they do on AWS. Any AWS client reaches it with
    the endpoint's address and any keys.
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
    click.echo("Starting the embedded AWS ...", err=True)
    with stack, _announced(stack, state_file, REGION, STACK_NAME):
        _explain(stack)
        _report_executions(stack, ending)
    click.echo("Stopped.", err=True)


def _ending_signals() -> threading.Event:
    """An event that Ctrl-C and a polite kill set, from now on instead of what they did."""
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ending.set())
    return ending


@contextmanager
def _announced(stack: EmbeddedStack, path: Path, region: str, stack_name: str) -> Iterator[None]:
    """Tell other commands of the stack, as long as it is up."""
    deployment = stack.deployment
    RunningStack(
        os.getpid(), str(deployment.endpoint), region, stack_name, str(stack.log_folder)
    ).write(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _explain(stack: EmbeddedStack) -> None:
    endpoint, outputs = stack.deployment.endpoint, stack.deployment.outputs
    lines = [f"{'Endpoint':<15} {endpoint}"]
    lines += [
        f"{name:<15} {outputs[output]}"
        for name, output in _SHOWN_OUTPUTS.items()
        if output in outputs
    ]
    lines += [
        f"{'Function logs':<15} {stack.log_folder}",
        "",
        "With the AWS CLI (any keys will do):",
        "  export AWS_ACCESS_KEY_ID=embedded AWS_SECRET_ACCESS_KEY=embedded"
        f" AWS_DEFAULT_REGION={stack.deployment.session.region_name}",
    ]
    lines += [
        f"  aws --endpoint-url {endpoint} {example.format(outputs[output])}"
        for output, example in _EXAMPLES
        if output in outputs
    ]
    lines += ["", "Ctrl-C stops it and forgets everything in it."]
    click.echo("\n".join(lines))


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
    ("InputBucketName", "s3 cp FILE.csv s3://{}/raw/"),
    ("OutputBucketName", "s3 ls --recursive s3://{}/"),
    ("StateMachineArn", "stepfunctions list-executions --state-machine-arn {}"),
    ("MetadataTableName", "dynamodb scan --table-name {}"),
    ("DeadLetterQueueUrl", "sqs receive-message --queue-url {}"),
)


def _report_executions(stack: EmbeddedStack, ending: threading.Event) -> None:
    """Print a line for each execution that has ended, until the end is asked for."""
    from pipectl.client.history import Executions

    executions = Executions(stack.deployment)
    reported: set[tuple[str, int]] = set()
    while not ending.wait(_TICK):
        for execution in reversed(list(executions.all())):
            key = (execution.arn, execution.redrive_count)
            if execution.status == "running" or key in reported:
                continue
            reported.add(key)
            run = executions.run(execution)
            why = f": {run.failure.code}: {run.failure.message}" if run.failure else ""
            click.echo(f"{execution.source.get('key', execution.name)} {execution.status}{why}")
