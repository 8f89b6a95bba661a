"""`pipectl live-check`: whether AWS does what the pipeline relies on."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import click

from pipectl import tables
from pipectl.client.stack_choice import StackChoice, changing_stack_options
from pipectl.errors import UsageError
from pipectl.options import json_option
from pipectl.output import counted, echo, echo_json

if TYPE_CHECKING:
    from pipectl.operate.live_check.model import CheckResult, LiveCheck
    from pipectl.operate.live_check.run import Checked

_VERDICTS = ("ok", "differs", "not run")


@click.command(
    epilog="Example: pipectl live-check --stack-name data-pipeline --json > live-check.json"
)
@click.option("--only", multiple=True, metavar="NAME", help="Run this check only. Repeatable.")
@click.option("--list", "listed", is_flag=True, help="List the checks and run none.")
@click.option(
    "--invasive",
    is_flag=True,
    help="Also run checks that change a function's settings, and restore them.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=600,
    show_default=True,
    metavar="SECONDS",
    help="Time after which no further check begins.",
)
@json_option
@changing_stack_options
def command(
    *,
    choice: StackChoice,
    only: tuple[str, ...],
    listed: bool,
    invasive: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Check in a deployed stack that AWS does what the pipeline relies on.

    It deploys nothing. It sends files of separate datasets with new names (live-check-...) through
    the stack, some of which fail on purpose, and removes them. Subscribers are notified of each.
    Use a stack without other files, because settings changed by --invasive apply to those too.

    A check that can't be run, for example for lack of a permission, is "not run", with the reason.
    The JSON document has no account number and no cell of a file: attach it to a report.

    Exit status: 0 if all that ran is as expected, 1 if something differs, if no check ran or if
    something could not be removed, 2 on usage errors.
    """
    checks = _chosen(only)
    if listed:
        _list(checks, as_json=as_json)
        return
    from pipectl.cli import DISTRIBUTION
    from pipectl.operate.diagnosis import installed_version
    from pipectl.operate.live_check.report import report_of
    from pipectl.operate.live_check.run import run_checks
    from pipectl.operate.live_check.workspace import Workspace
    from pipectl.signals import ending_signals

    settings = ", change settings of functions meanwhile," if invasive else ""
    stack = choice.open_to_change(f"Send files that fail on purpose{settings} and remove them")
    started, ending = datetime.now(UTC), ending_signals()
    bench = Workspace(stack, time.monotonic() + timeout, ending.wait, partial(echo, err=True))
    checked = run_checks(
        bench, checks, invasive=invasive, show=lambda one: echo(f"{one.name} ...", err=True)
    )
    if as_json:
        version = installed_version(DISTRIBUTION) or "unknown"
        echo_json(report_of(stack, checked, started, version))
    else:
        _show(checked)
    if checked.interrupted:
        raise click.Abort
    if _failed(checked):
        raise SystemExit(1)


def _chosen(only: tuple[str, ...]) -> list[LiveCheck]:
    from pipectl.operate.live_check.registry import CHECKS

    unknown = set(only) - {check.name for check in CHECKS}
    if unknown:
        raise UsageError(f"There is no check {', '.join(sorted(unknown))}. List them with --list.")
    return [check for check in CHECKS if not only or check.name in only]


def _list(checks: list[LiveCheck], *, as_json: bool) -> None:
    if as_json:
        names = ("name", "relies_on", "expected", "invasive", "cost", "source")
        echo_json({"checks": [{name: getattr(one, name) for name in names} for one in checks]})
        return
    rows = [
        (one.name, "--invasive" if one.invasive else "", one.cost, one.relies_on.replace("`", ""))
        for one in checks
    ]
    tables.show(("CHECK", "NEEDS", "COST", "RELIES ON"), rows)


def _show(checked: Checked) -> None:
    rows = [
        (one.verdict, one.check.name, f"{one.seconds:.0f} s", one.check.expected, one.text)
        for one in checked.results
    ]
    tables.show(("VERDICT", "CHECK", "TIME", "EXPECTED", "SEEN"), rows, status=0)
    counts = [f"{_count(checked.results, verdict)} {verdict}" for verdict in _VERDICTS]
    echo(f"{counted(len(checked.results), 'check', 'checks')}: {', '.join(counts)}")
    for one in checked.left:
        echo(f"Not removed: {one}")


def _failed(checked: Checked) -> bool:
    ran = _count(checked.results, "ok") + _count(checked.results, "differs")
    return bool(checked.left) or not ran or bool(_count(checked.results, "differs"))


def _count(results: list[CheckResult], verdict: str) -> int:
    return sum(one.verdict == verdict for one in results)
