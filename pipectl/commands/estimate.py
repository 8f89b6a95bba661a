"""`pipectl estimate`: the requests, time, cost and quotas of a load, before it is deployed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipectl.options import json_option, parameter_option, template_option
from pipectl.output import echo, echo_json

if TYPE_CHECKING:
    from pipectl.scale.idle import IdleReport
    from pipectl.scale.report import Report


@click.command(epilog="Example: pipectl estimate --size-gb 100 --files-per-day 24")
@click.option(
    "--size-gb",
    type=click.FloatRange(min=0, min_open=True, max=5000),
    default=1.0,
    show_default=True,
    help="Size of each file in GB (10^9 bytes).",
)
@click.option(
    "--rows",
    type=click.IntRange(min=1),
    help="Records per file.  [default: its size divided by 128 bytes]",
)
@click.option(
    "--files-per-day",
    type=click.FloatRange(min=0, min_open=True),
    default=1000.0,
    show_default=True,
    help="Number of files per day.",
)
@click.option(
    "--peak",
    type=click.FloatRange(min=1),
    default=1.0,
    show_default=True,
    help="Ratio of the busiest time's load to the average. Quotas are compared with the peak.",
)
@click.option(
    "--rejected-percent",
    type=click.FloatRange(0, 100),
    default=1.0,
    show_default=True,
    help="Percentage of records that are rejected.",
)
@click.option(
    "--failed-percent",
    type=click.FloatRange(0, 100),
    default=0.0,
    show_default=True,
    help="Percentage of files that fail in ParseCsv. They count in the 30 days.",
)
@click.option(
    "--throughput",
    type=click.FloatRange(min=0, min_open=True),
    metavar="MB",
    help="MB (10^6 bytes) that one processor transforms per second.  [default: measured]",
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    metavar="N",
    help="The account's concurrent Lambda executions.  [default: 1000; a new account has 10]",
)
@click.option(
    "--prices",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="JSON file with the prices of your region. Without it, no cost is shown.",
)
@click.option(
    "--idle",
    is_flag=True,
    help="Show what AWS bills for the stack without files instead.",
)
@click.option(
    "--datasets",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    metavar="N",
    help="With --idle: datasets whose contracts set `freshness`.",
)
@json_option
@parameter_option
@template_option
def command(
    *,
    idle: bool,
    datasets: int,
    size_gb: float,
    rows: int | None,
    files_per_day: float,
    peak: float,
    rejected_percent: float,
    failed_percent: float,
    throughput: float | None,
    concurrency: int | None,
    prices: Path | None,
    as_json: bool,
    parameters: Mapping[str, str],
    template: Path,
) -> None:
    """Estimate requests, time, billed quantities and quotas for files of one kind.

    The counts are computed from the template's settings and the workflow's states. Quotas are those
    of us-east-1; those marked with * could not be looked up. docs/scale.md has an example of a
    price file.
    """
    report = (
        _idle_report(template, parameters, prices, datasets)
        if idle
        else _report(
            template,
            parameters,
            throughput=throughput,
            concurrency=concurrency,
            prices=prices,
            size=round(size_gb * 1e9),
            rows=rows,
            rejected=rejected_percent / 100,
            failed=failed_percent / 100,
            files_per_day=files_per_day,
            peak=peak,
        )
    )
    if as_json:
        echo_json(report.document())
    else:
        for line in report.lines():
            echo(line)


def _idle_report(
    template: Path, parameters: Mapping[str, str], prices: Path | None, datasets: int
) -> IdleReport:
    from pipectl.scale.assumptions import Assumptions
    from pipectl.scale.billing import Prices, read_prices
    from pipectl.scale.deployed import read_resources
    from pipectl.scale.idle import idle_report

    unit_prices = Prices() if prices is None else read_prices(prices)
    resources = read_resources(template, parameters)
    return idle_report(resources, Assumptions(), unit_prices, datasets=datasets)


def _report(
    template: Path,
    parameters: Mapping[str, str],
    *,
    throughput: float | None,
    concurrency: int | None,
    prices: Path | None,
    size: int,
    rows: int | None,
    rejected: float,
    failed: float,
    files_per_day: float,
    peak: float,
) -> Report:
    from pipectl.scale.assumptions import Assumptions
    from pipectl.scale.billing import Prices, read_prices
    from pipectl.scale.deployed import read_deployed
    from pipectl.scale.report import Demand, report_of

    assumptions = Assumptions()
    if throughput is not None:
        assumptions = replace(assumptions, transform_bytes_per_second=throughput * 1e6)
    if concurrency is not None:
        assumptions = replace(assumptions, concurrent_executions=concurrency)
    demand = Demand(size, rows, rejected, failed, files_per_day, peak)
    unit_prices = Prices() if prices is None else read_prices(prices)
    return report_of(read_deployed(template, parameters), demand, assumptions, unit_prices)
