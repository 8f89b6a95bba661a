"""Which stack a command works on: one on AWS, or the embedded one that `pipectl up` keeps up."""

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
    from pipectl.client.deployment import Deployment

DEFAULT_STACK_NAME = "data-pipeline"

Place = Literal["aws", "embedded"]


@dataclass(frozen=True)
class Stack:
    """A stack of the pipeline; `log_folder` is where an embedded one writes its functions' logs."""

    deployment: Deployment
    log_folder: Path | None = None

    @property
    def emulated(self) -> bool:
        """Whether it runs on the embedded AWS, where a redrive is an emulation."""
        return self.deployment.endpoint is not None

    @property
    def region(self) -> str:
        """The stack's region."""
        return str(self.deployment.session.region_name)

    @property
    def title(self) -> str:
        """What the stack is and where, for people."""
        name = self.deployment.stack_name
        if self.emulated:
            return f"stack {name} on the embedded AWS at {self.deployment.endpoint}"
        profile = self.deployment.session.profile_name
        return f"stack {name} on AWS, region {self.region}, profile {profile}"

    @property
    def account(self) -> str:
        """The account that the stack is in; raises `PipectlError` where it can't be read."""
        return self.output("StateMachineArn").split(":")[4]

    def output(self, name: str) -> str:
        """One of the stack's outputs; raises `PipectlError` where it has none of that name."""
        try:
            return self.deployment.outputs[name]
        except KeyError:
            raise PipectlError(
                f"The stack {self.deployment.stack_name} has no output {name}. Is it the data"
                " pipeline's? Name another with --stack-name, or deploy this version of it."
            ) from None

    def client(self, service: Any) -> Any:
        """The boto3 client of a service."""
        return self.deployment.client(service)


@dataclass(frozen=True)
class StackChoice:
    """What the command line says about the stack; `yes` is the consent to change one on AWS."""

    place: Place | None
    stack_name: str | None
    profile: str | None
    region: str | None
    state_file: Path | None
    yes: bool = False

    def open_to_change(self, change: str) -> Stack:
        """The chosen stack for a command that changes something in it, such as `Rerun files`.

        On AWS the change is asked for, with account, region and stack. Raises `UsageError` where
        nobody can be asked and --yes isn't given, and `PipectlError` where the answer is no.
        """
        stack = self.open()
        if stack.emulated or self.yes:
            return stack
        # Read before the question, so that a stack that can't be read isn't asked for.
        place = (
            f"stack {stack.deployment.stack_name}, account {stack.account}, region {stack.region}"
        )
        if not sys.stdin.isatty():
            raise UsageError(
                f"{change} in {place}: nobody can be asked here. Add --yes to do it, or --embedded"
                " for the stack of `pipectl up`."
            )
        if not click.confirm(printable(f"{change} in {place}?"), err=True):
            raise PipectlError("Nothing was changed.")
        return stack

    def open(self) -> Stack:
        """The chosen stack, announced on standard error."""
        # The AWS SDK takes most of a second to import, which a command's help can do without.
        from pipectl.client.deployment import Deployment
        from pipectl.client.state_file import STATE_FILE, RunningStack

        state_file = self.state_file or STATE_FILE
        # The file stays when the stack has ended: that AWS is meant now is for somebody to say.
        if self.where(embedded_was_up=state_file.exists()) == "aws":
            name = self.stack_name or DEFAULT_STACK_NAME
            stack = Stack(Deployment.on_aws(name, profile=self.profile, region=self.region))
        else:
            running = RunningStack.find(state_file)
            if running is None:
                raise PipectlError(_not_up(state_file, chosen=self.place == "embedded"))
            stack = Stack(running.deployment, Path(running.log_folder))
        echo(f"({stack.title})", err=True)
        return stack

    def where(self, *, embedded_was_up: bool) -> Place:
        """AWS where anything about it is said; else the embedded stack, if there was one.

        Raises `UsageError` where the options contradict each other.
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
            raise UsageError(f"--embedded and {about_aws[0]} exclude each other.")
        if self.place is not None:
            return self.place
        return "aws" if about_aws or not embedded_was_up else "embedded"


def _not_up(state_file: Path, *, chosen: bool) -> str:
    """What to do where no embedded stack is up."""
    if chosen or not state_file.exists():
        return "No embedded stack is up. Start one with: pipectl up"
    return (
        "The stack of `pipectl up` has ended. Start one again with `pipectl up`, or use the stack"
        f" on AWS with --aws. To make AWS the default again, delete {state_file}."
    )


def stack_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that choose the stack; it gets them as `choice`.

    What AWS refuses it then becomes a sentence that says what to do.
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
    """Give a command that changes something in the stack those options, and --yes."""
    return _YES(stack_options(function))


_YES = click.option(
    "--yes", "-y", is_flag=True, help="Don't ask before something is changed on AWS."
)

_OPTIONS = (
    click.option("--stack-name", help=f"The stack's name on AWS.  [default: {DEFAULT_STACK_NAME}]"),
    click.option("--profile", help="Profile of the AWS CLI to use."),
    click.option("--region", help="Region of the stack, as for the AWS CLI."),
    click.option("--aws", "place", flag_value="aws", help="Use AWS even if `pipectl up` runs."),
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
