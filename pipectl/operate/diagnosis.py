"""The checks of `pipectl doctor`: this machine, the credentials, and the stack."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Literal

from pipectl.client.state_file import STATE_FILE, RunningStack
from pipectl.errors import PipectlError
from pipectl.options import IS_INSTALLED, PROJECT

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack

    _Look = Callable[[Stack], str]

State = Literal["ok", "missing", "problem"]

_LEAST_PYTHON = (3, 11)
_PROGRAMS = {
    "aws": "the AWS CLI: copying files, queries of the documentation",
    "sam": "the AWS SAM CLI: deploying the stack",
}


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    `missing` is something that some commands need, `problem` something that must be fixed.
    """

    name: str
    state: State
    text: str

    def to_document(self) -> dict[str, str]:
        """The finding as `--json` prints it."""
        return {"name": self.name, "state": self.state, "text": self.text}


def examine_machine(distribution: str, extras: Mapping[str, tuple[str, ...]]) -> Iterator[Finding]:
    """Check Python, pipectl, its extras and the other programs. Needs no network."""
    version = platform.python_version()
    if sys.version_info < _LEAST_PYTHON:
        yield Finding("Python", "problem", f"{version}; 3.11 or newer is needed")
    else:
        yield Finding("Python", "ok", version)
    where = "installed" if IS_INSTALLED else f"in the repository {PROJECT}"
    yield Finding(
        "pipectl", "ok", f"{installed_version(distribution) or 'unknown version'}, {where}"
    )
    yield _stack_files()
    for extra, modules in extras.items():
        yield _extra(extra, modules, distribution)
    for program, purpose in _PROGRAMS.items():
        path = shutil.which(program)
        yield Finding(program, "ok" if path else "missing", path or f"not on the PATH; {purpose}")
    running = RunningStack.find(STATE_FILE)
    where = running.endpoint if running else "not running; `pipectl up` starts it"
    yield Finding("embedded stack", "ok" if running else "missing", where)


def examine_stack(open_stack: Callable[[], Stack]) -> Iterator[Finding]:
    """Check the credentials, the region, and whether the stack's parts can be reached."""
    try:
        stack = open_stack()
        identity = stack.client("sts").get_caller_identity()
    except Exception as error:  # noqa: BLE001  # whatever is wrong is what is looked for
        yield Finding("credentials", "problem", _sentence(error))
        return
    yield Finding("credentials", "ok", f"{identity['Arn']}, account {identity['Account']}")
    yield Finding("region", "ok", stack.region)
    try:
        lacking = stack.missing_outputs
    except Exception as error:  # noqa: BLE001
        yield Finding("stack", "problem", _sentence(error))
        return
    if lacking:
        yield Finding(
            "stack",
            "problem",
            f"{stack.deployment.stack_name} has no output {', '.join(lacking)}: it is another "
            "stack, or an older version of this one",
        )
        return
    yield Finding("stack", "ok", stack.deployment.stack_name)
    for name, look in _PARTS.items():
        yield _reached(name, stack, look)


def _described(output: str, service: str, operation: str, parameter: str) -> _Look:
    """A check that a part exists, by the call that describes it; gives the part's name."""

    def look(stack: Stack) -> str:
        name = stack.output(output)
        getattr(stack.client(service), operation)(**{parameter: name})
        return name

    return look


def _dead_letters(stack: Stack) -> str:
    attribute = "ApproximateNumberOfMessages"
    answer = stack.client("sqs").get_queue_attributes(
        QueueUrl=stack.output("DeadLetterQueueUrl"), AttributeNames=[attribute]
    )
    count = int(answer["Attributes"][attribute])
    return "empty" if not count else f"about {count} messages; see `pipectl failures`"


_PARTS: dict[str, _Look] = {
    "input bucket": _described("InputBucketName", "s3", "head_bucket", "Bucket"),
    "output bucket": _described("OutputBucketName", "s3", "head_bucket", "Bucket"),
    "metadata table": _described("MetadataTableName", "dynamodb", "describe_table", "TableName"),
    "state machine": _described(
        "StateMachineArn", "stepfunctions", "describe_state_machine", "stateMachineArn"
    ),
    "dead-letter queue": _dead_letters,
}


def _reached(name: str, stack: Stack, look: _Look) -> Finding:
    from pipectl.client.aws_errors import explained

    try:
        with explained():
            return Finding(name, "ok", look(stack))
    except Exception as error:  # noqa: BLE001
        return Finding(name, "problem", _sentence(error))


def _stack_files() -> Finding:
    if (PROJECT / "template.yaml").is_file():
        return Finding("stack's files", "ok", str(PROJECT))
    return Finding("stack's files", "problem", f"there is no template.yaml in {PROJECT}")


def _extra(extra: str, modules: tuple[str, ...], distribution: str) -> Finding:
    from importlib.util import find_spec

    lacking = [module for module in modules if find_spec(module) is None]
    name = f"extra {extra}"
    if lacking:
        install = f"pipx install '{distribution}[{extra}]'"
        return Finding(name, "missing", f"{', '.join(lacking)} not installed: {install}")
    found = [(module, installed_version(_DISTRIBUTIONS.get(module, module))) for module in modules]
    return Finding(name, "ok", ", ".join(f"{module} {version}" for module, version in found))


_DISTRIBUTIONS = {"samtranslator": "aws-sam-translator", "yaml": "pyyaml"}


def installed_version(distribution: str) -> str | None:
    """The installed version of a distribution; None if it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _sentence(error: Exception) -> str:
    """An error as `pipectl` would print it, in one line."""
    if isinstance(error, PipectlError):
        return error.message
    from pipectl.client.aws_errors import explained

    try:
        with explained():
            raise error
    except PipectlError as explanation:
        return explanation.message
    except Exception as unexplained:  # noqa: BLE001
        return f"{type(unexplained).__name__}: {unexplained}"
