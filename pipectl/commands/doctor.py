"""`pipectl doctor`: whether this machine and the stack have what pipectl needs."""

from __future__ import annotations

import click

from pipectl import tables
from pipectl.client.stack_choice import StackChoice, stack_options
from pipectl.options import json_option
from pipectl.output import echo, echo_json


@click.command(epilog="Example: pipectl doctor --stack-name data-pipeline")
@click.option("--offline", is_flag=True, help="Look at this machine only, not at AWS.")
@json_option
@stack_options
def command(*, choice: StackChoice, offline: bool, as_json: bool) -> None:
    """Check Python, pipectl's extras, credentials and the stack, and say what is missing.

    Something that only some commands need is missing; something that must be fixed is a problem.

    Exit status: 0 if there is no problem, 1 if there is one, 2 on usage errors.
    """
    from pipectl.cli import DISTRIBUTION, EXTRAS
    from pipectl.operate.diagnosis import examine_machine, examine_stack

    findings = list(examine_machine(DISTRIBUTION, EXTRAS))
    if not offline:
        findings += examine_stack(choice.open)
    problems = sum(finding.state == "problem" for finding in findings)
    if as_json:
        echo_json({"findings": [finding.to_document() for finding in findings]})
    else:
        tables.show(
            ("STATE", "WHAT", "FOUND"),
            [(finding.state, finding.name, finding.text) for finding in findings],
            status=0,
        )
        echo(f"{problems} problem{'' if problems == 1 else 's'}")
    if problems:
        raise SystemExit(1)
