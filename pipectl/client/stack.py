"""Which stack a command works on: one on AWS, or the embedded one that `pipectl up` keeps up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from pipectl.errors import PipectlError, UsageError

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
    """What the command line says about the stack."""

    place: Place | None
    stack_name: str | None
    profile: str | None
    region: str | None
    state_file: Path | None

    def open(self) -> Stack:
        """The chosen stack, announced on standard error."""
        # The AWS SDK takes most of a second to import, which a command's help can do without.
        from pipectl.client.deployment import Deployment
        from pipectl.client.state_file import STATE_FILE, RunningStack

        state_file = self.state_file or STATE_FILE
        running = RunningStack.find(state_file)
        if self.where(embedded_is_up=running is not None) == "aws":
            name = self.stack_name or DEFAULT_STACK_NAME
            stack = Stack(Deployment.on_aws(name, profile=self.profile, region=self.region))
        else:
            running = running or RunningStack.need(state_file)
            stack = Stack(running.deployment, Path(running.log_folder))
        click.echo(f"({stack.title})", err=True)
        return stack

    def where(self, *, embedded_is_up: bool) -> Place:
        """AWS where anything about it is said; else the embedded stack, if one is up.

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
        return "aws" if about_aws or not embedded_is_up else "embedded"


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
        **others: Any,
    ) -> None:
        from pipectl.client.aws_errors import explained

        choice = StackChoice(place, stack_name, profile, region, state_file)
        with explained():
            function(choice=choice, **others)

    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    click.option("--stack-name", help=f"The stack's name on AWS.  [default: {DEFAULT_STACK_NAME}]"),
    click.option("--profile", help="Profile of the AWS CLI to use."),
    click.option("--region", help="Region of the stack, as for the AWS CLI."),
    click.option("--aws", "place", flag_value="aws", help="Use AWS even if `pipectl up` runs."),
    click.option(
        "--embedded",
        "place",
        flag_value="embedded",
        help="Use the stack of `pipectl up`. So it is without any of these options, if it runs.",
    ),
    click.option(
        "--state-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Where `pipectl up` tells of its stack.  [default: .pipectl/embedded.json]",
    ),
)
