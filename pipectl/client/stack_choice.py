"""The stack that a command works on: one on AWS, or the embedded one of `pipectl up`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from pipectl.errors import PipectlError, UsageError
from pipectl.output import echo, printable

if TYPE_CHECKING:
    from pipectl.client.controls import Controls
    from pipectl.client.deployment import Deployment

DEFAULT_STACK_NAME = "data-pipeline"

Place = Literal["aws", "embedded"]


OUTPUTS_READ = (
    *("InputBucketName", "OutputBucketName", "MetadataTableName", "StateMachineArn"),
    *("ProcessingQueueUrl", "DeadLetterQueueUrl"),
)
"""The outputs of a stack that commands and the console read."""


@dataclass(frozen=True)
class Stack:
    """A stack of the pipeline.

    An embedded one writes its functions' logs to `log_folder` and has `controls`.
    """

    deployment: Deployment
    log_folder: Path | None = None
    controls: Controls | None = None

    @property
    def emulated(self) -> bool:
        """Whether it runs on the embedded AWS, where redrives are emulated."""
        return self.deployment.endpoint is not None

    @property
    def region(self) -> str:
        """The stack's region."""
        return str(self.deployment.session.region_name)

    @property
    def title(self) -> str:
        """The stack's name and place, for people."""
        name = self.deployment.stack_name
        if self.emulated:
            return f"stack {name} on the embedded AWS at {self.deployment.endpoint}"
        profile = self.deployment.session.profile_name
        return f"stack {name} on AWS, region {self.region}, profile {profile}"

    @property
    def account(self) -> str:
        """The stack's account; raises `PipectlError` if it can't be read."""
        return self.output("StateMachineArn").split(":")[4]

    @property
    def missing_outputs(self) -> list[str]:
        """Those of `OUTPUTS_READ` that it lacks: it is of another template or an older version."""
        return [name for name in OUTPUTS_READ if name not in self.deployment.outputs]

    def output(self, name: str) -> str:
        """One of the stack's outputs; raises `PipectlError` if there is none of that name."""
        try:
            return self.deployment.outputs[name]
        except KeyError:
            raise PipectlError(
                f"The stack {self.deployment.stack_name} has no output {name}. Name the stack of"
                " the data pipeline with --stack-name, or deploy this version to it."
            ) from None

    def client(self, service: Any) -> Any:
        """The boto3 client of a service."""
        return self.deployment.client(service)


@dataclass(frozen=True)
class StackChoice:
    """What the command line says about the stack; `yes` allows a change on AWS without asking."""

    place: Place | None
    stack_name: str | None
    profile: str | None
    region: str | None
    state_file: Path | None
    yes: bool = False

    def open_to_change(self, change: str) -> Stack:
        """The chosen stack, for a command that makes a change in it, such as `Rerun files`.

        On AWS the user confirms the change, seeing account, region and stack. Raises `UsageError`
        without a terminal to ask at and without --yes, and `PipectlError` if the answer is no.
        """
        stack = self.open()
        if stack.emulated or self.yes:
            return stack
        # The account is read before the question, so an unreadable stack fails without a question.
        place = (
            f"stack {stack.deployment.stack_name}, account {stack.account}, region {stack.region}"
        )
        if not sys.stdin.isatty():
            raise UsageError(
                f"{change} in {place}: there is no terminal to ask for confirmation. Add --yes to"
                " confirm, or --embedded for the stack of `pipectl up`."
            )
        if not click.confirm(printable(f"{change} in {place}?"), err=True):
            raise PipectlError("Nothing was changed.")
        return stack

    def open(self) -> Stack:
        """The chosen stack, announced on standard error."""
        # Importing the AWS SDK takes most of a second. A command's help does not need it.
        from pipectl.client.controls import Controls
        from pipectl.client.deployment import Deployment
        from pipectl.client.state_file import STATE_FILE, RunningStack

        state_file = self.state_file or STATE_FILE
        # The file remains after the stack has ended, so that AWS is used only on request.
        if self.where(embedded_was_up=state_file.exists()) == "aws":
            name = self.stack_name or DEFAULT_STACK_NAME
            stack = Stack(Deployment.on_aws(name, profile=self.profile, region=self.region))
        else:
            running = RunningStack.find(state_file)
            if running is None:
                raise PipectlError(_not_up(state_file, chosen=self.place == "embedded"))
            controls = Controls(running.endpoint, running.token)
            stack = Stack(running.deployment, Path(running.log_folder), controls)
        echo(f"({stack.title})", err=True)
        return stack

    def where(self, *, embedded_was_up: bool) -> Place:
        """AWS if an option is about it, otherwise the embedded stack if there was one.

        Raises `UsageError` if the options contradict each other.
        """
        about_aws = [
            option
            for option, value in (
                ("--stack-name", self.stack_name),
                ("--profile", self.profile),
                ("--region", self.region),
            )
            if value is not None
        ]
        if self.place == "embedded" and about_aws:
            raise UsageError(f"--embedded and {about_aws[0]} can't be combined.")
        if self.place is not None:
            return self.place
        return "aws" if about_aws or not embedded_was_up else "embedded"


def _not_up(state_file: Path, *, chosen: bool) -> str:
    """What to do if no embedded stack is running."""
    if chosen or not state_file.exists():
        return "No embedded stack is running. Start one with: pipectl up"
    return (
        "The stack of `pipectl up` has ended. Start it again with `pipectl up`, or use the stack on"
        f" AWS with --aws. To make AWS the default again, delete {state_file}."
    )


def stack_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that choose the stack to a command, which receives them as `choice`.

    Errors of AWS become a `PipectlError` that says what to do.
    """

    @wraps(function)
    def command(
        *,
        place: Place | None,
        stack_name: str | None,
        profile: str | None,
        region: str | None,
        state_file: Path | None,
        yes: bool = False,
        **others: Any,
    ) -> None:
        from pipectl.client.aws_errors import explained

        choice = StackChoice(place, stack_name, profile, region, state_file, yes)
        with explained():
            function(choice=choice, **others)

    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def changing_stack_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the same options and --yes to a command that makes changes in the stack."""
    return _YES(stack_options(function))


_YES = click.option(
    "--yes", "-y", is_flag=True, help="Make changes on AWS without asking for confirmation."
)

_OPTIONS = (
    click.option("--stack-name", help=f"Stack name on AWS.  [default: {DEFAULT_STACK_NAME}]"),
    click.option("--profile", help="Profile of the AWS CLI to use."),
    click.option("--region", help="AWS region of the stack."),
    click.option("--aws", "place", flag_value="aws", help="Use AWS even while `pipectl up` runs."),
    click.option(
        "--embedded",
        "place",
        flag_value="embedded",
        help="Use the stack of `pipectl up`. This is the default after `pipectl up` was started.",
    ),
    click.option(
        "--state-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="File in which `pipectl up` records its stack.  [default: .pipectl/embedded.json]",
    ),
)
